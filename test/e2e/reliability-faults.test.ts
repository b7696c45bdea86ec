import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { Client, Connection } from '@temporalio/client';
import { clientOf, loudWorker, kill9, numberOf, projectYaml, reaches, sleeper } from '../support/backfills.js';
import { eventually } from '../support/eventually.js';
import { startStack, type Stack } from '../support/stack.js';

/** Faults of databases and of data; what must never be in a history or a log; and the rate. */
const PLANTED = 'Xq7-planted-value';

let stack: Stack;
let temporal: Client;
let connection: Connection;
let ops: pg.Client;
let warehouse: pg.Client;
before(async () => {
  stack = await startStack();
  ops = await stack.connect('ops');
  warehouse = await stack.connect('warehouse');
  await ops.query(`CREATE TABLE readings (id bigint PRIMARY KEY, at timestamptz NOT NULL, value text NOT NULL);
    INSERT INTO readings SELECT i, '2024-01-01Z'::timestamptz + i * interval '8 hours', i::text FROM generate_series(0, 3 * 60 - 1) i;
    UPDATE readings SET value = '${PLANTED}' WHERE at = '2024-02-07 08:00Z'`);
  connection = await Connection.connect({ address: stack.dev.info().temporalAddress });
  temporal = new Client({ connection });
});
after(async () => {
  await connection.close();
  await stack.stop();
});

async function historiesOf(workflowId: string, datasets: readonly string[]): Promise<string> {
  const ids = [workflowId, ...datasets.map((name) => `${workflowId}/${name}`)];
  const all = await Promise.all(ids.map(async (id) => temporal.workflow.getHandle(id).fetchHistory()));
  // Payloads are written in base64: as text, so that what they say can be searched.
  return JSON.stringify(all).replace(/"data":"([A-Za-z0-9+/=]+)"/g, (_all, data: string) =>
    Buffer.from(data, 'base64').toString(),
  );
}

test('one bad row fails its own partition of 60 that were joined, and its value is nowhere but in the warehouse', async () => {
  stack.project('poison', {
    'sluice.yaml': projectYaml('poison'),
    'datasets/numbers.yaml': `extract:
  from: ops
  query: SELECT id, at, value::int AS value FROM readings WHERE at >= :start AND at < :end
  time: at
key: [id]
`,
    'datasets/doubled.sql':
      '/*\ntime: at\n*/\nSELECT n.at, n.value * 2 AS twice FROM numbers n WHERE n.at >= :start AND n.at < :end\n',
  });
  const { child, said } = await loudWorker(stack, `${stack.dir}/poison`);
  const client = await clientOf(stack, 'poison');
  const { workflowId } = await client.start({ from: '2024-01-01', to: '2024-03-01' }, { id: 'p' });
  const status = await reaches(client, 'p', 'held');
  assert.deepEqual(status.partitions, { total: 120, done: 118, failed: 1, blocked: 1, skipped: 0 });
  const failures = status.datasets.find(({ name }) => name === 'numbers')?.failures;
  assert.deepEqual(
    failures?.map(({ start, end, code }) => [start, end, code]),
    [['2024-02-07T00:00:00Z', '2024-02-08T00:00:00Z', 'invalid_text_representation']],
  );
  const xids = await numberOf(
    warehouse,
    `SELECT count(DISTINCT xid) AS n FROM sluice.partitions WHERE dataset = 'numbers'`,
  );
  assert.ok(xids < 59, `partitions were joined: ${xids} transactions`);

  const known = await numberOf(warehouse, `SELECT count(*) AS n FROM sluice.failures WHERE message LIKE $1`, [
    `%${PLANTED}%`,
  ]);
  assert.ok(known > 0, 'the warehouse has the value');
  await client.cancel('p');
  const histories = await historiesOf(workflowId, ['numbers', 'doubled']);
  assert.ok(histories.includes('invalid_text_representation'), 'payloads were decoded');
  assert.ok(!histories.includes(PLANTED), 'no value in a history');
  assert.ok(said().includes('invalid_text_representation'), 'the log tells of it');
  assert.ok(!said().includes(PLANTED), 'no value in a log');
  await kill9(child);
  await client.close();
});

test('partitions that all fail alike: the dataset is held after twenty, a retry tries one alone, and goes on with all when that one is done', async () => {
  await ops.query(`CREATE TABLE public.alike AS
    SELECT d AS at, 'x' AS value FROM generate_series('2024-01-01Z'::timestamptz, '2024-04-29Z', interval '1 day') d`);
  stack.project('alike', {
    'sluice.yaml': projectYaml('alike', { budget: '{ slots: 2 }' }),
    'datasets/numbers.yaml': `extract:
  from: ops
  query: SELECT at, value::int AS value FROM alike WHERE at >= :start AND at < :end
  time: at
`,
    'datasets/doubled.sql': '/*\ntime: at\n*/\nSELECT n.at FROM numbers n WHERE n.at >= :start AND n.at < :end\n',
  });
  const worker = await stack.worker(`${stack.dir}/alike`);
  const client = await clientOf(stack, 'alike');
  await client.start({ from: '2024-01-01', to: '2024-04-30' }, { id: 'a' });
  const first = await reaches(client, 'a', 'held');
  const { failed, blocked } = first.partitions;
  assert.ok(failed >= 20 && failed < 40, `${failed} failed of 120: those after the twentieth were under way`);
  assert.equal(failed + blocked, 240);
  const numbers = first.datasets.find(({ name }) => name === 'numbers');
  assert.equal(numbers?.state, 'held');
  assert.match(
    numbers.failures[0]?.message ?? '',
    /^held: 2\d partitions failed alike \(invalid text representation\)/,
  );
  await client.retry('a');
  const again = await eventually('held again', async () => {
    const status = await client.status('a');
    return status.state === 'held' && status.partitions.failed < failed && status;
  });
  assert.equal(again.partitions.failed, 1, 'one went ahead');
  await ops.query(`UPDATE public.alike SET value = '1'`);
  await client.retry('a');
  const done = await reaches(client, 'a', 'completed');
  assert.equal(done.partitions.done, 240);
  await client.close();
  await kill9(worker);
});

