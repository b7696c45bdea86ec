import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { z } from 'zod';
import { BackfillStatus } from '../../src/contracts/status.js';
import { eventually } from '../support/eventually.js';
import { startStack, type Stack } from '../support/stack.js';
import { projectYaml, typed, type Typed } from './planning-kit.js';

const SECRET = 'hunter2-in-no-history';
const FILES = {
  'sluice.yaml': projectYaml('deal').replace('"embedded:ops_deal"', '"${OPS_URL}"'),
  'datasets/trades.yaml': `owner: desk\nextract: { from: ops, table: public.trades, time: at }\nkey: [id]\n`,
  'datasets/slow_day.sql': `/*
time: day
key: [day]
*/
SELECT date_trunc('day', t.at) AS day, count(*) AS n, max(t.secret) AS s, max(pg_sleep(0.6)::text) AS z
FROM trades t WHERE t.at >= :start AND t.at < :end GROUP BY 1
`,
  'datasets/broken.sql': `/*
time: day
*/
SELECT date_trunc('day', t.at) AS day, 1 / (t.id - 3) AS x FROM trades t WHERE t.at >= :start AND t.at < :end
`,
};
const RANGE = { from: '2024-01-01', to: '2024-01-11' };
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

let stack: Stack;
let deal: Typed;
let temporal: Client;
let connection: Connection;

before(async () => {
  stack = await startStack();
  const ops = await stack.connect('ops_deal');
  await ops.query(`CREATE TABLE trades (id bigint PRIMARY KEY, at timestamptz NOT NULL, secret text);
    INSERT INTO trades SELECT i, '2024-01-01Z'::timestamptz + i * interval '12 hours', 'row-value-4711' FROM generate_series(0, 19) i;
    CREATE ROLE reader LOGIN SUPERUSER PASSWORD '${SECRET}'`);
  const url = new URL(await stack.url('ops_deal'));
  [url.username, url.password] = ['reader', SECRET];
  stack.env['OPS_URL'] = url.href;
  stack.project('deal', FILES);
  deal = typed(stack, 'deal');
  await stack.worker(`${stack.dir}/deal`);
  connection = await Connection.connect({ address: stack.dev.info().temporalAddress });
  temporal = new Client({ connection });
});
after(async () => {
  await connection.close();
  await stack.stop();
});

/** The key paths of a document as CONTRACT prints it: `datasets[].failures[].code`. */
function keysOf(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return value.slice(0, 1).flatMap((one) => keysOf(one, `${path}[]`));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [`${path}.${key}`, ...keysOf(inner, `${path}.${key}`)]);
}

/** The JSON block that follows a heading of CONTRACT or, where it is not at hand, of its copy under `docs`. */
function printed(heading: string): string[] {
  const text = readFileSync(new URL(`./contract-${heading}.json`, import.meta.url), 'utf8');
  return keysOf(JSON.parse(text));
}

function assertKeys(document: unknown, heading: string, but: RegExp = /^$/): void {
  const have = new Set(keysOf(document));
  const missing = printed(heading).filter((key) => !have.has(key) && !but.test(key) && !/^\.request\./.test(key));
  assert.deepEqual(missing, [], `${heading}: keys of CONTRACT that are missing`);
}

test('plan --json has every key that CONTRACT prints, instants in UTC without fractions', async () => {
  const ran = await deal.run('plan trades slow_day --from 2024-01-01 --to 2024-01-11 --json');
  assertKeys(ran.json(), 'plan', /^\.(leavesStale|warnings)\[\]/);
  const plan = await deal.plan('trades --from 2024-01-01 --to 2024-01-11');
  assert.deepEqual(plan.request, { from: '2024-01-01', to: '2024-01-11', select: ['trades'] });
  for (const { from, to, intervals } of plan.datasets) {
    for (const instant of [from, to, ...intervals.flatMap(({ start, end }) => [start, end])])
      assert.match(instant, INSTANT);
  }
});

