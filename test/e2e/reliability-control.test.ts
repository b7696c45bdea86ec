import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { Client, Connection } from '@temporalio/client';
import type { BackfillClient } from '../../src/client/index.js';
import { BackfillStatus } from '../../src/contracts/status.js';
import { clientOf, kill9, numberOf, OVERLAP, projectYaml, reaches, SLEEPING, sleeper } from '../support/backfills.js';
import { eventually } from '../support/eventually.js';
import { startStack, type Stack } from '../support/stack.js';

/** What a person does to a backfill that runs, on the real thing. */
let stack: Stack;
let warehouse: pg.Client;
let temporal: Connection;
let steps: BackfillClient;
let worker: ChildProcess;

const STEPS = {
  'sluice.yaml': projectYaml('steps', { budget: '{ slots: 3 }' }),
  ...sleeper('slow', `CASE WHEN d < '2024-01-03Z' THEN 0 ELSE 60 END`),
  ...sleeper('brisk', '0.25'),
  'datasets/parts.sql': `/*
time: day
reads: [public.divisors]
*/
SELECT v.day, 100 / v.divisor AS part FROM public.divisors v WHERE v.day >= :start AND v.day < :end
`,
  'datasets/sums.sql': `/*
time: day
*/
SELECT p.day, sum(p.part) AS part FROM parts p WHERE p.day >= :start AND p.day < :end GROUP BY 1
`,
};

before(async () => {
  stack = await startStack();
  warehouse = await stack.connect('warehouse');
  await warehouse.query(`CREATE TABLE public.divisors AS
    SELECT d AS day, CASE WHEN d IN ('2024-01-04Z', '2024-01-07Z') THEN 0 ELSE 10 END AS divisor
    FROM generate_series('2024-01-01Z'::timestamptz, '2024-01-31Z', interval '1 day') d`);
  stack.project('steps', STEPS);
  worker = await stack.worker(`${stack.dir}/steps`, ['--watch']);
  steps = await clientOf(stack, 'steps');
  temporal = await Connection.connect({ address: stack.dev.info().temporalAddress });
});
after(async () => {
  await steps.close();
  await temporal.close();
  await stack.stop();
  assert.equal(worker.exitCode, null, 'the worker lived to the end');
});

const tenDays = { from: '2024-01-01', to: '2024-01-11' };
const slow = { select: ['slow'], ...tenDays };

/** Transactions of workers in the warehouse. */
const UNDER_WAY = `SELECT count(*) AS n FROM pg_stat_activity
  WHERE datname = current_database() AND application_name LIKE 'sluice/%' AND xact_start IS NOT NULL`;

async function atWork(n: number): Promise<void> {
  await eventually(`${n} statements run`, async () => (await numberOf(warehouse, SLEEPING)) === n);
}

async function nothingLeft(id: string, done: number): Promise<void> {
  await eventually('the statements are stopped', async () => (await numberOf(warehouse, SLEEPING)) === 0, 3_500);
  const status = await reaches(steps, id, 'cancelled', 5_000);
  assert.equal(status.partitions.done, done);
  assert.equal(await published('slow'), 2, 'what was published stays');
  const handle = new Client({ connection: temporal }).workflow.getHandle(steps.workflowId(id));
  await eventually('Temporal shows it so', async () => (await handle.describe()).status.name === 'CANCELLED', 5_000);
  await eventually('the range is free', async () => {
    return (await numberOf(warehouse, 'SELECT count(*) AS n FROM sluice.reservations')) === 0;
  });
}

function published(dataset: string): Promise<number> {
  return numberOf(warehouse, 'SELECT count(*) AS n FROM sluice.partitions WHERE dataset = $1', [dataset]);
}

test('cancel stops the statements in the database, keeps what was published and frees the range: exit code 4', async () => {
  const waiting = stack.sluice([
    'backfill',
    '-p',
    'steps',
    'slow',
    '--from',
    '2024-01-01',
    '--to',
    '2024-01-11',
    '--id',
    'c1',
    '--wait',
    '--json',
  ]);
  await atWork(3);
  assert.equal(await published('slow'), 2);
  await steps.cancel('c1', { reason: 'enough' });
  await nothingLeft('c1', 2);
  const { code, json } = await waiting;
  assert.equal(code, 4);
  assert.equal(BackfillStatus.parse(json()).reason, 'enough');
});

