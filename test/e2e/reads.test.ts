/** SQL that reads beyond its interval is refused until `needs` says so, with the line to write; with that line, rows are right in any order. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { startStack, type Stack } from '../support/stack.js';
import { countsOf, projectYaml, typed, whysOf, type Typed } from './planning-kit.js';

const WEEK = `SELECT d AS day, sum(s.n)::int AS n
FROM generate_series(:start, :end - interval '1 day', interval '1 day') AS d
JOIN per_day AS s ON s.day > d - interval '7 days' AND s.day <= d
WHERE s.day >= :start - interval '6 days' AND s.day < :end GROUP BY 1`;
/** Each customer's week, counted from the first order ever. */
const COHORT = `WITH firsts AS (SELECT k, min(at) AS first FROM orders GROUP BY 1)
SELECT date_trunc('week', o.at) AS week, o.k, min(f.first) AS first, count(*)::int AS n
FROM orders o JOIN firsts f ON f.k = o.k WHERE o.at >= :start AND o.at < :end GROUP BY 1, 2`;

const transform = (sql: string, settings: string): string => `/*\n${settings}\n*/\n${sql}\n`;
const FILES = {
  'sluice.yaml': projectYaml('beyond'),
  'datasets/orders.yaml': 'extract: { from: ops, table: public.orders, time: at }\nkey: [id]\n',
  'datasets/per_day.sql': transform(
    `SELECT date_trunc('day', at) AS day, count(*)::int AS n FROM orders WHERE at >= :start AND at < :end GROUP BY 1`,
    'time: day\nkey: [day]',
  ),
  'datasets/week.sql': transform(WEEK, 'time: day\nkey: [day]'),
  'datasets/cohort.sql': transform(COHORT, 'grain: week\ntime: week\nkey: [week, k]'),
};
const RANGE = '--from 2024-01-01 --to 2024-01-29';

let stack: Stack;
let beyond: Typed;
let warehouse: pg.Client;

before(async () => {
  stack = await startStack();
  const ops = await stack.connect('ops_beyond');
  warehouse = await stack.connect('wh_beyond');
  await ops.query(`CREATE TABLE orders AS SELECT n::int AS id, n % 11 AS k, timestamptz '2024-01-01Z' + n * interval '3 hours' AS at
    FROM generate_series(0, 223) n`);
  stack.project('beyond', FILES);
  beyond = typed(stack, 'beyond');
});
after(() => stack.stop());

test('without a database: every place, and the line to write for each', async () => {
  const [validated, planned] = await Promise.all([beyond.run('validate'), beyond.refused(`plan ${RANGE}`)]);
  assert.equal(validated.code, 2);
  for (const said of [validated.err, planned]) {
    assert.match(said, /datasets\/week\.sql:7:6: it reads per_day up to 6d before its interval, and needs says less/);
    assert.match(said, /write needs: \{ per_day: \{ lookback: 6d \} \}/);
    assert.match(said, /datasets\/cohort\.sql:6:\d+: it reads all of orders: nothing limits its at/);
    assert.match(said, /write needs: \{ orders: \{ window: all \} \}/);
  }
});

test('with the printed lines, the newest first: every row is right, and a correction makes stale what reads it', async () => {
  const { err } = await beyond.run('validate');
  const line = (of: string): string => new RegExp(`needs: \\{ ${of}: \\{.*?\\} \\}`).exec(err)?.[0] ?? '';
  stack.project('beyond', {
    ...FILES,
    'datasets/week.sql': transform(WEEK, `time: day\nkey: [day]\n${line('per_day')}`),
    'datasets/cohort.sql': transform(COHORT, `grain: week\ntime: week\nkey: [week, k]\n${line('orders')}`),
  });
  await stack.worker(`${stack.dir}/beyond`);
  const graph = await beyond.run('graph');
  assert.match(graph.out, /per_day.*lookback 6d/);
  assert.match(graph.out, /orders.*all before its end/);
  await beyond.build(`${RANGE} --order newest`);
  const { rows } = await warehouse.query<{ week: number; cohort: number }>(`SELECT
    (SELECT count(*)::int FROM analytics.week w WHERE n <> (SELECT sum(n) FROM analytics.per_day d
      WHERE d.day > w.day - interval '7 days' AND d.day <= w.day)) AS week,
    (SELECT count(*)::int FROM analytics.cohort c WHERE first <> (SELECT min(at) FROM analytics.orders o WHERE o.k = c.k)) AS cohort`);
  assert.deepEqual(rows, [{ week: 0, cohort: 0 }]);
  const ops = await stack.connect('ops_beyond');
  await ops.query(`DELETE FROM orders WHERE at = '2024-01-10Z'`);
  await beyond.build('orders per_day --on 2024-01-10 --rebuild all');
  const stale = await beyond.plan(`week cohort ${RANGE} --rebuild stale`);
  assert.deepEqual(whysOf(stale, 'week'), ['2024-01-10/2024-01-17 stale: inputs changed']);
  assert.deepEqual(countsOf(stale)['cohort'], [3, 0, 3, 1]);
});
