/** What sluice stands on is restarted under it; and workflows that no worker remembers, in histories that are short. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { Client, Connection } from '@temporalio/client';
import { clientOf, kill9, numberOf, projectYaml, reaches, sleeper, SLEEPING } from '../support/backfills.js';
import { eventually } from '../support/eventually.js';
import { restartsOf, type Restarts } from '../support/restarts.js';
import { startStack, type Stack } from '../support/stack.js';

/** Sessions are cut, and a workflow task that was under way is given out again after a minute. */
const RECOVERED_MS = 120_000;

let stack: Stack;
let servers: Restarts;
before(async () => {
  stack = await startStack();
  servers = restartsOf(stack);
});
after(() => stack.stop());

/** Asks on a connection of its own: any other was cut. Undefined while PostgreSQL is not there. */
async function ask<T>(work: (warehouse: pg.Client) => Promise<T>): Promise<T> {
  return eventually('PostgreSQL answers', async () => {
    const warehouse = await stack.connect('warehouse');
    return work(warehouse).finally(() => warehouse.end());
  });
}

const published = (dataset: string): Promise<number> =>
  ask((warehouse) => numberOf(warehouse, 'SELECT count(*) AS n FROM sluice.partitions WHERE dataset = $1', [dataset]));

/** Keeps the end of a backfill from being written down, and kills PostgreSQL under it. */
async function restartAtTheEnd(): Promise<void> {
  const obstacle = await stack.connect('warehouse');
  await obstacle.query('BEGIN; LOCK TABLE sluice.backfills IN EXCLUSIVE MODE');
  const ends = `SELECT count(*) AS n FROM pg_locks WHERE NOT granted AND relation = 'sluice.backfills'::regclass`;
  await eventually('it wants to end', async () => (await numberOf(obstacle, ends)) > 0, RECOVERED_MS);
  await servers.restartPostgres('SIGKILL');
}

test('PostgreSQL and then Temporal are killed in mid-backfill, and PostgreSQL as it ends: it goes on by itself, and the tables are right', async () => {
  const project = stack.project('fallen', {
    'sluice.yaml': projectYaml('fallen', { budget: '{ slots: 2 }' }),
    ...sleeper('daily', '0.3', 'extract(day FROM d)::int AS n'),
    ...sleeper('sums', '0', 'y.n + 1 AS n', 'JOIN daily y ON y.day = d WHERE y.day >= :start AND y.day < :end'),
  });
  const worker = await stack.worker(project);
  const client = await clientOf(stack, 'fallen');
  await client.start({ from: '2024-01-01', to: '2024-01-25' }, { id: 'f' });
  const sleeping = (): Promise<boolean> => ask(async (warehouse) => (await numberOf(warehouse, SLEEPING)) > 0);
  await eventually('it gets on', async () => (await published('daily')) >= 4 && sleeping());
  await servers.restartPostgres('SIGQUIT');
  const before = await published('daily');
  await eventually('it goes on', async () => (await published('daily')) > before && sleeping());
  await servers.restartTemporal();
  assert.ok((await published('daily')) < 24, 'both came in the middle');
  await restartAtTheEnd();
  const { partitions } = await reaches(client, 'f', 'completed', RECOVERED_MS);
  assert.deepEqual(partitions, { total: 48, done: 48, failed: 0, blocked: 0, skipped: 0 });
  const { rows } = await ask((warehouse) =>
    warehouse.query(`SELECT count(*)::int AS days, count(DISTINCT d.day)::int AS different, sum(d.n)::int AS n, sum(s.n)::int AS sums
      FROM fallen.daily d JOIN fallen.sums s USING (day)`),
  );
  assert.deepEqual(rows, [{ days: 24, different: 24, n: 300, sums: 324 }]);
  await client.close();
  await kill9(worker);
});

test('replayed at every task, in short histories, while messages come: nothing is lost, nothing done twice', async () => {
  // Of the server's: a history is to be short enough for many of them in one dataset.
  await servers.restartTemporal(['limit.historyCount.suggestContinueAsNew=20']);
  const project = stack.project('short', {
    'sluice.yaml': projectYaml('short', { budget: '{ slots: 4 }' }),
    ...sleeper('daily', '0.05'),
    ...sleeper('reader', '0', 'y.n', 'JOIN daily y ON y.day = d WHERE y.day >= :start AND y.day < :end'),
  });
  const worker = await stack.worker(project, [], { SLUICE_CACHED_WORKFLOWS: '0' });
  const client = await clientOf(stack, 'short');
  const warehouse = await stack.connect('warehouse');
  await warehouse.query(`CREATE TABLE public.published (dataset text, starts_at timestamptz);
    CREATE FUNCTION public.publish() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO public.published VALUES (NEW.dataset, NEW.starts_at); RETURN NULL; END $$;
    CREATE TRIGGER published AFTER INSERT OR UPDATE ON sluice.partitions FOR EACH ROW EXECUTE FUNCTION public.publish()`);
  await client.start({ from: '2024-01-01', to: '2024-04-10' }, { id: 's' });
  let orders = 0;
  const ended = await eventually(
    'it ends, while it is told something again and again',
    async () => {
      const status = await client.status('s').catch(() => undefined);
      if (status?.state !== 'running') return status?.state === 'planning' ? undefined : status;
      await client.adjust('s', { maxParallel: 2 + (orders++ % 3) }).catch(() => undefined);
      return undefined;
    },
    RECOVERED_MS,
  );
  assert.deepEqual(
    [ended.state, ended.partitions],
    ['completed', { total: 200, done: 200, failed: 0, blocked: 0, skipped: 0 }],
  );
  const twice = 'SELECT count(*) - count(DISTINCT (dataset, starts_at)) AS n FROM public.published';
  assert.equal(await numberOf(warehouse, twice), 0);
  assert.equal(
    await numberOf(warehouse, 'SELECT count(*) AS n FROM short.reader r JOIN short.daily d USING (day)'),
    100,
  );

  const connection = await Connection.connect({ address: stack.dev.info().temporalAddress });
  const query = `WorkflowId = "${client.workflowId('s')}/daily"`;
  await eventually('there are several histories of one dataset', async () => {
    const { count } = await new Client({ connection }).workflow.count(query);
    return count >= 4;
  });
  await connection.close();
  await client.close();
  await kill9(worker);
});
