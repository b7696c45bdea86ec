/** What a hostile reader found in the engine: each of these once hung, lied, leaked or lost something. */
import assert from 'node:assert/strict';
import { noopMetricMeter } from '@temporalio/common';
import { createMetrics } from '../../activities/index.js';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { pino } from 'pino';
import { openSession } from '../../activities/session.js';
import { BackfillClient } from '../../src/client/index.js';
import { StoredDataset } from '../../src/contracts/plan.js';
import { BackfillStatus } from '../../src/contracts/status.js';
import { createPool } from '../../src/postgres/pool.js';
import { openStore } from '../../src/store/store.js';
import { askTurn } from '../../src/warehouse/postgres/gate.js';
import { shownError } from '../../src/worker/logging.js';
import { eventually } from '../support/eventually.js';
import { startStack, type Stack } from '../support/stack.js';

const FILES = {
  'sluice.yaml': `
project: shop
connections:
  ops: { type: postgres, url: "embedded:ops" }
  warehouse: { type: postgres, url: "embedded:warehouse", budget: { slots: 4 } }
warehouse: warehouse
schema: analytics
defaults: { grain: day, start: 2024-01-01 }
`,
  'datasets/raw.yaml': 'extract: { from: ops, table: public.orders, time: at }\nkey: [id]\n',
  'datasets/mid.sql': `/*
time: day
key: [day]
reads: [public.knobs]
*/
SELECT date_trunc('day', r.at) AS day, sum(100 / k.divisor) AS amount
FROM raw r, public.knobs k WHERE r.at >= :start AND r.at < :end AND k.day = r.at::date GROUP BY 1
`,
  'datasets/top.sql': `/*
time: day
key: [day]
*/
SELECT m.day, m.amount FROM mid m WHERE m.day >= :start AND m.day < :end
`,
};

let stack: Stack;
let warehouse: pg.Client;
let client: BackfillClient;

before(async () => {
  stack = await startStack();
  const ops = await stack.connect('ops');
  await ops.query(`CREATE TABLE orders (id bigint PRIMARY KEY, at timestamptz NOT NULL);
    INSERT INTO orders SELECT i, '2024-01-01Z'::timestamptz + i * interval '6 hours' FROM generate_series(0, 239) i`);
  warehouse = await stack.connect('warehouse');
  await warehouse.query(`CREATE TABLE knobs AS
    SELECT '2024-01-01'::date + i AS day, 1 AS divisor FROM generate_series(0, 59) i`);
  stack.project('shop', FILES);
  await stack.worker(`${stack.dir}/shop`);
  client = await BackfillClient.connect({ project: 'shop', address: stack.env['TEMPORAL_ADDRESS']! });
});
after(async () => {
  await client.close();
  await stack.stop();
});

const knob = (day: string, divisor: number) =>
  warehouse.query('UPDATE knobs SET divisor = $2 WHERE day = $1', [day, divisor]);
const range = (from: string, to: string) => ['-p', 'shop', '--from', from, '--to', to];

/** A backfill of two days, of which one fails in `mid`. */
async function heldBackfill(id: string, from: string, to: string): Promise<BackfillStatus> {
  await knob(from, 0);
  const ran = await stack.sluice(['backfill', ...range(from, to), '--id', id, '--wait', '--json']);
  assert.equal(ran.code, 3, ran.err);
  const status = BackfillStatus.parse(ran.json());
  assert.equal(status.state, 'held');
  assert.deepEqual(status.partitions, { total: 6, done: 4, failed: 1, blocked: 1, skipped: 0 });
  return status;
}

/** The next time that it is in `state`. */
const reaches = (id: string, state: BackfillStatus['state']) =>
  eventually(`${id} is ${state}`, async () => {
    const status = await client.status(id);
    return status.state === state && status;
  });

test('held: what makes no sense is refused, a retry that mends nothing is held again, one that mends completes', async () => {
  await heldBackfill('held', '2024-01-01', '2024-01-03');
  const paused = await stack.sluice(['pause', 'held', '-p', 'shop']);
  assert.equal(paused.code, 2, paused.out);
  assert.match(paused.err, /held: nothing runs/);

  // As a signal nobody hears the refusal; the backfill must live on.
  await signal('held', 'skip', { dataset: 'mid', on: '2031-01-01' });
  await signal('held', 'skip', { dataset: 'mid', on: 'never' });

  const before = await client.status('held');
  await client.retry('held', { dataset: 'top' });
  assert.equal((await reaches('held', 'held')).partitions.failed, 1);
  await client.retry('held');
  const again = await eventually('it failed again', async () => {
    const status = await client.status('held');
    return status.state === 'held' && status.waiting?.since !== before.waiting?.since && status;
  });
  assert.deepEqual(again.partitions, before.partitions);

  await knob('2024-01-01', 1);
  await client.retry('held');
  const status = await client.result('held');
  assert.deepEqual(status.partitions, { total: 6, done: 6, failed: 0, blocked: 0, skipped: 0 });
});

