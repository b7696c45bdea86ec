import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import type pg from 'pg';
import { createPool } from '../../src/postgres/pool.js';
import { rowsLeftOf, writeLedger } from '../../src/warehouse/postgres/ledger.js';
import { BEGIN, type Published } from '../../src/warehouse/postgres/publish.js';
import { startStack, type Stack } from '../support/stack.js';
import { countsOf, projectYaml, typed, whysOf, type Typed } from './planning-kit.js';

const FILES = {
  'sluice.yaml': projectYaml('time', 'defaults: { grain: day, start: 2024-01-01 }'),
  'datasets/raw.yaml': 'extract: { from: ops, table: public.raw, time: at }\nkey: [id]\n',
  // A running total: each day adds to the day before. Fails where the day's sum is negative.
  'datasets/total.sql': `/*
time: day
key: [day]
columns: { day: timestamptz, total: bigint }
*/
SELECT :start AS day, sum(v)::bigint / (min(v) >= 0)::int
  + coalesce((SELECT s.total FROM total s WHERE s.day = :start - interval '1 day' AND s.day < :end), 0) AS total
FROM raw WHERE at >= :start AND at < :end
`,
  'datasets/seen.sql': `/*
time: day
key: [day]
needs: { raw: { window: all } }
*/
SELECT :start AS day, count(*)::int AS n FROM raw WHERE at < :end AND :start < :end
`,
  'datasets/once.sql': '/*\ngrain: none\n*/\nSELECT count(*)::int AS n FROM raw WHERE at < :end AND :start < :end\n',
  'datasets/aged.yaml': 'extract: { from: ops, table: public.raw }\ngrain: none\nrefresh: 6h\n',
  'datasets/moving.yaml': moving('month'),
  'datasets/moved.sql': `/*
time: day
key: [day]
*/
SELECT date_trunc('day', at) AS day, sum(v)::int AS n FROM moving WHERE at >= :start AND at < :end GROUP BY 1
`,
  ...timed('five', '5m', '{ column: s, unit: s }'),
  ...timed('quarters', '15m', '{ column: ms, unit: ms }'),
  ...timed('hours', 'hour', '{ column: ns, unit: ns }', 'timezone: Asia/Kolkata'),
  ...timed('dates', 'day', 'd', 'timezone: America/New_York', 'source_timezone: America/New_York'),
  ...timed('walls', 'hour', 'wall', 'timezone: America/New_York', 'source_timezone: America/New_York'),
  ...timed('week', 'week', '{ column: s, unit: s }'),
  ...timed('month', 'month', '{ column: us, unit: us }'),
  'datasets/quarter.sql': summed('quarter', 'month'),
  'datasets/year.sql': summed('year', 'quarter'),
  'datasets/late.yaml': 'extract: { from: ops, table: public.raw, time: at }\nready_after: 3d\n',
  'datasets/wall.sql': `/*
grain: hour
timezone: America/New_York
time: hour
*/
SELECT date_trunc('hour', at)::timestamp AS hour FROM raw WHERE at >= :start AND at < :end
`,
};

function timed(name: string, grain: string, time: string, more = '', zone = ''): Record<string, string> {
  const extract = `{ from: ops, table: public.ticks, time: ${time}${zone === '' ? '' : `, ${zone}`} }`;
  return { [`datasets/${name}.yaml`]: `extract: ${extract}\ngrain: ${grain}\nkey: [id]\n${more}\n` };
}

function moving(grain: string, more = ''): string {
  return `extract: { from: ops, table: public.raw, time: at }\ngrain: ${grain}\nkey: [id]\n${more}`;
}

/** Sums of what is by a finer grain, in the zone of New York: borders in UTC would put the first hours of a year into the one before. */
function summed(grain: string, of: string): string {
  const [time, sum] = of === 'month' ? ['to_timestamp(us / 1e6)', 'v'] : [of, 'n'];
  return `/*
grain: ${grain}
timezone: America/New_York
time: ${grain}
key: [${grain}]
*/
SELECT date_trunc('${grain}', ${time}) AS ${grain}, sum(${sum})::int AS n FROM ${of} WHERE ${time} >= :start AND ${time} < :end GROUP BY 1
`;
}

let stack: Stack;
let time: Typed;
let ops: pg.Client;
let warehouse: pg.Client;