test('started by hand with plain JSON: ids, queues, types, search attributes, signals, updates, the status query', async () => {
  const id = 'backfill/deal/by-hand';
  const handle = await temporal.workflow.start('backfill', {
    workflowId: id,
    taskQueue: 'sluice',
    args: [
      {
        ...{ project: 'deal', ...RANGE, select: 'trades slow_day'.split(' '), maxParallel: 1 },
        ...{ requestedBy: 'ann', reason: 'late fills', ticket: 'OPS-12' },
      },
    ],
  });
  const status = async (): Promise<BackfillStatus> => BackfillStatus.parse(await handle.query('status'));
  await eventually('it runs', async () => (await status()).partitions.done > 10);
  assertKeys(await handle.query('status'), 'status', /failures\[\]|^\.waiting\./);
  const shown = await deal.run('status by-hand --json');
  assertKeys(shown.json(), 'status', /failures\[\]|^\.waiting\./);

  const child = await temporal.workflow.getHandle(`${id}/slow_day`).describe();
  assert.equal(child.type, 'dataset');
  const details = await temporal.workflow.getHandle(`${id}/slow_day`).query('__temporal_workflow_metadata');
  assert.match(JSON.stringify(details), /slow_day|trades/);
  const parent = JSON.stringify(await handle.query('__temporal_workflow_metadata'));
  assert.match(parent, /asked for by ann: trades slow_day 2024-.*Why: late fills \(OPS-12\)/);
  await eventually('a slice at work shows its interval', async () => {
    const { raw } = await temporal.workflow.getHandle(`${id}/slow_day`).describe();
    const payloads = (raw.pendingActivities ?? []).flatMap((one) => one.heartbeatDetails?.payloads ?? []);
    return payloads.some(({ data }) => /slow_day 2024-\S+Z … 2024-\S+Z/.test(Buffer.from(data ?? []).toString()));
  });
  const { events } = await temporal.workflow.getHandle(`${id}/slow_day`).fetchHistory();
  const queues = (events ?? []).flatMap(
    ({ activityTaskScheduledEventAttributes: scheduled }) => scheduled?.taskQueue?.name ?? [],
  );
  assert.deepEqual([...new Set(queues)].sort(), ['sluice.deal', 'sluice.deal.warehouse']);

  const paused = BackfillStatus.parse(await handle.executeUpdate('pause', { args: [{ reason: 'lunch' }] }));
  assert.deepEqual([paused.state, paused.reason], ['paused', 'lunch']);
  assert.equal(typeof paused.waiting?.for, 'string');
  const list = async (query: string): Promise<string[]> => {
    const found: string[] = [];
    for await (const { workflowId } of temporal.workflow.list({ query })) found.push(workflowId);
    return found.sort();
  };
  await eventually('found by state', async () =>
    (await list('SluiceProject="deal" AND SluiceState="paused" AND WorkflowType="backfill"')).includes(id),
  );
  assert.deepEqual(await list('SluiceDataset="slow_day"'), [`${id}/slow_day`]);
  await eventually('found by owner', async () =>
    (await list('SluiceOwner="desk" AND SluiceEnvironment="default"')).includes(`${id}/trades`),
  );
  await assert.rejects(handle.executeUpdate('pause', { args: [{}] }), /paused already|Update failed/);
  await assert.rejects(handle.executeUpdate('adjust', { args: [{ prioritty: 1 }] }));
  await handle.signal('adjust', { priority: 1 });
  await eventually('adjusted', async () => (await status()).priority === 1);
  await handle.signal('resume', {});
  await eventually('resumed', async () => (await status()).state === 'running');
  const result = BackfillStatus.parse(await handle.result());
  assert.deepEqual([result.id, result.state, result.partitions.done], ['by-hand', 'completed', 20]);
  await eventually('found when completed', async () =>
    (await list('SluiceState="completed" AND SluiceProject="deal"')).includes(id),
  );
});

test('a plan named by hand is carried out, a request that is wrong fails with its code, any other id works', async () => {
  const { fingerprint } = await deal.plan('trades --on 2024-01-20');
  const handle = await temporal.workflow.start('backfill', {
    workflowId: 'nightly',
    taskQueue: 'sluice',
    args: [{ project: 'deal', plan: fingerprint }],
  });
  const result = BackfillStatus.parse(await handle.result());
  assert.deepEqual([result.id, result.partitions.done], ['nightly', 1]);
  const shown = await deal.run('status nightly --json');
  assert.equal(shown.code, 0, `an id that is no backfill/<scope>/… is shown by itself: ${shown.out}`);
  const wrong = await temporal.workflow.start('backfill', {
    workflowId: 'wrong',
    taskQueue: 'sluice',
    args: [{ project: 'deal', formerly: 1 }],
  });
  await assert.rejects(wrong.result(), (error: Error) => /formerly/.test(String(error.cause)));
});

