/** Deploys in the middle of a backfill: of workers, of another build, of another project. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type pg from 'pg';
import { Client, Connection } from '@temporalio/client';
import { z } from 'zod';
import { findTemporal } from '../../src/dev/temporal-source.js';
import { codeVersion, versionOfIdentity } from '../../src/worker/version.js';
import { clientOf, numberOf, projectYaml, reaches, sleeper, SLEEPING } from '../support/backfills.js';
import { eventually } from '../support/eventually.js';
import { startStack, type Stack } from '../support/stack.js';

const DIST = fileURLToPath(new URL('../../dist', import.meta.url));
const NEXT = join(DIST, 'builds/next');
const SLOTS = 2;

const Planned = z.object({
  datasets: z.array(
    z.object({ name: z.string(), stale: z.number(), intervals: z.array(z.object({ why: z.string() })) }),
  ),
});

let stack: Stack;
let warehouse: pg.Client;
let connection: Connection;
before(async () => {
  stack = await startStack();
  warehouse = await stack.connect('warehouse');
  connection = await Connection.connect({ address: stack.dev.info().temporalAddress });
  // Another build: other workflow code, as far as Temporal and codeVersion can tell.
  rmSync(NEXT, { recursive: true, force: true });
  for (const part of ['src', 'workflows', 'activities', 'bundle', 'workflow-bundle.js'])
    cpSync(join(DIST, part), join(NEXT, part), { recursive: true });
  const bundle = join(NEXT, 'workflow-bundle.js');
  writeFileSync(bundle, `// the next build\n${readFileSync(bundle, 'utf8')}`); // its end is the source map, and stays that
});
after(async () => {
  await connection.close();
  await stack.stop();
});

/** The code versions of all workers that had a part in a backfill and its datasets. */
async function carriedOutBy(workflowIds: readonly string[]): Promise<(string | undefined)[]> {
  const client = new Client({ connection });
  const histories = await Promise.all(workflowIds.map((id) => client.workflow.getHandle(id).fetchHistory()));
  const identities = histories
    .flatMap(({ events }) => events ?? [])
    .flatMap((event) => [
      event.workflowTaskCompletedEventAttributes?.identity,
      event.activityTaskStartedEventAttributes?.identity,
    ]);
  return [...new Set(identities.filter((one) => !!one).map((one) => versionOfIdentity(one ?? '')))].sort();
}

/** What docs/operating.md tells to type. */
async function temporal(...args: string[]): Promise<string> {
  const binary = await findTemporal({ env: process.env, log: () => undefined });
  const { stdout } = await promisify(execFile)(binary, [...args, '--address', stack.dev.info().temporalAddress]);
  return stdout;
}