before(async () => {
  stack = await startStack();
  ops = await stack.connect('ops_time');
  warehouse = await stack.connect('wh_time');
  // Ticks: every 7 minutes, less a nanosecond where there are any, through two days, in one of which the clocks of New York go back.
  await ops.query(`CREATE TABLE raw AS SELECT n::int AS id, timestamptz '2024-01-01Z' + (n - 1) * interval '1 day' AS at, n::int AS v FROM generate_series(1, 60) n;
    CREATE INDEX ON raw (at);
    CREATE TABLE ticks AS SELECT n AS id, n AS v, extract(epoch FROM at)::int AS s, (extract(epoch FROM at) * 1e3)::numeric AS ms,
        (extract(epoch FROM at) * 1e6)::bigint AS us, (extract(epoch FROM at) * 1e9)::bigint - 1 AS ns,
        (at AT TIME ZONE 'America/New_York') AS wall, (at AT TIME ZONE 'America/New_York')::date AS d
      FROM (SELECT n, timestamptz '2024-11-03 04:00Z' + n * interval '7 minutes' AS at FROM generate_series(0, 350) n) t`);
  stack.project('time', FILES);
  time = typed(stack, 'time');
  await stack.worker(`${stack.dir}/time`);
});
after(() => stack.stop());

const column = async (client: pg.Client, sql: string): Promise<unknown[]> =>
  (await client.query<unknown[]>({ text: sql, rowMode: 'array' })).rows.map(([value]) => value);
const totals = (): Promise<unknown[]> => column(warehouse, 'SELECT total::int FROM analytics.total ORDER BY day');
const sums = (values: readonly number[]): number[] =>
  values.map((_, i) => values.slice(0, i + 1).reduce((a, b) => a + b, 0));
const days = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
const JANUARY = '--from 2024-01-01 --to 2024-01-31';

test('what reads itself is built in order, whatever --order says; what reads all before, too; grain: none reads what there is', async () => {
  await time.build(`raw total seen once aged moving moved ${JANUARY} --order newest`);
  assert.deepEqual(await totals(), sums(days(30)));
  assert.deepEqual(await column(warehouse, 'SELECT n FROM analytics.seen ORDER BY day'), days(30));
  assert.deepEqual(await column(warehouse, 'SELECT n FROM analytics.once'), [30]);
  const [again, ahead] = await Promise.all([
    time.plan(`total seen once aged ${JANUARY}`),
    time.plan('raw total --on 2024-02-10'),
  ]);
  assert.deepEqual(countsOf(again), {
    aged: [0, 0, 0, 1],
    once: [0, 0, 0, 1],
    seen: [0, 0, 0, 30],
    total: [0, 0, 0, 30],
  });
  // Asked for a day far ahead, it needs all the days before.
  assert.deepEqual(whysOf(ahead, 'total'), ['2024-01-31/2024-02-10 needed by total', '2024-02-10/2024-02-11 missing']);
});

test('a changed partition makes those after it stale, and they are rebuilt with it', async () => {
  await ops.query('UPDATE raw SET v = 1000 WHERE id = 10');
  await time.build('raw --on 2024-01-10 --rebuild all');
  const plan = await time.plan(`total seen once ${JANUARY} --rebuild stale`);
  assert.deepEqual(whysOf(plan, 'total'), [
    '2024-01-10/2024-01-11 stale: inputs changed',
    '2024-01-11/2024-01-31 reads total from 2024-01-10',
  ]);
  assert.deepEqual(whysOf(plan, 'seen'), ['2024-01-10/2024-01-31 stale: inputs changed']);
  assert.deepEqual(whysOf(plan, 'once'), ['-infinity/infinity stale: inputs changed']);
  await time.build('total --on 2024-01-10 --rebuild stale');
  assert.deepEqual(await totals(), sums(days(30).map((day) => (day === 10 ? 1000 : day))));
});

test('a partition that fails blocks those after it, and a retry goes on from there', async () => {
  await ops.query('UPDATE raw SET v = -1 WHERE id = 41');
  const failed = await time.run('backfill raw total --from 2024-01-31 --to 2024-02-20 --on-failure fail --wait --json');
  assert.equal(failed.code, 3, failed.err);
  assert.match(
    JSON.stringify(failed.json()),
    /"name":"total","state":"failed","total":20,"done":10,"failed":1,"blocked":9/,
  );
  assert.equal((await totals()).length, 40);
  await ops.query('UPDATE raw SET v = 41 WHERE id = 41');
  await time.build('raw total --from 2024-02-10 --to 2024-02-20 --rebuild all');
  assert.deepEqual(await totals(), sums(days(50).map((day) => (day === 10 ? 1000 : day))));
});