async function signal(id: string, name: string, message: object): Promise<void> {
  const { Client, Connection } = await import('@temporalio/client');
  const connection = await Connection.connect({ address: stack.env['TEMPORAL_ADDRESS']! });
  await new Client({ connection }).workflow.getHandle(`backfill/shop/${id}`).signal(name, message);
  await connection.close();
}

test('a skip of what failed lets its readers go', async () => {
  await heldBackfill('skipped', '2024-01-05', '2024-01-07');
  await client.skip('skipped', { dataset: 'mid', on: '2024-01-05' });
  const status = await client.result('skipped');
  assert.equal(status.state, 'completed');
  assert.deepEqual(status.partitions, { total: 6, done: 4, failed: 0, blocked: 0, skipped: 2 });
});

test('a dataset whose workflow is gone: its readers do not wait for it, and a new plan brings it back', async () => {
  await heldBackfill('orphan', '2024-01-10', '2024-01-12');
  await client.terminate('backfill/shop/orphan/mid', 'by hand');
  await eventually('its backfill knows', async () =>
    (await client.status('orphan')).datasets.some(({ failures }) => failures[0]?.code === 'dataset_workflow_failed'),
  );
  await client.retry('orphan');
  const held = await reaches('orphan', 'held');
  assert.deepEqual([held.partitions.failed, held.partitions.blocked], [1, 1]);
  await knob('2024-01-10', 1);
  await client.retry('orphan', { withCurrent: true });
  const status = await client.result('orphan');
  assert.deepEqual(status.partitions, { total: 6, done: 6, failed: 0, blocked: 0, skipped: 0 });
});

test('a terminated backfill is failed, a message to it is refused, and the next one takes its place', async () => {
  await heldBackfill('terminated', '2024-01-15', '2024-01-17');
  await client.terminate('terminated', 'by hand');
  const status = await stack.sluice(['status', 'terminated', '-p', 'shop', '--json']);
  assert.equal(BackfillStatus.parse(status.json()).state, 'failed');
  assert.match(BackfillStatus.parse(status.json()).reason, /terminated/);
  const paused = await stack.sluice(['pause', 'terminated', '-p', 'shop']);
  assert.equal(paused.code, 2);
  assert.match(paused.err, /has ended/);
  await knob('2024-01-15', 1);
  const next = await stack.sluice(['backfill', ...range('2024-01-15', '2024-01-17'), '--wait', '--json']);
  assert.equal(next.code, 0, next.err);
});

test('many backfills planned at once do not starve one another of connections', async () => {
  const days = Array.from({ length: 10 }, (_, i) => `2024-02-${String(i + 10).padStart(2, '0')}`);
  const requests = days.map((day) => client.start({ on: day, select: ['raw'] }, { id: `many-${day}` }));
  const statuses = await Promise.all((await Promise.all(requests)).map(({ id }) => client.result(id)));
  assert.deepEqual(
    statuses.map(({ state, partitions }) => [state, partitions.done]),
    days.map(() => ['completed', 1]),
  );
});

test('rows that sluice did not write survive in a batch that also rebuilds what it did write', async () => {
  const only = (from: string, to: string) => ['backfill', 'raw', ...range(from, to), '--wait', '--json'];
  // Enough of it for the profile to join partitions.
  assert.equal((await stack.sluice(only('2024-01-17', '2024-02-05'))).code, 0);
  await warehouse.query(`DELETE FROM sluice.partitions WHERE dataset = 'raw' AND starts_at = '2024-01-25Z'`);
  await warehouse.query(`INSERT INTO analytics.raw VALUES (-1, '2024-01-25 01:00Z')`);
  const ran = await stack.sluice([...only('2024-01-17', '2024-02-05'), '--rebuild', 'all']);
  assert.equal(ran.code, 3, ran.err);
  const { rows } = await warehouse.query('SELECT at FROM analytics.raw WHERE id = -1');
  assert.equal(rows.length, 1);
  const { partitions, datasets, id } = BackfillStatus.parse(ran.json());
  assert.deepEqual([partitions.done, partitions.failed], [18, 1]);
  assert.equal(datasets[0]?.failures[0]?.code, 'foreign_rows');
  await client.cancel(id);
});

