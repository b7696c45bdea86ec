import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
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
  'datasets/week.yaml':
    'extract: { from: ops, table: public.raw, time: { column: s, unit: s } }\ngrain: week\nkey: [id]\n',
  'datasets/month.yaml':
    'extract: { from: ops, table: public.raw, time: { column: us, unit: us } }\ngrain: month\nkey: [id]\n',
  'datasets/quarter.sql': summed('quarter', 'month'),
  'datasets/year.sql': summed('year', 'quarter'),
  'datasets/wall.sql': `/*
grain: hour
timezone: America/New_York
time: hour
*/
SELECT date_trunc('hour', at)::timestamp AS hour FROM raw WHERE at >= :start AND at < :end
`,
};

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
  await ops.query(`CREATE TABLE raw AS SELECT *, extract(epoch FROM at)::bigint AS s, (extract(epoch FROM at) * 1e6)::bigint AS us
    FROM (SELECT n::int AS id, timestamptz '2024-01-01Z' + (n - 1) * interval '1 day' AS at, n::int AS v FROM generate_series(1, 60) n) r;
    CREATE INDEX ON raw (at)`);
  stack.project('time', FILES);
  time = typed(stack, 'time');
  await stack.worker(`${stack.dir}/time`);
});
after(() => stack.stop());

const totals = async (): Promise<number[]> =>
  (await warehouse.query<{ total: number }>('SELECT total::int FROM analytics.total ORDER BY day')).rows.map(
    ({ total }) => total,
  );
const sums = (values: readonly number[]): number[] =>
  values.map((_, i) => values.slice(0, i + 1).reduce((a, b) => a + b, 0));
const days = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

test('a dataset that reads itself is built in order, whatever --order says, and is up to date afterwards', async () => {
  await time.build('raw total --from 2024-01-01 --to 2024-01-31 --order newest');
  assert.deepEqual(await totals(), sums(days(30)));
  assert.deepEqual(countsOf(await time.plan('total --from 2024-01-01 --to 2024-01-31')), { total: [0, 0, 0, 30] });
  // Asked for a day far ahead, it needs all the days before.
  const ahead = await time.plan('raw total --on 2024-02-10');
  assert.deepEqual(whysOf(ahead, 'total'), ['2024-01-31/2024-02-10 needed by total', '2024-02-10/2024-02-11 missing']);
});

test('a changed partition makes those after it stale, and they are rebuilt with it', async () => {
  await ops.query('UPDATE raw SET v = 1000 WHERE id = 10');
  await time.build('raw --on 2024-01-10 --rebuild all');
  assert.deepEqual(whysOf(await time.plan('total --from 2024-01-01 --to 2024-01-31 --rebuild stale'), 'total'), [
    '2024-01-10/2024-01-11 stale: inputs changed',
    '2024-01-11/2024-01-31 reads total from 2024-01-10',
  ]);
  await time.build('total --on 2024-01-10 --rebuild stale');
  assert.deepEqual(await totals(), sums(days(30).map((day) => (day === 10 ? 1000 : day))));
  assert.deepEqual(countsOf(await time.plan('total --from 2024-01-01 --to 2024-01-31')), { total: [0, 0, 0, 30] });
});

test('a partition that fails blocks those after it, and a retry goes on from there', async () => {
  await ops.query('UPDATE raw SET v = -1 WHERE id = 41');
  const failed = await time.run('backfill raw total --from 2024-01-31 --to 2024-02-20 --on-failure fail --wait --json');
  assert.equal(failed.code, 3, failed.err);
  const document = JSON.stringify(failed.json());
  assert.match(document, /"name":"total","state":"failed","total":20,"done":10,"failed":1,"blocked":9/);
  assert.equal((await totals()).length, 40);
  await ops.query('UPDATE raw SET v = 41 WHERE id = 41');
  await time.build('raw --on 2024-02-10 --rebuild all');
  await time.build('total --from 2024-01-31 --to 2024-02-20');
  assert.deepEqual(await totals(), sums(days(50).map((day) => (day === 10 ? 1000 : day))));
});

test('window: all reads everything before its end, and is stale when any of it changes', async () => {
  await time.build('seen --from 2024-01-01 --to 2024-02-20');
  const { rows } = await warehouse.query<{ n: number }>('SELECT n FROM analytics.seen ORDER BY day');
  assert.deepEqual(
    rows.map(({ n }) => n),
    days(50),
  );
  await ops.query('UPDATE raw SET v = 7 WHERE id = 45');
  await time.build('raw --on 2024-02-14 --rebuild all');
  assert.deepEqual(whysOf(await time.plan('seen --from 2024-01-01 --to 2024-02-20 --rebuild stale'), 'seen'), [
    '2024-02-14/2024-02-20 stale: inputs changed',
  ]);
});

test('weeks, months, quarters and years, by epochs and in a zone: each row is in one partition, and counted there', async () => {
  await time.build('week month quarter year --from 2024-01-01 --to 2025-01-01');
  const { rows: source } = await ops.query<{ v: number }>('SELECT sum(v)::int AS v FROM raw');
  const counted = async (sql: string): Promise<unknown[]> =>
    (await warehouse.query({ text: sql, rowMode: 'array' })).rows;
  for (const table of ['week', 'month']) {
    assert.deepEqual(await counted(`SELECT sum(v)::int FROM analytics.${table}`), [[source[0]?.v]], table);
  }
  // 2024-01-01Z is still 2023 in New York: before the start of both.
  const from2024 = (source[0]?.v ?? 0) - 1;
  assert.deepEqual(await counted('SELECT sum(n)::int FROM analytics.quarter'), [[from2024]]);
  assert.deepEqual(await counted('SELECT sum(n)::int FROM analytics.year'), [[from2024]]);
  assert.deepEqual(
    await counted(`SELECT dataset, count(*)::int, sum(rows)::int, min(starts_at AT TIME ZONE 'UTC')::text FROM sluice.partitions
      WHERE dataset IN ('week', 'month', 'quarter', 'year') GROUP BY 1 ORDER BY 1`),
    [
      // A quarter of New York ends five hours into another month of UTC, which it needs too.
      ['month', 13, 60, '2024-01-01 00:00:00'],
      ['quarter', 4, 1, '2024-01-01 05:00:00'],
      ['week', 53, 60, '2024-01-01 00:00:00'],
      ['year', 1, 1, '2024-01-01 05:00:00'],
    ],
  );
});

test('a time without a zone is refused where partitions follow a clock that shows an hour twice', async () => {
  const error = await time.refused('plan raw wall --on 2024-01-05');
  assert.match(error, /wall\.sql: time column "hour" is timestamp without time zone, which has no zone/);
  assert.match(error, /AT TIME ZONE 'America\/New_York'/);
});