test('`temporal workflow cancel` does the same', async () => {
  await steps.start(slow, { id: 'c2' });
  await atWork(3);
  await new Client({ connection: temporal }).workflow.getHandle(steps.workflowId('c2')).cancel();
  await nothingLeft('c2', 0);
});

test('after terminate the next backfill takes over what it held', async () => {
  await steps.start(slow, { id: 't1' });
  await atWork(3);
  await steps.terminate('t1', 'test');
  await steps.start({ select: ['slow'], from: '2024-01-01', to: '2024-01-04' }, { id: 't2' });
  await eventually(
    't2 holds it',
    async () =>
      (await numberOf(warehouse, `SELECT count(*) AS n FROM sluice.reservations WHERE backfill_id = 't2'`)) === 1,
    15_000,
  );
  await atWork(1);
  assert.equal(await numberOf(warehouse, 'SELECT count(*) AS n FROM sluice.reservations'), 1);
  await steps.cancel('t2');
});

test('pause holds within a batch, resume goes on, --max-parallel takes effect', async () => {
  await steps.start({ select: ['brisk'], from: '2024-01-01', to: '2024-02-10' }, { id: 'p1' });
  await eventually('it gets on', async () => (await published('brisk')) >= 4);
  assert.equal((await steps.pause('p1', { reason: 'lunch' })).state, 'paused');
  // Not only between two statements of a batch: after its commit too.
  await eventually('nothing is under way', async () => (await numberOf(warehouse, UNDER_WAY)) === 0);
  const held = await published('brisk');
  assert.ok(held < 38, 'it was paused in the middle');
  let looks = 0;
  await eventually('it stays paused', async () => {
    assert.equal(await numberOf(warehouse, SLEEPING), 0);
    return ++looks > 60;
  });
  assert.equal(await published('brisk'), held);
  assert.equal((await steps.status('p1')).reason, 'lunch');

  await steps.adjust('p1', { maxParallel: 1 });
  const { rows } = await warehouse.query<{ now: Date }>('SELECT clock_timestamp() AS now');
  assert.equal((await steps.resume('p1')).state, 'running');
  const status = await reaches(steps, 'p1', 'completed');
  assert.equal(status.partitions.done, 40);
  const since = `began > '${rows[0]?.now.toISOString() ?? ''}'`;
  assert.equal(await numberOf(warehouse, OVERLAP(['steps.brisk'], since)), 1);
  assert.ok((await numberOf(warehouse, OVERLAP(['steps.brisk']))) > 1, 'before, several ran at once');
});

const parts = { select: ['parts', 'sums'], ...tenDays };

test('what a lost answer left published is not published again, in whatever batches it comes back', async () => {
  await steps.start({ select: ['brisk'], from: '2024-03-01', to: '2024-04-10', rebuild: 'all' }, { id: 'l1' });
  const mine = `SELECT count(*) AS n FROM sluice.partitions WHERE backfill_id = 'l1'`;
  await eventually('it gets on', async () => (await numberOf(warehouse, mine)) >= 4);
  await steps.pause('l1');
  await eventually('nothing is under way', async () => (await numberOf(warehouse, UNDER_WAY)) === 0);
  // As if batches of these days had come to their COMMIT, and nobody had heard of it. Batches of two that begin a day later or earlier hold each of them beside another.
  const { rows: lost } = await warehouse.query<{ publish_id: string }>(
    `INSERT INTO sluice.partitions
     SELECT (jsonb_populate_record(NULL::sluice.partitions, to_jsonb(p) || jsonb_build_object('starts_at', d, 'ends_at', d + interval '1 day', 'rows', 7, 'publish_id', gen_random_uuid()))).*
     FROM (SELECT * FROM sluice.partitions WHERE backfill_id = 'l1' LIMIT 1) p,
       unnest('{2024-04-02Z, 2024-04-05Z, 2024-04-08Z}'::timestamptz[]) d RETURNING publish_id`,
  );
  assert.equal(lost.length, 3);
  await steps.resume('l1');
  const done = await reaches(steps, 'l1', 'completed');
  assert.deepEqual([done.partitions.done, done.rows], [40, 37 + 3 * 7]);
  const ids = lost.map((row) => row.publish_id);
  const kept = 'SELECT count(*) AS n FROM sluice.partitions WHERE publish_id = ANY ($1)';
  assert.equal(await numberOf(warehouse, kept, [ids]), 3);
  // Nothing was written there, and everything beside it was.
  const days = `SELECT count(*) AS n FROM steps.brisk WHERE day >= '2024-03-01Z' AND day < '2024-04-10Z'`;
  assert.equal(await numberOf(warehouse, days), 37);
});

