/** `sluice/client` against a real stack: every method, and every error that it throws on purpose. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Client, Connection, type WorkflowClientInterceptor } from '@temporalio/client';
import type pg from 'pg';
import {
  BackfillCancelledError,
  BackfillClient,
  BackfillFailedError,
  BackfillIdTakenError,
  BackfillNotFoundError,
  MessageRefusedError,
  RequestRefusedError,
  type Request,
} from '../../src/client/index.js';
import { BackfillStatus } from '../../src/contracts/status.js';
import { eventually } from '../support/eventually.js';
import { startStack, type Stack } from '../support/stack.js';

// `switches` has one row: how long each partition takes, and the day whose partition fails.
const FILES = {
  'sluice.yaml': `
project: shop
connections:
  ops: { type: postgres, url: "embedded:ops", budget: { slots: 4 } }
  warehouse: { type: postgres, url: "embedded:warehouse", budget: { slots: 4 } }
warehouse: warehouse
schema: analytics
defaults: { grain: day, start: 2024-01-01 }
`,
  'datasets/orders_raw.yaml': `
extract: { from: ops, table: public.orders, time: at }
key: [id]
`,
  'datasets/orders_day.sql': `/*
time: day
key: [day]
reads: [public.switches]
*/
SELECT date_trunc('day', o.at) AS day, sum(1 / CASE WHEN date_trunc('day', o.at) = s.bad THEN 0 ELSE 1 END) AS orders
FROM orders_raw o CROSS JOIN (SELECT bad FROM public.switches WHERE pg_sleep(nap) IS NOT NULL) s
WHERE o.at >= :start AND o.at < :end GROUP BY 1
`,
};

let stack: Stack;
let backfills: BackfillClient;
let warehouse: pg.Client;

before(async () => {
  stack = await startStack();
  const ops = await stack.connect('ops');
  await ops.query(`CREATE TABLE orders (id bigint PRIMARY KEY, at timestamptz NOT NULL);
    CREATE INDEX ON orders (at);
    INSERT INTO orders SELECT i, '2024-01-01Z'::timestamptz + i * interval '6 hours' FROM generate_series(0, 4 * 90 - 1) i`);
  warehouse = await stack.connect('warehouse');
  await warehouse.query(
    'CREATE TABLE switches (nap float8 NOT NULL, bad timestamptz); INSERT INTO switches VALUES (0, NULL)',
  );
  stack.project('shop', FILES);
  await stack.worker(`${stack.dir}/shop`);
  backfills = await BackfillClient.connect({ project: 'shop', address: stack.dev.info().temporalAddress });
});
after(async () => {
  await backfills.close();
  await stack.stop();
});

const switches = (nap: number, bad: string | null): Promise<unknown> =>
  warehouse.query('UPDATE switches SET nap = $1, bad = $2', [nap, bad]);
const done = (id: string): Promise<number> => backfills.status(id).then(({ partitions }) => partitions.done);

test('plan says what would be built and starts nothing', async () => {
  const plan = await backfills.plan({ from: '2024-01-01', to: '2024-01-11' });
  assert.deepEqual(
    plan.datasets.map(({ name, build }) => [name, build]),
    [
      ['orders_raw', 10],
      ['orders_day', 10],
    ],
  );
  const { rows } = await warehouse.query('SELECT count(*)::int AS backfills FROM sluice.backfills');
  assert.deepEqual(rows, [{ backfills: 0 }]);
});

test('start, watch and result follow a backfill to its end', async () => {
  const { id, workflowId } = await backfills.start(
    { from: '2024-01-01', to: '2024-01-11', reason: 'test' },
    { id: 'first' },
  );
  assert.deepEqual([id, workflowId], ['first', 'backfill/shop/first']);
  const seen: string[] = [];
  let last: unknown;
  for await (const status of backfills.watch(id, { everyMs: 20 })) {
    seen.push(status.state);
    last = status;
  }
  assert.equal(seen.at(-1), 'completed');
  const result = await backfills.result(id);
  assert.deepEqual(result.partitions, { total: 20, done: 20, failed: 0, blocked: 0, skipped: 0 });
  assert.deepEqual(last, result);
  // Its whole workflow id names it too.
  assert.equal((await backfills.status(workflowId)).id, 'first');
});

test('a status that is asked for as it ends is never that of a broken one', async () => {
  await switches(0.3, null);
  const connection = await Connection.connect({ address: stack.dev.info().temporalAddress });
  // The query is answered while it runs, and what the server knows of it is read once it is over.
  let answered: BackfillStatus | undefined;
  const late: WorkflowClientInterceptor = {
    query: async (input, next) => {
      const answer = await next(input);
      answered ??= BackfillStatus.parse(answer);
      return answer;
    },
    describe: async (input, next) => {
      await backfills.result('ends');
      return next(input);
    },
  };
  const client = new Client({ connection, interceptors: { workflow: [late] } });
  const asking = new BackfillClient({ client, project: 'shop' });
  await backfills.start({ from: '2024-01-01', to: '2024-01-11', rebuild: 'all' }, { id: 'ends' });
  await eventually('it works', async () => (await done('ends')) > 0);
  const { state, reason } = await asking.status('ends');
  assert.equal(answered?.state, 'running');
  assert.deepEqual([state, reason], ['completed', 'all is published']);
  await connection.close();
  await switches(0, null);
});

test('an id is never used twice', async () => {
  await assert.rejects(
    backfills.start({}, { id: 'first' }),
    (error) => error instanceof BackfillIdTakenError && error.id === 'first',
  );
});

test('a backfill that never was is not found, whatever is asked of it', async () => {
  const asks = ['status', 'result', 'pause', 'cancel'] as const;
  for (const ask of asks) {
    await assert.rejects(
      backfills[ask]('nobody'),
      (error) => error instanceof BackfillNotFoundError && error.id === 'nobody',
    );
  }
  await assert.rejects(backfills.watch('nobody').next(), BackfillNotFoundError);
});

test('a request that is wrong is refused with its code, by plan and by result', async () => {
  const wrong: readonly (readonly [Request, string])[] = [
    [{ select: ['orders_rwa'] }, 'unknown_dataset'],
    [{ from: 'yesterday-ish' }, 'bad_time'],
    [{ priority: 9 }, 'bad_request'],
  ];
  for (const [request, code] of wrong) {
    const refused = (error: unknown): boolean => error instanceof RequestRefusedError && error.code === code;
    await assert.rejects(backfills.plan(request), refused, code);
    const { id } = await backfills.start(request);
    await assert.rejects(backfills.result(id), refused, code);
    // What the workflow could not even read has no status.
    if (code === 'bad_request') await assert.rejects(backfills.status(id), refused);
    else assert.equal((await backfills.status(id)).state, 'failed');
  }
});

test('pause stops it between two batches, adjust changes it meanwhile, resume goes on', async () => {
  // Long enough that the pause is heard before all of it is done, also on a busy machine: with 0.2 s, most likely, once in five runs it was not, and held nothing.
  await switches(1, null);
  const { id } = await backfills.start({ from: '2024-01-11', to: '2024-01-21', maxParallel: 1 });
  await eventually('its first partitions are done', async () => (await done(id)) > 0);
  const paused = await backfills.pause(id, { reason: 'lunch' });
  assert.deepEqual([paused.state, paused.reason], ['paused', 'lunch']);
  assert.match(paused.waiting?.next ?? '', /sluice resume/);
  await assert.rejects(backfills.pause(id), MessageRefusedError);

  const adjusted = await backfills.adjust(id, { priority: 1, maxParallel: 4 });
  assert.deepEqual([adjusted.state, adjusted.priority, adjusted.maxParallel], ['paused', 1, 4]);
  await assert.rejects(backfills.adjust(id, {}), MessageRefusedError);

  // What it holds, nobody else may build.
  const other = await backfills.start({ from: '2024-01-15', to: '2024-01-16' });
  await assert.rejects(
    backfills.result(other.id),
    (error) =>
      error instanceof RequestRefusedError &&
      error.code === 'conflict' &&
      error.message.includes(id) &&
      error.remedy !== undefined,
  );

  await switches(0, null);
  assert.equal((await backfills.resume(id)).state, 'running');
  assert.equal((await backfills.result(id)).partitions.done, 20);
  // An ended one takes no message, and says so.
  await assert.rejects(
    backfills.pause(id),
    (error) => error instanceof MessageRefusedError && /ended/.test(error.message),
  );
  await assert.rejects(backfills.cancel(id), MessageRefusedError);
});

test('cancel returns when it has ended, and stops the statement that runs', async () => {
  await switches(600, null);
  const { id } = await backfills.start({ from: '2024-01-21', to: '2024-01-26' });
  const sleeping = async (): Promise<number> => {
    const { rowCount } = await warehouse.query(`SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'`);
    return rowCount ?? 0;
  };
  await eventually('a partition is being built', async () => (await sleeping()) > 0);
  const status = await backfills.cancel(id, { reason: 'wrong range' });
  assert.deepEqual([status.state, status.reason], ['cancelled', 'wrong range']);
  assert.notEqual(status.endedAt, null);
  assert.equal(await sleeping(), 0);
  await assert.rejects(backfills.result(id), (error) => error instanceof BackfillCancelledError && error.id === id);
  await switches(0, null);
});