test('refresh: missing again once an upstream has what it never read, or once it is older than it may be', async () => {
  await warehouse.query(
    `UPDATE sluice.partitions SET published_at = now() - interval '361 minutes' WHERE dataset = 'aged'`,
  );
  const [plan, once, aged] = await Promise.all([time.plan('once aged'), time.run('why once'), time.run('why aged')]);
  assert.deepEqual(countsOf(plan), { aged: [1, 1, 0, 0], once: [1, 1, 0, 0] });
  assert.deepEqual(whysOf(plan, 'once'), ['-infinity/infinity missing: has inputs that it never read']);
  assert.deepEqual(whysOf(plan, 'aged'), ['-infinity/infinity refresh: older than 6h']);
  assert.match(once.out, /never read\.\s+type sluice backfill once\n/);
  assert.match(aged.out, /longer ago than 6h[^]*type sluice backfill aged\n/);
  await time.build('once aged');
  assert.deepEqual(await column(warehouse, 'SELECT n FROM analytics.once'), [50]);
});

test('every grain, by epochs, dates and wall clocks, in zones: each row is in one partition, and counted there', async () => {
  const names = ['five', 'quarters', 'hours', 'dates', 'walls', 'week', 'month'];
  await time.build(`${names.join(' ')} quarter year --from 2024-11-03T04:00Z --to 2024-11-04T05:00Z`);
  const { rows } = await warehouse.query<{ dataset: string; partitions: number; rows: number; empty: number }>(
    `SELECT dataset, count(*)::int AS partitions, sum(rows)::int AS rows, count(*) FILTER (WHERE rows = 0)::int AS empty
     FROM sluice.partitions WHERE dataset = ANY ($1) GROUP BY 1 ORDER BY 1`,
    [[...names, 'quarter', 'year']],
  );
  assert.deepEqual(
    rows.map((row) => [row.dataset, row.partitions, row.rows, row.empty]),
    [
      ['dates', 1, 215, 0],
      ['five', 300, 215, 85],
      ['hours', 26, 219, 0],
      // A quarter of New York ends five hours into another month of UTC, which it needs too.
      ['month', 13, 351, 12],
      ['quarter', 4, 1, 3],
      ['quarters', 100, 215, 0],
      // The wall clock shows 01:00 twice: the rows of both hours are in the second.
      ['walls', 25, 215, 1],
      ['week', 2, 351, 0],
      ['year', 1, 1, 0],
    ],
  );
  assert.deepEqual(await column(warehouse, 'SELECT n FROM analytics.year'), [(350 * 351) / 2]);
});

test('an explicit range says what ready_after leaves out; a time without a zone is refused under a clock that shows an hour twice', async () => {
  const [day, now] = [86_400_000, Date.now()];
  const border = new Date(Math.floor((now - 3 * day) / day) * day).toISOString().slice(0, 10);
  const [plan, error] = await Promise.all([
    time.plan(`late --from ${border.slice(0, 4)}-01-01 --to 2100-01-01`),
    time.refused('plan raw wall --on 2024-01-05'),
  ]);
  assert.equal(plan.datasets[0]?.to, `${border}T00:00:00Z`);
  assert.match(JSON.stringify(plan.warnings), new RegExp(`what ends after ${border}T00:00:00Z is left out`));
  assert.match(error, /wall\.sql: time column "hour" is timestamp without time zone, which has no zone/);
  assert.match(error, /AT TIME ZONE 'America\/New_York'/);
});

/** What the ledger says of a dataset: its partitions with their rows; and the rows that its table has. */
async function movingIs(): Promise<{ rows: unknown; ledger: unknown[] }> {
  const shown = (name: string): string => `to_char(${name} AT TIME ZONE 'UTC', 'MM-DD HH24')`;
  const ledger = await column(
    warehouse,
    `SELECT ${shown('starts_at')} || ' … ' || ${shown('ends_at')} || ': ' || rows FROM sluice.partitions WHERE dataset = 'moving' ORDER BY starts_at`,
  );
  return { rows: (await column(warehouse, 'SELECT count(*)::int FROM analytics.moving'))[0], ledger };
}