test('a held backfill: a pause is refused; retry builds only what failed and was blocked, of one dataset too', async () => {
  await steps.start(parts, { id: 'h1' });
  const held = await reaches(steps, 'h1', 'held');
  assert.deepEqual(held.partitions, { total: 20, done: 16, failed: 2, blocked: 2, skipped: 0 });
  assert.equal(held.datasets.find(({ name }) => name === 'parts')?.failures[0]?.code, 'division_by_zero');
  await assert.rejects(steps.pause('h1'), /held: nothing runs/);
  assert.equal((await steps.status('h1')).state, 'held');

  const before = await warehouse.query(
    `SELECT dataset, starts_at, publish_id FROM sluice.partitions WHERE dataset IN ('parts', 'sums') ORDER BY 1, 2`,
  );
  await warehouse.query(`UPDATE public.divisors SET divisor = 20 WHERE day = '2024-01-04Z'`);
  // Of a dataset that only waits for others nothing failed: retrying it changes nothing, and it is held again.
  await steps.retry('h1', { dataset: 'sums' });
  await reaches(steps, 'h1', 'held');
  assert.equal(await published('parts'), 8);
  await steps.retry('h1', { dataset: 'parts' });
  const again = await eventually('held with one left', async () => {
    const status = await steps.status('h1');
    return status.state === 'held' && status.partitions.done === 18 && status;
  });
  assert.deepEqual(again.partitions, { total: 20, done: 18, failed: 1, blocked: 1, skipped: 0 });
  const kept = await warehouse.query(`SELECT dataset, starts_at, publish_id FROM sluice.partitions
    WHERE dataset IN ('parts', 'sums') AND starts_at <> '2024-01-04Z' ORDER BY 1, 2`);
  assert.deepEqual(kept.rows, before.rows, 'what was done was not built again');

  // A skip that changes nothing is not waited for; one that names the failed partition ends it.
  await steps.skip('h1', { dataset: 'parts', on: '2024-01-01' });
  await reaches(steps, 'h1', 'held');
  await steps.skip('h1', { dataset: 'parts', on: '2024-01-07' });
  const ended = await reaches(steps, 'h1', 'completed');
  assert.deepEqual(ended.partitions, { total: 20, done: 18, failed: 0, blocked: 0, skipped: 2 });
});

test('retry --with-current plans what is not done under the project as it is now', async () => {
  const range = { from: '2024-01-07', to: '2024-01-09' };
  await steps.start({ select: ['parts', 'sums'], ...range }, { id: 'w1' });
  await reaches(steps, 'w1', 'held');
  const deployed = (): Promise<number> =>
    numberOf(warehouse, `SELECT count(*) AS n FROM sluice.definitions WHERE project = 'steps'`);
  const before = await deployed();
  const file = join(stack.dir, 'steps/datasets/parts.sql');
  writeFileSync(file, readFileSync(file, 'utf8').replace('100 / v.divisor', '100 / nullif(v.divisor, 0)'));
  await eventually('the worker has reloaded', async () => (await deployed()) > before);
  await steps.retry('w1', { withCurrent: true });
  const status = await reaches(steps, 'w1', 'completed');
  assert.deepEqual([status.partitions.failed, status.partitions.blocked], [0, 0]);
  assert.equal(
    await numberOf(warehouse, `SELECT count(*) AS n FROM steps.parts WHERE day = '2024-01-07Z' AND part IS NULL`),
    1,
  );
});