test('a held backfill says what failed; retry carries on, skip leaves it as it is', async () => {
  await switches(0, '2024-02-03Z');
  const { id } = await backfills.start({ from: '2024-02-01', to: '2024-02-06' });
  let held;
  for await (const status of backfills.watch(id)) held = status;
  assert.equal(held?.state, 'held');
  assert.deepEqual(held.partitions, { total: 10, done: 9, failed: 1, blocked: 0, skipped: 0 });
  const [failure] = held.datasets.flatMap(({ failures }) => failures);
  assert.equal(failure?.code, 'division_by_zero');
  assert.equal(new Date(failure.start).toISOString(), '2024-02-03T00:00:00.000Z');
  await assert.rejects(backfills.retry(id, { dataset: 'nothing' }), MessageRefusedError);
  await assert.rejects(backfills.skip(id, { dataset: 'orders_day', on: '2030-01-01' }), MessageRefusedError);

  await switches(0, null);
  await backfills.retry(id, { reason: 'mended' });
  assert.deepEqual((await backfills.result(id)).partitions, { total: 10, done: 10, failed: 0, blocked: 0, skipped: 0 });

  await switches(0, '2024-02-08Z');
  const second = await backfills.start({ from: '2024-02-06', to: '2024-02-11' });
  await eventually('it is held', async () => (await backfills.status(second.id)).state === 'held');
  await backfills.skip(second.id, { dataset: 'orders_day', on: '2024-02-08' });
  const result = await backfills.result(second.id);
  assert.equal(result.state, 'completed');
  assert.deepEqual(result.partitions, { total: 10, done: 9, failed: 0, blocked: 0, skipped: 1 });
});

test('with onFailure: fail it ends at once, and result throws with the status', async () => {
  await switches(0, '2024-02-13Z');
  const { id } = await backfills.start({ from: '2024-02-11', to: '2024-02-16', onFailure: 'fail' });
  await assert.rejects(
    backfills.result(id),
    (error) =>
      error instanceof BackfillFailedError && error.status.state === 'failed' && error.status.partitions.failed === 1,
  );
  await assert.rejects(backfills.retry(id), MessageRefusedError);
  await switches(0, null);
});

test('terminate ends one that nobody carries out, and the next takes over what it held', async () => {
  await switches(600, null);
  const { id } = await backfills.start({ from: '2024-02-16', to: '2024-02-18' });
  await eventually('it runs', async () => (await backfills.status(id)).state === 'running');
  await backfills.terminate(id, 'test');
  await assert.rejects(backfills.result(id), BackfillCancelledError);
  await switches(0, null);
  const next = await backfills.start({ from: '2024-02-16', to: '2024-02-18' });
  assert.equal((await backfills.result(next.id)).state, 'completed');
});