test('workers and project are replaced in mid-backfill: what runs ends, nothing is done twice, and it ends as it began', async () => {
  const project = stack.project('rolling', {
    'sluice.yaml': projectYaml('rolling', { budget: `{ slots: ${SLOTS} }` }),
    ...sleeper('daily', '0.5'),
    ...sleeper('reader', '0', 'y.n', 'JOIN daily y ON y.day = d WHERE y.day >= :start AND y.day < :end'),
  });
  const range = { from: '2024-01-01', to: '2024-01-12' };
  const client = await clientOf(stack, 'rolling');
  const old = await stack.worker(project);
  // The first day makes the table, so that the trigger can be put on it: it counts beside every transaction what began to write.
  await client.start({ from: range.from, to: '2024-01-02' }, { id: 'tables' });
  await client.result('tables');
  await warehouse.query(`CREATE SCHEMA audit;
    CREATE SEQUENCE audit.begun;
    CREATE FUNCTION audit.begin() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('audit.begun'); RETURN NULL; END $$;
    CREATE TRIGGER begun BEFORE INSERT ON rolling.daily FOR EACH STATEMENT EXECUTE FUNCTION audit.begin()`);
  await client.start(range, { id: 'rolled' });
  const statement = async (): Promise<boolean> =>
    (await numberOf(warehouse, SLEEPING)) > 0 && (await client.status('rolled')).partitions.done > 2;
  await eventually('it gets on, in the middle of a statement', statement);

  const file = join(project, 'datasets/daily.sql');
  writeFileSync(file, readFileSync(file, 'utf8').replace('1 AS n', '2 AS n'));
  // Somebody plans it under the project as it is now: what runs does not look at the plan of another.
  await warehouse.query(`INSERT INTO sluice.plans (fingerprint, project, environment, head, created_at)
      SELECT 'newer', project, environment, head, now() + interval '1 s' FROM sluice.plans WHERE project = 'rolling' ORDER BY created_at DESC LIMIT 1;
    INSERT INTO sluice.plan_datasets (fingerprint, position, name, body)
      SELECT 'newer', d.position, d.name, replace(d.body::text, '1 AS n', '2 AS n')::jsonb FROM sluice.plan_datasets d
      JOIN sluice.backfills b ON b.plan = d.fingerprint WHERE b.project = 'rolling' AND b.backfill_id = 'rolled'`);
  const ended = once(old, 'exit');
  old.kill('SIGTERM');
  const successor = await stack.worker(project, [], {}, NEXT);
  assert.deepEqual(await ended, [0, null], 'it drained');
  const { done, total } = (await client.status('rolled')).partitions;
  assert.ok(done < total, 'the deploy came in the middle');
  await reaches(client, 'rolled', 'completed');

  assert.equal(await numberOf(warehouse, 'SELECT last_value AS n FROM audit.begun'), 10, 'nothing was begun twice');
  const { rows } = await warehouse.query(
    'SELECT count(*)::int AS days, min(d.n) AS least, max(d.n) AS most, max(r.n) AS read FROM rolling.daily d JOIN rolling.reader r USING (day)',
  );
  assert.deepEqual(rows, [{ days: 11, least: 1, most: 1, read: 1 }]);
  const planned = await stack.sluice(['plan', '-p', project, '--to', range.to, '--rebuild', 'stale', '--json']);
  const { datasets } = Planned.parse(planned.json());
  assert.deepEqual(
    datasets.map(({ name, stale, intervals }) => [name, stale, intervals.map(({ why }) => why)]),
    [
      ['daily', 11, ['stale: definition changed']],
      ['reader', 0, ['reads daily from 2024-01-01']],
    ],
  );
  await client.close();
  successor.kill('SIGTERM');
  await once(successor, 'exit');
});

test('a versioned backfill ends on the build that it began on, while the next build carries out the next one', async () => {
  const project = stack.project('pinned', {
    'sluice.yaml': projectYaml('pinned', { budget: `{ slots: ${SLOTS} }` }),
    ...sleeper('first', '0.2'),
    ...sleeper('second', '0', 'f.n', 'JOIN first f ON f.day = d WHERE f.day >= :start AND f.day < :end'),
  });
  const client = await clientOf(stack, 'pinned');
  const become = (build: string): Promise<unknown> =>
    temporal(
      ...['worker', 'deployment', 'set-current-version', '--yes'],
      ...['--deployment-name', 'sluice', '--build-id', build],
    );
  const a = await stack.worker(project, ['--deployment', 'sluice']);
  // Nothing is current yet: a backfill would wait for ever, and the doctor says so.
  const before = await stack.sluice(['doctor', '-p', project, '--json']);
  assert.match(before.out, /what is new goes to workers without --deployment, and none polls it/);
  await become(codeVersion());
  await client.start({ from: '2024-01-01', to: '2024-01-11' }, { id: 'on-a' });
  await eventually('it gets on', async () => (await client.status('on-a')).partitions.done > 1);
  await client.pause('on-a');
  const b = await stack.worker(project, [], { SLUICE_DEPLOYMENT: 'sluice' }, NEXT);
  const next = await eventually('the next build is known', async () => {
    const told = await temporal('worker', 'deployment', 'describe', '--name', 'sluice', '--output', 'json');
    return told.match(/(?<="buildId": *")[^"]+/gi)?.find((one) => one !== codeVersion());
  });
  await become(next);
  const left = (await client.status('on-a')).partitions;
  assert.ok(left.done < left.total, 'the first is not over');
  await client.resume('on-a');
  await client.start({ from: '2024-01-11', to: '2024-01-13' }, { id: 'on-b' });
  await reaches(client, 'on-b', 'completed');
  await reaches(client, 'on-a', 'completed');
  const parts = (id: string): string[] => ['', '/first', '/second'].map((part) => `${client.workflowId(id)}${part}`);
  assert.deepEqual(await carriedOutBy(parts('on-a')), [codeVersion()]);
  assert.deepEqual(await carriedOutBy(parts('on-b')), [next]);
  await client.close();
  for (const worker of [a, b]) {
    worker.kill('SIGTERM');
    await once(worker, 'exit');
  }
});
