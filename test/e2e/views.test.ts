import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { startStack, type Stack } from '../support/stack.js';
import { countsOf, datasetOf, projectYaml, typed, whysOf, type Typed } from './planning-kit.js';

const counts = (from: string, settings: string): string => `/*
time: day
key: [day]
${settings}
*/
SELECT d AS day, (SELECT count(*)::int FROM ${from} s WHERE s.at >= d - interval '1 day' AND s.at < d + interval '1 day' AND s.v > 0) AS n
FROM generate_series(:start, :end - interval '1 day', interval '1 day') d
`;
const FILES = {
  'sluice.yaml': projectYaml('views'),
  'datasets/raw.yaml': 'extract: { from: ops, table: public.raw, time: at }\nkey: [id]\n',
  'datasets/two_days.sql': counts('far.positive', 'reads: [far.positive]\nneeds: { raw: { lookback: 1d } }'),
  'datasets/seen.sql':
    '/*\ntime: at\nkey: [id]\nreads: [far.positive]\nneeds: { raw: { window: interval } }\n*/\nSELECT id, at FROM far.positive WHERE at >= :start AND at < :end\n',
  'datasets/unsaid.sql': counts('far.positive', 'reads: [far.positive]'),
  'datasets/frozen.sql': counts('public.frozen', 'reads: [public.frozen]'),
  'datasets/unread.sql': counts('public.plain', 'reads: [public.plain]\nneeds: { raw: { window: interval } }'),
};
const RANGE = '--from 2024-01-01 --to 2024-01-06';

let stack: Stack;
let views: Typed;
let ops: pg.Client;

before(async () => {
  stack = await startStack();
  ops = await stack.connect('ops_views');
  const warehouse = await stack.connect('wh_views');
  await ops.query(`CREATE TABLE raw AS SELECT n::int AS id, timestamptz '2024-01-01Z' + (n - 1) * interval '1 day' AS at, 1 AS v
    FROM generate_series(1, 30) n`);
  stack.project('views', FILES);
  views = typed(stack, 'views');
  await stack.worker(`${stack.dir}/views`);
  await views.build('raw --on 2024-01-01');
  await warehouse.query(`CREATE SCHEMA far; CREATE TABLE public.plain (at timestamptz, v int);
    CREATE VIEW public.all_raw AS SELECT * FROM analytics.raw;
    CREATE VIEW far.positive AS SELECT a.id, a.at, a.v FROM public.all_raw a LEFT JOIN public.plain p USING (at) WHERE a.v > 0;
    CREATE MATERIALIZED VIEW public.cold AS SELECT * FROM public.all_raw; CREATE VIEW public.frozen AS TABLE public.cold`);
});
after(() => stack.stop());

test('a view, and views below it in any schema, are followed to the datasets that they read', async () => {
  const [graph, refused, plan] = await Promise.all([
    views.run('graph seen two_days --json'),
    views.refused(`plan seen ${RANGE}`),
    views.plan(`+seen two_days ${RANGE}`),
  ]);
  assert.match(graph.out, /"name": "seen"[^]*"dataset": "raw",\s*"mapping": "same interval, as its author says"/);
  assert.match(graph.out, /"name": "two_days"[^]*"dataset": "raw",\s*"mapping": "lookback 1d, as its author says"/);
  assert.match(refused, /seen reads raw, which is not selected and lacks 2024-01-02/);
  assert.deepEqual(countsOf(plan), { raw: [4, 4, 0, 1], seen: [5, 5, 0, 0], two_days: [5, 5, 0, 0] });
  assert.deepEqual(datasetOf(plan, 'seen').needs, ['raw']);
});

test('what is read through a view is waited for, makes its readers stale, and is a cause of why', async () => {
  await views.build(`+seen two_days ${RANGE}`);
  await ops.query('UPDATE raw SET v = -1 WHERE id = 3');
  await views.build('raw --on 2024-01-03 --rebuild all');
  const [stale, why, rebuilt] = await Promise.all([
    views.plan(`seen two_days ${RANGE} --rebuild stale`),
    views.run('why seen 2024-01-03'),
    views.plan('raw --on 2024-01-03 --rebuild all'),
  ]);
  assert.deepEqual(whysOf(stale, 'seen'), ['2024-01-03/2024-01-04 stale: inputs changed']);
  assert.deepEqual(whysOf(stale, 'two_days'), ['2024-01-03/2024-01-05 stale: inputs changed']);
  assert.match(
    why.out,
    /Of\s[│ ]*what it read, raw 2024-01-03 changed since then[^]*└─ raw[^]*\n\nAdjacent partitions share a statement: /,
  );
  assert.deepEqual(rebuilt.leavesStale.map(({ dataset }) => dataset).sort(), ['seen', 'two_days']);
});

test('validate --connect refuses content that is as old as its last REFRESH, and needs for what no view reads', async () => {
  const [refused, checked] = await Promise.all([
    views.refused('plan frozen --on 2024-01-01'),
    views.run('validate --connect --json'),
  ]);
  assert.match(refused, /cold is a materialized view over dataset raw/);
  assert.equal(checked.code, 2);
  assert.match(checked.out, /"file": "datasets\/frozen\.sql"[^]*"code": "materialized_view"/);
  assert.match(checked.out, /"file": "datasets\/unread\.sql"[^]*"code": "needs_unread"/);
  assert.match(checked.out, /"file": "datasets\/unsaid\.sql"[^}]*"code": "reads_beyond"/);
});

test('which interval of a dataset a view reads is not seen, and must be said', async () => {
  const refused = await views.refused(`plan +unsaid ${RANGE}`);
  assert.match(refused, /unsaid\.sql: it is not understood which interval of raw it reads, through a view/);
  assert.match(refused, /needs: \{ raw: \{ window: all \} \}, or lookback: 7d, or window: interval/);
});

test('a circle that closes through a view is printed', async () => {
  rmSync(`${stack.dir}/views/datasets/raw.yaml`);
  // Not said under needs: the files alone close no circle.
  const seen = FILES['datasets/seen.sql'].replace('needs: { raw: { window: interval } }\n', '');
  stack.project('views', {
    'datasets/raw.sql': counts('seen', 'needs: { seen: { lookback: 1d } }'),
    'datasets/seen.sql': seen,
  });
  for (const name of ['two_days', 'unread', 'unsaid', 'frozen']) rmSync(`${stack.dir}/views/datasets/${name}.sql`);
  const [refused, checked] = await Promise.all([
    views.refused('plan raw --on 2024-01-01'),
    views.run('validate --connect'),
  ]);
  const circle =
    /circle: raw → seen → raw \(through far\.positive\)|circle: seen → raw \(through far\.positive\) → seen/;
  assert.match(refused, circle);
  assert.match(checked.err, circle);
});