test('a session has its limits, and gives its connection back as it found it: no turn, no name, no limits', async () => {
  const url = await stack.url('warehouse');
  const pool = createPool(() => Promise.resolve(url), 1);
  const db = await openStore(() => Promise.resolve(url), 'warehouse');
  const who = { project: 'shop', environment: 'default', backfillId: 'x', epoch: 1, slice: 1, attempt: 1 };
  const dataset = StoredDataset.parse({
    name: 'raw',
    kind: 'transform',
    grain: 'day',
    zone: 'America/New_York',
    version: '1',
    priority: 3,
    needs: [],
    edges: [],
    runs: [],
    from: '',
    to: '',
    missing: 0,
    stale: 0,
    upToDate: 0,
    intervals: [],
    target: { schema: 'analytics', name: 'raw' },
    key: [],
    time: null,
    publish: 'replace',
    moves: 'fail',
    mask: [],
    columns: [],
    ddl: [],
    spec: { kind: 'transform', sql: '', usesStart: false, usesEnd: false },
  });
  await warehouse.query(`INSERT INTO sluice.reservations (workflow_id, epoch, project, environment, backfill_id)
    VALUES ('session', 1000000, 'shop', 'default', 'x')`);
  try {
    const deps = {
      db,
      pool: () => pool,
      warehouse: 'warehouse',
      log: pino({ level: 'silent' }),
      isPolled: () => Promise.resolve(true),
      planDataset: () => Promise.reject(new Error('not asked for')),
      alternates: () => [],
      metrics: createMetrics(noopMetricMeter),
      connecting: { connect: <T>(_name: string, connect: () => Promise<T>) => connect() },
    };
    const session = openSession(deps, who, dataset, new AbortController().signal);
    const turn = await askTurn(await session.warehouse(), { ...who, epoch: 1_000_000 }, 'warehouse');
    const limits = await (
      await session.warehouse()
    ).query(`SELECT current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock`);
    await session.close();
    assert.equal(turn.kind, 'go');
    assert.deepEqual(limits.rows, [{ statement: '1h', lock: '10s' }]);
    const state = await pool.use((one) =>
      one.query(`SELECT current_setting('application_name') AS name, current_setting('TimeZone') AS zone,
        current_setting('statement_timeout') AS timeout,
        (SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks`),
    );
    assert.deepEqual(state.rows, [{ name: 'sluice', zone: 'UTC', timeout: '0', locks: 0 }]);
  } finally {
    await warehouse.query(`DELETE FROM sluice.reservations WHERE workflow_id = 'session'`);
    await pool.close();
    await db.destroy();
  }
});

test('no value of a row is in an error of the store, nor in what a log shows of a database error', async () => {
  const url = await stack.url('warehouse');
  const db = await openStore(() => Promise.resolve(url), 'warehouse');
  const error: unknown = await db('sluice.failures')
    .insert({ project: 'shop', message: 'SECRET-VALUE' })
    .then(
      () => undefined,
      (failed: unknown) => failed,
    );
  await db.destroy();
  assert.ok(error instanceof pg.DatabaseError);
  assert.doesNotMatch(error.message, /SECRET-VALUE/);
  assert.match(error.detail ?? '', /SECRET-VALUE/);
  assert.doesNotMatch(JSON.stringify(shownError(error)), /SECRET-VALUE/);
});

test('a store that is closed under a waiting statement says nothing on stdout, which is the command’s', async (context) => {
  const url = await stack.url('warehouse');
  const db = await openStore(() => Promise.resolve(url), 'warehouse', 1);
  const said = context.mock.method(console, 'log', () => undefined);
  const open = await db.transaction();
  const waiting = db.raw('SELECT 1').then(
    () => 'answered',
    () => 'refused',
  );
  const closed = db.destroy();
  await open.rollback();
  await closed;
  assert.equal(await waiting, 'refused');
  assert.deepEqual(
    said.mock.calls.map(({ arguments: [words] }: { arguments: unknown[] }) => words),
    [],
  );
});

test('the first users of a pool share it, though they come at once', async () => {
  const url = await stack.url('pooled');
  const pool = createPool(() => Promise.resolve(url), 1);
  await Promise.all([1, 2, 3].map(() => pool.use((client) => client.query('SELECT 1'))));
  const watcher = await stack.connect('pooled');
  const { rowCount } = await watcher.query(
    'SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
  );
  assert.equal(rowCount, 1);
  await pool.close();
});
