import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { RequestRefusedError, type BackfillClient } from '../../src/client/index.js';
import { PlanDocument } from '../../src/contracts/plan.js';
import { clientOf, numberOf, projectYaml, reaches, sleeper } from '../support/backfills.js';
import { eventually } from '../support/eventually.js';
import { startStack, type Stack } from '../support/stack.js';
import { countsOf, datasetOf, typed, type Typed } from './planning-kit.js';

/** All of it is done by a worker whose clock is a day and an hour ahead: it decides nothing. */
const AHEAD = `const Real = Date, now = Real.now.bind(Real), shift = 25 * 3_600_000;
globalThis.Date = class extends Real {
  constructor(...parts) { if (parts.length === 0) super(now() + shift); else super(...parts); }
  static now() { return now() + shift; }
};
`;

let stack: Stack;
let warehouse: pg.Client;
let source: pg.Client;
let clocks: BackfillClient;
let type: Typed;
let worker: ChildProcess;

const lost = (name: string, time: string): Record<string, string> => ({
  [`datasets/${name}.yaml`]: `extract: { from: ops, table: public.${name}, time: ${time} }\n`,
});

const PROJECT = {
  'sluice.yaml': projectYaml('clocks', { budget: '{ slots: 1 }' }),
  'datasets/hourly.yaml': 'grain: hour\nextract: { from: ops, table: public.meter, time: at }\n',
  'datasets/rows.yaml': 'extract: { from: ops, table: public.meter, time: at }\n',
  'datasets/sums.sql':
    '/*\ntime: day\n*/\nSELECT min(:start) AS day, sum(v) AS s FROM rows WHERE at >= :start AND at < :end HAVING count(*) > 0\n',
  'datasets/nightly.sql':
    "/*\ntime: day\nreads: [public.divisor]\n*/\nSELECT d AS day, 1 / (SELECT n FROM public.divisor) AS n FROM generate_series(:start, :end - interval '1 day', interval '1 day') d\n",
  ...sleeper('slow', '0.2'),
  ...lost('stays', 'until'),
  ...lost('dates', 'until, source_timezone: UTC'),
  ...lost('floats', '{ column: until, unit: s }'),
  ...lost('numbers', '{ column: until, unit: ms }'),
  ...lost('nanos', '{ column: until, unit: ns }'),
};

before(async () => {
  stack = await startStack();
  [warehouse, source] = await Promise.all([stack.connect('warehouse'), stack.connect('ops')]);
  await source.query(`CREATE TABLE meter AS SELECT g AS id, '2024-01-01Z'::timestamptz + g * interval '1 hour' AS at, 1 AS v
      FROM generate_series(0, 30 * 24) g;
    CREATE TABLE stays AS SELECT * FROM (VALUES ('2024-01-01Z'::timestamptz), ('infinity'), ('-infinity'), (NULL), ('9999-12-31Z')) AS t(until);
    CREATE TABLE dates AS SELECT * FROM (VALUES ('2024-01-01'::date), ('infinity'), ('20000-01-01')) AS t(until);
    CREATE TABLE floats AS SELECT * FROM (VALUES (1704067200::float8), ('NaN'), ('Infinity'), (NULL)) AS t(until);
    CREATE TABLE numbers AS SELECT * FROM (VALUES (1704067200000::numeric), ('NaN'), (9e18), (-9e18)) AS t(until);
    CREATE TABLE nanos AS SELECT * FROM (VALUES (1704067200000000000), (9223372036854775807)) AS t(until)`);
  await warehouse.query('CREATE TABLE public.divisor AS SELECT 1 AS n');
  writeFileSync(join(stack.dir, 'ahead.cjs'), AHEAD);
  const folder = stack.project('clocks', PROJECT);
  worker = await stack.worker(folder, [], { NODE_OPTIONS: `--require ${join(stack.dir, 'ahead.cjs')}` });
  clocks = await clientOf(stack, 'clocks');
  type = typed(stack, folder);
});
after(async () => {
  await clocks.close();
  await stack.stop();
  assert.equal(worker.exitCode, null, 'the worker lived to the end');
});