test('a changed grain or zone: no row is lost, doubled, or taken for somebody else’s, whatever is built first', async () => {
  stack.project('time', { 'datasets/moving.yaml': moving('day') });
  await time.build('moving --on 2024-01-05 --local');
  assert.deepEqual(await movingIs(), {
    rows: 31,
    ledger: ['01-01 00 … 01-05 00: 4', '01-05 00 … 01-06 00: 1', '01-06 00 … 02-01 00: 26'],
  });
  const [plan, reader] = await Promise.all([
    time.plan('moving once aged --from 2024-01-01 --to 2024-02-01'),
    time.plan('moved --from 2024-01-01 --to 2024-01-10 --rebuild stale'),
  ]);
  // What was refreshed is up to date.
  assert.deepEqual(countsOf(plan), { moving: [30, 30, 0, 1], aged: [0, 0, 0, 1], once: [0, 0, 0, 1] });
  assert.deepEqual(whysOf(reader, 'moved'), ['2024-01-05/2024-01-06 stale: inputs changed']);
  stack.project('time', { 'datasets/moving.yaml': moving('week', 'timezone: America/New_York\n') });
  await time.build('moving --from 2024-01-10 --to 2024-01-17 --local');
  assert.deepEqual(await movingIs(), {
    rows: 31,
    ledger: [
      '01-01 00 … 01-05 00: 4',
      '01-05 00 … 01-06 00: 1',
      '01-06 00 … 01-08 05: 3',
      '01-08 05 … 01-15 05: 7',
      '01-15 05 … 01-22 05: 7',
      '01-22 05 … 02-01 00: 9',
    ],
  });
  // A week in the middle is nobody's: a month over it takes what is sluice's, and no row beside.
  assert.equal((await time.run('forget moving --on 2024-01-10')).code, 0);
  stack.project('time', { 'datasets/moving.yaml': moving('month') });
  const month = 'backfill moving --on 2024-01-10 --local --wait --on-failure fail --json';
  const refused = await time.run(month);
  assert.equal(refused.code, 3, refused.err);
  assert.match(refused.out, /"code": ?"foreign_rows".*7 rows of [^ ]+ were not written by sluice/s);
  assert.equal((await movingIs()).ledger.length, 5);
  assert.equal((await time.run(`${month} --overwrite`)).code, 0);
  assert.deepEqual(await movingIs(), { rows: 31, ledger: ['01-01 00 … 02-01 00: 31'] });
});

test('whatever is published over whatever, the ledger tiles what it tiled, with the rows that are there', async () => {
  await warehouse.query(
    `CREATE TABLE public.tiled AS SELECT '2024-01-01Z'::timestamptz + n * interval '1 hour' AS at FROM generate_series(0, 99) n`,
  );
  const pool = createPool(() => stack.url('wh_time'), 1);
  const client = await pool.acquire();
  const who = { project: 'tiles', environment: 'default', backfillId: 'b', epoch: 0, slice: 0, attempt: 0 };
  const rowsLeft = rowsLeftOf({
    target: { schema: 'public', name: 'tiled' },
    publish: 'replace',
    zone: 'UTC',
    time: { column: 'at', type: 'timestamp with time zone' },
    spec: { kind: 'transform', sql: '', usesStart: true, usesEnd: true },
  });
  const publish = async (borders: readonly string[]): Promise<void> => {
    const parts: Published[] = [];
    await client.query(BEGIN);
    for (const [i, end] of borders.slice(1).entries()) {
      const start = borders[i] ?? '';
      const counted = await client.query<{ n: string }>('SELECT count(*) AS n FROM tiled WHERE at >= $1 AND at < $2', [
        start,
        end,
      ]);
      parts.push({ start, end, digest: 'x', rows: Number(counted.rows[0]?.n) });
    }
    await writeLedger(client, who, { name: 'tiled', version: 'v' }, parts, null, rowsLeft);
    await client.query('COMMIT');
  };
  // Of `grain: none` first: what is left of that has an end in infinity.
  await publish(['-infinity', 'infinity']);
  const hour = (n: number): string => new Date(Date.UTC(2024, 0, 1) + n * 3_600_000).toISOString();
  for (const batch of fc.sample(fc.uniqueArray(fc.nat(99), { minLength: 2, maxLength: 6 }), { numRuns: 60, seed: 7 })) {
    await publish(batch.sort((a, b) => a - b).map(hour));
    const { rows } = await client.query(
      `SELECT bool_and(follows) AS tiled, sum(rows)::int AS rows, bool_and(n = rows) AS counted, max(ends_at)::text AS until FROM (
        SELECT rows, ends_at, starts_at = coalesce(lag(ends_at) OVER (ORDER BY starts_at), '-infinity') AS follows,
          (SELECT count(*) FROM tiled WHERE at >= starts_at AND at < ends_at) AS n
        FROM sluice.partitions WHERE project = 'tiles') x`,
    );
    assert.deepEqual(rows, [{ tiled: true, rows: 100, counted: true, until: 'infinity' }], batch.join());
  }
  client.release();
  await pool.close();
});