test('bad partitions with good ones between them are no streak, however many of them come back together', async () => {
  await ops.query(`CREATE TABLE public.every_other AS
    SELECT at, CASE WHEN n % 2 = 0 THEN 'x' ELSE '1' END AS value
    FROM generate_series('2024-01-01Z'::timestamptz, '2024-01-10 23:00Z', interval '1 hour') WITH ORDINALITY AS h(at, n)`);
  stack.project('scattered', {
    'sluice.yaml': projectYaml('scattered', { budget: '{ slots: 2 }' }),
    'datasets/numbers.yaml': `grain: hour
extract:
  from: ops
  query: SELECT at, value::int AS value FROM every_other WHERE at >= :start AND at < :end
  time: at
`,
  });
  const worker = await stack.worker(`${stack.dir}/scattered`);
  const client = await clientOf(stack, 'scattered');
  await client.start({ from: '2024-01-01', to: '2024-01-11' }, { id: 's' });
  const held = await reaches(client, 's', 'held');
  assert.deepEqual(held.partitions, { total: 240, done: 120, failed: 120, blocked: 0, skipped: 0 });
  await client.cancel('s');
  await client.close();
  await kill9(worker);
});

test('a backend that is ended under a batch, of the warehouse or of the source, is tried again', async () => {
  stack.project('ended', {
    'sluice.yaml': projectYaml('ended', { budget: '{ slots: 2 }' }),
    ...sleeper('nap', '0.5'),
    'datasets/drip.yaml': `extract:
  from: ops
  query: SELECT id, at, value, pg_sleep(0.05)::text AS slept FROM readings WHERE at >= :start AND at < :end
  time: at
`,
  });
  const worker = await stack.worker(`${stack.dir}/ended`);
  const client = await clientOf(stack, 'ended');
  await client.start({ from: '2024-01-01', to: '2024-01-15' }, { id: 'e' });
  const end = (db: pg.Client): Promise<number> =>
    numberOf(
      db,
      `SELECT count(pg_terminate_backend(pid)) AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`,
    );
  await eventually('a batch of the warehouse is ended', async () => (await end(warehouse)) > 0);
  await eventually('a batch of the source is ended', async () => (await end(ops)) > 0);
  // The other end of a COPY: it waits for what the source sends.
  await eventually(
    'the writing end of an extract is ended',
    async () =>
      (await numberOf(
        warehouse,
        `SELECT count(pg_terminate_backend(pid)) AS n FROM pg_stat_activity WHERE query LIKE 'COPY %' AND state = 'active' AND datname = current_database()`,
      )) > 0,
  );
  const status = await reaches(client, 'e', 'completed');
  assert.deepEqual(status.partitions, { total: 28, done: 28, failed: 0, blocked: 0, skipped: 0 });
  assert.equal(
    await numberOf(
      warehouse,
      `SELECT count(*) AS n FROM sluice.failures WHERE code NOT IN ('server_shutdown', 'connection_lost')` +
        ` AND backfill_id = 'e'`,
    ),
    0,
  );
  await kill9(worker);
  await client.close();
});

test('two workers keep the rate together, and follow it within 5 s when it is halved', async () => {
  const yaml = (rate: number): string => projectYaml('rated', { budget: `{ slots: 16, rate: ${rate} }` });
  // Two of them take longer than a batch aims at: a batch each, most of the time. With no rate two cores build 24 a second: far more than is allowed.
  stack.project('rated', { 'sluice.yaml': yaml(10), ...sleeper('tick', '0.3') });
  const workers = [
    await stack.worker(`${stack.dir}/rated`, ['--watch']),
    await stack.worker(`${stack.dir}/rated`, ['--watch']),
  ];
  const client = await clientOf(stack, 'rated');
  await client.start({ from: '2024-01-01', to: '2025-06-01' }, { id: 'r' });
  const perSecond = (from: number, to: number): Promise<number> =>
    numberOf(
      warehouse,
      `SELECT count(DISTINCT xid)::float8 / ($2::float8 - $1::float8) AS n FROM sluice.partitions, (SELECT min(published_at) AS zero FROM sluice.partitions WHERE dataset = 'tick') z
     WHERE dataset = 'tick' AND published_at >= zero + make_interval(secs => $1) AND published_at < zero + make_interval(secs => $2)`,
      [from, to],
    );
  const age = (): Promise<number> =>
    numberOf(
      warehouse,
      `SELECT extract(epoch FROM clock_timestamp() - min(published_at)) AS n FROM sluice.partitions WHERE dataset = 'tick'`,
    );
  // A second's worth may come at once in the beginning, and a slow machine publishes it later than it began it: neither is counted.
  await eventually('ten seconds at 10', async () => (await age()) > 10);
  const fast = await perSecond(2, 10);
  writeFileSync(join(stack.dir, 'rated/sluice.yaml'), yaml(5));
  const edited = await age();
  await eventually('thirteen seconds more', async () => (await age()) > edited + 13);
  const slow = await perSecond(edited + 5, edited + 13);
  assert.ok(fast > 7.5 && fast < 12.5, `${fast} a second at 10`);
  assert.ok(slow > 3.7 && slow < 6.5, `${slow} a second at 5`);
  await client.cancel('r');
  for (const worker of workers) await kill9(worker);
  await client.close();
});