test('a worker whose clock is ahead publishes nothing before its end', async () => {
  await type.build('hourly --last 3h');
  const sql = `SELECT count(*) AS n FROM sluice.partitions WHERE dataset = 'hourly'`;
  const hours = await numberOf(warehouse, sql);
  assert.ok(hours === 3 || hours === 4, `${hours} hours`);
  assert.equal(await numberOf(warehouse, `${sql} AND published_at < ends_at`), 0);
});

test('what was published before its end counts as missing, and `why` says so', async () => {
  await type.build('hourly --on 2024-01-02');
  await warehouse.query(
    `UPDATE sluice.partitions SET published_at = ends_at - interval '1 minute' WHERE dataset = 'hourly' AND starts_at = '2024-01-02 05:00Z'`,
  );
  assert.deepEqual(countsOf(await type.plan('hourly --on 2024-01-02')), { hourly: [1, 1, 0, 23] });
  const why = await type.run('why hourly 2024-01-02T05:30Z');
  assert.match(why.out, /missing/);
  assert.match(why.out.replace(/\s+/g, ' '), /before its end: what came after is not in it/);
  await type.build('hourly --on 2024-01-02');
  assert.deepEqual(countsOf(await type.plan('hourly --on 2024-01-02')), { hourly: [0, 0, 0, 24] });
});

test('a request is resolved once: planned again days later, --last means the same days, and no more', async () => {
  await warehouse.query('UPDATE public.divisor SET n = 0');
  const ran = await type.run('backfill nightly --last 3d --id nightly --wait');
  assert.equal(ran.code, 3, ran.out + ran.err);
  // As if it had been asked, and held, two days ago.
  await warehouse.query(`UPDATE sluice.backfills SET started_at = started_at - interval '2 days',
      asked = tstzrange(lower(asked) - interval '2 days', upper(asked) - interval '2 days') WHERE backfill_id = 'nightly'`);
  await warehouse.query('UPDATE public.divisor SET n = 1');
  await clocks.retry('nightly', { withCurrent: true });
  await reaches(clocks, 'nightly', 'completed');
  const { rows } = await warehouse.query<{ built: string; asked: string }>(
    `SELECT (SELECT string_agg(starts_at::text, ' ' ORDER BY starts_at) FROM sluice.partitions WHERE dataset = 'nightly') AS built,
       (SELECT string_agg((date_trunc('day', started_at, 'UTC') - n * interval '1 day')::text, ' ' ORDER BY n DESC)
        FROM sluice.backfills, generate_series(1, 3) n WHERE backfill_id = 'nightly') AS asked`,
  );
  assert.equal(rows[0]?.built, rows[0]?.asked);
});

test('times that no partition reaches are counted, of every type', async () => {
  const ran = await type.run('plan stays dates floats numbers nanos --on 2024-01-01 --json');
  assert.equal(ran.code, 0, ran.err + ran.out);
  const { warnings } = PlanDocument.parse(ran.json());
  const told = warnings.flatMap(({ dataset, code, rows }) =>
    rows === undefined ? [] : [`${dataset} ${code} ${rows}`],
  );
  assert.deepEqual(told.sort(), [
    'dates unreachable_event_time 2',
    'floats null_event_time 1',
    'floats unreachable_event_time 2',
    'nanos unreachable_event_time 1',
    'numbers unreachable_event_time 3',
    'stays null_event_time 1',
    'stays unreachable_event_time 2',
  ]);
});

test('a start of year 1 is refused where the request comes in, and the worker lives', async () => {
  const folder = stack.project('ancient', {
    'sluice.yaml': projectYaml('ancient').replace('grain: day, start: 2024-01-01', 'grain: 5m, start: 0001-01-01'),
    ...sleeper('slow', '0'),
  });
  const lives = await stack.worker(folder);
  const ancient = await clientOf(stack, 'ancient');
  const hour = { from: '2024-01-01T00:00Z', to: '2024-01-01T01:00Z' };
  const refused = (error: unknown): boolean =>
    error instanceof RequestRefusedError && /its start makes 2\d\d,\d{3},\d{3} partitions/.test(error.message);
  await assert.rejects(ancient.plan(hour), refused);
  await ancient.start(hour, { id: 'a' });
  await assert.rejects(ancient.result('a'), refused);
  await assert.rejects(ancient.plan(hour), refused);
  assert.equal(lives.exitCode, null);
  await ancient.close();
  for (const verb of ['validate', 'plan']) {
    const ran = await stack.sluice([verb, '-p', folder]);
    assert.equal(ran.code, 2, ran.out);
    assert.match(ran.err, /at the earliest start: 19\d\d-01-01/);
  }
});