test('--on-failure fail ends at once: exit code 3', async () => {
  stack.project('fails', {
    'sluice.yaml': projectYaml('fails'),
    ...sleeper('odd', '0', `1 / (extract(day FROM d)::int - 5) AS n`),
  });
  await stack.worker(`${stack.dir}/fails`);
  const { code, json, err } = await stack.sluice([
    'backfill',
    '-p',
    'fails',
    '--from',
    '2024-01-01',
    '--to',
    '2024-01-08',
    '--on-failure',
    'fail',
    '--wait',
    '--json',
  ]);
  assert.equal(code, 3, err);
  const status = BackfillStatus.parse(json());
  assert.equal(status.state, 'failed');
  assert.deepEqual(status.partitions, { total: 7, done: 6, failed: 1, blocked: 0, skipped: 0 });
});

test('slices stand in the queue by priority, which can be changed while they run', async () => {
  stack.project('queue', {
    'sluice.yaml': projectYaml('queue', { budget: '{ slots: 1 }' }),
    ...sleeper('bulk', '0.3'),
    'datasets/due.sql':
      "/*\ntime: day\nfreshness: 6h\n*/\nSELECT d AS day FROM generate_series(:start, :end - interval '1 day', interval '1 day') d\n",
  });
  const one = await stack.worker(`${stack.dir}/queue`);
  const queue = await clientOf(stack, 'queue');
  await queue.start({ select: ['bulk'], from: '2024-01-01', to: '2024-03-01', priority: 2 }, { id: 'bulk' });
  const keys = async (id = 'bulk', dataset = id): Promise<(number | null | undefined)[]> => {
    const child = new Client({ connection: temporal }).workflow.getHandle(`${queue.workflowId(id)}/${dataset}`);
    const { events } = await child.fetchHistory();
    return (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: scheduled }) =>
      scheduled?.activityType?.name === 'runSlice' ? [scheduled.priority?.priorityKey] : [],
    );
  };
  await eventually('it gets on', async () => (await published('bulk')) > 0);
  await queue.adjust('bulk', { priority: 5 });
  await eventually('its next slices stand last', async () => (await keys()).includes(5));
  assert.deepEqual([...new Set(await keys())], [2, 5]);
  await queue.cancel('bulk');
  // What is late, and is what this backfill builds, is first; as long as nothing is published it is not late.
  for (const [id, on, key] of [
    ['first', '2024-01-01', 3],
    ['late', '2024-01-02', 1],
    ['again', '2024-01-01', 3],
  ] as const) {
    await queue.start({ select: ['due'], on, rebuild: 'all' }, { id });
    await reaches(queue, id, 'completed');
    assert.deepEqual([...new Set(await keys(id, 'due'))], [key], id);
  }
  await queue.close();
  const ended = once(one, 'exit');
  one.kill('SIGTERM');
  await ended;
});

test('datasets of a pool share its slots, over all workers; what is in none takes the rest of the warehouse', async () => {
  const heavy = (name: string): Record<string, string> =>
    Object.fromEntries(
      Object.entries(sleeper(name, '0.2')).map(([file, text]) => [
        file,
        text.replace('time: day', 'time: day\npool: heavy'),
      ]),
    );
  const yaml = `${projectYaml('pooled', { budget: '{ slots: 4 }' })}pools: { heavy: { slots: 1 } }\n`;
  const folder = stack.project('pooled', {
    'sluice.yaml': yaml,
    ...heavy('first'),
    ...heavy('second'),
    ...sleeper('light', '0.2'),
  });
  const workers = [await stack.worker(folder), await stack.worker(folder)];
  const client = await clientOf(stack, 'pooled');
  await client.start({ from: '2024-01-01', to: '2024-01-11' }, { id: 'p' });
  const { partitions } = await reaches(client, 'p', 'completed');
  assert.equal(partitions.done, 30);
  assert.equal(await numberOf(warehouse, OVERLAP(['pooled.first', 'pooled.second'])), 1);
  assert.ok((await numberOf(warehouse, OVERLAP(['pooled.first', 'pooled.second', 'pooled.light']))) > 1);
  await client.close();
  for (const one of workers) await kill9(one);
});