test('many that begin at once plan one after the other, none by starving another', async () => {
  const warehouse = await stack.connect('wh_deal');
  await warehouse.query(`SELECT pg_advisory_lock(hashtextextended('sluice reserve deal@default', 0))`);
  const handles = await Promise.all(
    Array.from({ length: 8 }, (_, i) =>
      temporal.workflow.start('backfill', {
        workflowId: `backfill/deal/at-once-${i}`,
        taskQueue: 'sluice',
        args: [{ project: 'deal', on: '2024-01-02', select: 'trades' }],
      }),
    ),
  );
  // A worker plans one at a time: the others do not take the store's few connections to wait with.
  await eventually('one waits for the lock', async () => {
    const { rows } = await warehouse.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`,
    );
    return rows[0]?.n === 1;
  });
  await warehouse.query('SELECT pg_advisory_unlock_all()');
  for (const handle of handles) {
    assert.equal(BackfillStatus.parse(await handle.result()).state, 'completed');
    const { events } = await handle.fetchHistory();
    const attempts = (events ?? []).flatMap(({ activityTaskStartedEventAttributes: started }) =>
      started ? [started.attempt] : [],
    );
    assert.deepEqual(
      attempts.filter((attempt) => attempt !== 1),
      [],
      'an activity was tried again',
    );
  }
});

test('a held backfill lists its failures under every key that CONTRACT prints; watch prints one document a line, list an array', async () => {
  const ran = await deal.run('backfill broken --from 2024-01-01 --to 2024-01-06 --id held --wait --json');
  assert.equal(ran.code, 3, ran.err);
  assertKeys(ran.json(), 'status');
  const held = BackfillStatus.parse(ran.json());
  assert.equal(held.state, 'held');
  const [failure] = held.datasets.flatMap(({ failures }) => failures);
  assert.match(failure?.start ?? '', INSTANT);
  const list = await deal.run('list --json');
  for (const one of list.json() as unknown[]) assertKeys(one, 'status', /failures\[\]|^\.waiting\.|^\.datasets\[\]\./);
  await stack.sluice(['cancel', '-p', 'deal', 'held']);
  const watch = await deal.run('watch held --json');
  const lines = watch.out.trim().split('\n');
  for (const line of lines) assertKeys(JSON.parse(line), 'status', /^\.waiting\.|failures\[\]/);
  assert.equal(BackfillStatus.parse(JSON.parse(lines.at(-1) ?? '')).state, 'cancelled');
  const { events } = await temporal.workflow.getHandle('backfill/deal/held').fetchHistory();
  const timers = (events ?? []).flatMap(({ timerStartedEventAttributes: timer }) =>
    timer ? [Number(timer.startToFireTimeout?.seconds)] : [],
  );
  assert.ok(timers.includes(24 * 3600), `held for 24 h: ${timers.join(', ')} s`);
});

test('the ledger has the columns and the key that CONTRACT prints, one row a partition, all of time for grain: none', async () => {
  const warehouse = await stack.connect('wh_deal');
  const columns = await warehouse.query<{ name: string; type: string }>(
    `SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
     WHERE attrelid = 'sluice.partitions'::regclass AND attnum > 0 AND NOT attisdropped`,
  );
  const have = new Map(columns.rows.map(({ name, type }) => [name, type]));
  const instant = 'timestamp with time zone';
  for (const [name, type] of [
    ...['project', 'environment', 'dataset', 'backfill_id', 'version'].map((text) => [text, 'text'] as const),
    ...['starts_at', 'ends_at', 'published_at'].map((time) => [time, instant] as const),
    ['rows', 'bigint'] as const,
  ])
    assert.equal(have.get(name), type, name);
  const { rows } = await warehouse.query<{ key: string }>(
    `SELECT pg_get_constraintdef(oid) AS key FROM pg_constraint WHERE conrelid = 'sluice.partitions'::regclass AND contype = 'p'`,
  );
  assert.deepEqual(rows, [{ key: 'PRIMARY KEY (project, environment, dataset, starts_at)' }]);
  stack.project('deal', { 'datasets/whole.sql': '/*\ngrain: none\n*/\nSELECT count(*) AS n FROM trades\n' });
  await deal.build('whole --local --id whole');
  const whole = await warehouse.query(
    `SELECT starts_at::text, ends_at::text, backfill_id, rows::int FROM sluice.partitions WHERE dataset = 'whole'`,
  );
  assert.deepEqual(whole.rows, [{ starts_at: '-infinity', ends_at: 'infinity', backfill_id: 'whole', rows: 1 }]);
});

test('an extract takes a turn on its source too: one slot there, whatever the warehouse has', async () => {
  const slow = (name: string): Record<string, string> => ({
    [`datasets/${name}.yaml`]: `extract:
  from: ops
  time: at
  query: |
    SELECT b.id, b.at, b.began, clock_timestamp() AS ended
    FROM (SELECT t.id, t.at, clock_timestamp() AS began, pg_sleep(0.5)::text AS z FROM trades t) b
    WHERE b.at >= :start AND b.at < :end AND b.z IS NOT NULL
`,
  });
  const yaml = projectYaml('turns').replaceAll('_turns', '_deal').replace('slots: 4', 'slots: 1');
  stack.project('turns', {
    'sluice.yaml': yaml.replace('analytics', 'turns'),
    ...slow('left_one'),
    ...slow('right_one'),
  });
  await stack.worker(`${stack.dir}/turns`);
  await typed(stack, 'turns').build('--on 2024-01-02');
  const warehouse = await stack.connect('wh_deal');
  const { rows } = await warehouse.query<{ spans: number; at_once: number }>(`
    WITH b AS (SELECT began, ended FROM turns.left_one UNION ALL SELECT began, ended FROM turns.right_one)
    SELECT count(*)::int AS spans, (SELECT count(*)::int FROM turns.left_one l JOIN turns.right_one r
      ON l.began < r.ended AND r.began < l.ended) AS at_once FROM b`);
  assert.deepEqual(rows, [{ spans: 4, at_once: 0 }]);
});

test('where the search attributes cannot be registered, memo fields of the same names say it', async () => {
  const namespace = 'memo-only';
  const KEYWORD_LIST = 7;
  await connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: msToTs('1 day') });
  // One is there, of another type: no worker can make it what it should be.
  await eventually('the namespace takes an attribute', () =>
    connection.operatorService
      .addSearchAttributes({ namespace, searchAttributes: Object.fromEntries([['SluiceOwner', KEYWORD_LIST]]) })
      .then(
        () => true,
        () => false,
      ),
  );
  const env = { TEMPORAL_NAMESPACE: namespace };
  stack.project('memo', {
    'sluice.yaml': projectYaml('memo').replaceAll('_memo', '_deal').replace('analytics', 'memo'),
    'datasets/trades.yaml': FILES['datasets/trades.yaml'],
  });
  await stack.worker(`${stack.dir}/memo`, [], env);
  await typed(stack, 'memo').build('--on 2024-01-02 --id noted', env);
  const client = new Client({ connection, namespace });
  const memoOf = async (id: string): Promise<unknown> => (await client.workflow.getHandle(id).describe()).memo;
  const scope = { SluiceProject: 'memo', SluiceEnvironment: 'default' };
  const { asked, ...told } = z
    .looseObject({ asked: z.object({ what: z.string() }) })
    .parse(await memoOf('backfill/memo/noted'));
  assert.equal(asked.what, 'the whole project 2024-01-02');
  assert.deepEqual(told, { ...scope, SluiceState: 'completed' });
  assert.deepEqual(await memoOf('backfill/memo/noted/trades'), {
    ...scope,
    SluiceDataset: 'trades',
    SluiceOwner: 'desk',
  });
});

test('no history holds SQL, rows, URLs or passwords', async () => {
  let events = 0;
  for await (const { workflowId, runId } of temporal.workflow.list()) {
    const { events: history } = await temporal.workflow.getHandle(workflowId, runId).fetchHistory();
    const text = JSON.stringify(history, (_, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value,
    );
    for (const word of [SECRET, 'SELECT', 'row-value-4711', 'postgres://', 'date_trunc'])
      assert.ok(!text.includes(word), `${workflowId} holds ${word}`);
    events += history?.length ?? 0;
  }
  assert.ok(events > 100);
});