/** What a restore from a dump of a server that has lived longer leaves: another identity, and ids that this one has not come to. */
async function moveHere(): Promise<void> {
  const later = (xid: string): string => `(${xid}::text::bigint + 1000000)::text`;
  await warehouse.query(`BEGIN; UPDATE sluice.server SET identity = 'another';
    UPDATE sluice.partitions SET first_xid = ${later('first_xid')}::xid8, changed_xid = ${later('changed_xid')}::xid8, xid = ${later('xid')}::xid8,
      snapshot = (${later('pg_snapshot_xmin(snapshot)')} || ':' || ${later('pg_snapshot_xmax(snapshot)')} || ':')::pg_snapshot; COMMIT`);
}

test('restored on another server, the ledger goes on: what is older is older, and what changes there is seen', async () => {
  const range = '--from 2024-01-01 --to 2024-01-04';
  await type.build(`rows sums ${range}`);
  await moveHere();
  assert.deepEqual(countsOf(await type.plan(`rows sums ${range} --rebuild stale`)), {
    rows: [0, 0, 0, 3],
    sums: [0, 0, 0, 3],
  });
  await source.query(`UPDATE meter SET v = 100 WHERE at = '2024-01-02 05:00Z'`);
  await type.build('rows --on 2024-01-02 --rebuild all');
  assert.equal(datasetOf(await type.plan(`sums ${range} --rebuild stale`), 'sums').stale, 1);
  await type.build(`sums ${range} --rebuild stale`);
  assert.equal(await numberOf(warehouse, `SELECT s AS n FROM clocks.sums WHERE day = '2024-01-02Z'`), 123);
  assert.equal(datasetOf(await type.plan(`sums ${range} --rebuild stale`), 'sums').stale, 0);
  assert.equal(await numberOf(warehouse, `SELECT count(*) AS n FROM sluice.journal WHERE action = 'server'`), 1);
  // A transaction under way is under way by its logical id, too.
  const other = await stack.connect('warehouse');
  await other.query('BEGIN');
  const { rows } = await other.query<{ xid: string }>('SELECT sluice.current_xid()::text AS xid');
  const { rows: seen } = await warehouse.query<{ base: boolean; under_way: boolean; done: boolean }>(
    `SELECT base > 1000000 AS base, NOT pg_visible_in_snapshot($1::xid8, sluice.current_snapshot()) AS under_way,
       pg_visible_in_snapshot((SELECT max(xid::text::bigint)::text::xid8 FROM sluice.partitions), sluice.current_snapshot()) AS done FROM sluice.server`,
    [rows[0]?.xid],
  );
  await other.query('ROLLBACK');
  assert.deepEqual(seen, [{ base: true, under_way: true, done: true }]);
});

test('a backfill whose warehouse is moved under it publishes nothing more until it is planned again', async () => {
  await clocks.start({ select: ['slow'], from: '2024-01-01', to: '2024-02-01' }, { id: 'moved' });
  const published = `SELECT count(*) AS n FROM sluice.partitions WHERE dataset = 'slow'`;
  await eventually('it has begun', async () => (await numberOf(warehouse, published)) > 1);
  await moveHere();
  const held = await reaches(clocks, 'moved', 'held');
  const [slow] = held.datasets;
  assert.match(JSON.stringify([slow?.failures, slow]), /server_moved|moved to another server/);
  assert.ok((await numberOf(warehouse, published)) < 31);
  await clocks.retry('moved', { withCurrent: true });
  await reaches(clocks, 'moved', 'completed');
  assert.equal(await numberOf(warehouse, published), 31);
  assert.equal(await numberOf(warehouse, 'SELECT count(*) AS n FROM clocks.slow'), 31);
});
