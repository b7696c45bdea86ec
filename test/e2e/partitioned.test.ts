/** Targets that PostgreSQL partitions: those that sluice makes, those that are there, and keys that no index can hold over them. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { BackfillStatus } from '../../src/contracts/status.js';
import { startStack, type Stack } from '../support/stack.js';
import { datasetOf, projectYaml, typed, type Typed } from './planning-kit.js';

const extract = (table: string, more: string): string =>
  `extract: { from: ops, table: public.${table}, time: at }\n${more}`;
const FILES = {
  'sluice.yaml': projectYaml('parts', 'timezone: America/New_York\ndefaults: { grain: day, start: 2024-01-30 }'),
  'datasets/items.yaml': extract('items', 'key: [id]\nstorage: partitioned\ngrants: [parts_reader]\n'),
  'datasets/per_month.sql': `/*
grain: month
start: 2023-12-01
time: month
key: [month]
storage: partitioned
*/
SELECT date_trunc('month', i.at)::date AS month, count(*) AS n FROM items i WHERE i.at >= :start AND i.at < :end GROUP BY 1
`,
  // Each day claims the one key, slowly: two backfills at a time do not see one another's.
  'datasets/claims.sql': `/*
time: at
key: [claim]
moves: follow
storage: partitioned
*/
SELECT 1 AS claim, :start AS at, pg_sleep(1)::text AS slept WHERE :start < :end
`,
  'datasets/mine.yaml': extract('items', 'key: [id, at]\n'),
  'datasets/regions.yaml': extract('items', 'key: [id]\npublish: merge\n'),
  'datasets/kept.yaml': extract('items', 'key: [id]\n'),
  'datasets/plain.yaml': extract('items', 'storage: partitioned\n'),
  'datasets/listed.yaml': extract('items', 'storage: partitioned\n'),
};
const RANGE = '--from 2024-01-30 --to 2024-02-03';

let stack: Stack;
let parts: Typed;
let ops: pg.Client;
let warehouse: pg.Client;
before(async () => {
  stack = await startStack();
  ops = await stack.connect('ops_parts');
  warehouse = await stack.connect('wh_parts');
  const columns = 'id int, at timestamptz, region text';
  await ops.query(`CREATE TABLE items (${columns}); CREATE INDEX ON items (at);
    INSERT INTO items SELECT i, '2024-01-30 05:00Z'::timestamptz + i * interval '6 hours', 'eu' FROM generate_series(0, 15) i`);
  await warehouse.query(`CREATE ROLE parts_reader; CREATE SCHEMA analytics;
    CREATE TABLE analytics.mine (${columns}) PARTITION BY RANGE (at);
    CREATE TABLE analytics.january PARTITION OF analytics.mine FOR VALUES FROM (MINVALUE) TO ('2024-02-01 05:00Z');
    CREATE UNIQUE INDEX ON analytics.mine (at, id);
    CREATE TABLE analytics.regions (${columns}) PARTITION BY LIST (region);
    CREATE TABLE analytics.eu PARTITION OF analytics.regions FOR VALUES IN ('eu', 'us');
    CREATE TABLE analytics.kept (${columns}) PARTITION BY HASH (id);
    CREATE TABLE analytics.kept_all PARTITION OF analytics.kept FOR VALUES WITH (MODULUS 1, REMAINDER 0);
    INSERT INTO analytics.kept VALUES (0, '2024-01-30 05:00Z', 'eu');
    CREATE TABLE analytics.plain (${columns}); CREATE TABLE analytics.listed (${columns}) PARTITION BY LIST (region)`);
  await stack.worker(stack.project('parts', FILES));
  parts = typed(stack, 'parts');
});
after(() => stack.stop());

async function lines(sql: string): Promise<string[]> {
  const { rows } = await warehouse.query<{ t: string }>(sql);
  return rows.map(({ t }) => t);
}

const piecesOf = (table: string): Promise<string[]> =>
  lines(`SELECT c.relname || ' ' || pg_get_expr(c.relpartbound, c.oid) AS t FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
    WHERE inhparent = 'analytics.${table}'::regclass ORDER BY 1`);

test('storage: partitioned makes the table and its partitions, months of the zone for days, years for months', async () => {
  await parts.build(`items per_month regions ${RANGE}`);
  assert.deepEqual(await piecesOf('items'), [
    "items_2024_01 FOR VALUES FROM ('2024-01-01 05:00:00+00') TO ('2024-02-01 05:00:00+00')",
    "items_2024_02 FOR VALUES FROM ('2024-02-01 05:00:00+00') TO ('2024-03-01 05:00:00+00')",
  ]);
  assert.deepEqual(
    await lines(`SELECT tableoid::regclass || ' ' || count(*) AS t FROM analytics.items GROUP BY tableoid ORDER BY 1`),
    ['analytics.items_2024_01 8', 'analytics.items_2024_02 8'],
  );
  assert.deepEqual(await piecesOf('per_month'), ["per_month_2024 FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')"]);
});

test('later partitions join, under a view and with the grants; a moved row follows across them', async () => {
  await warehouse.query(`CREATE VIEW analytics.on_items AS SELECT * FROM analytics.items`);
  await ops.query(`UPDATE items SET at = '2024-03-05 12:00Z' WHERE id = 1`);
  const plan = await parts.plan('items --on 2024-03-05');
  assert.match(
    datasetOf(plan, 'items').ddl.join('\n'),
    /^CREATE TABLE "analytics"."items_2024_03" \(LIKE .*\nALTER TABLE "analytics"."items" ATTACH PARTITION .*$/,
  );
  await parts.build('items --on 2024-03-05');
  assert.deepEqual((await piecesOf('items')).length, 3);
  assert.deepEqual(
    await lines(
      `SELECT tableoid::regclass || ' ' || count(*) || ' ' || count(DISTINCT id) AS t FROM analytics.items GROUP BY tableoid ORDER BY 1`,
    ),
    ['analytics.items_2024_01 7 7', 'analytics.items_2024_02 8 8', 'analytics.items_2024_03 1 1'],
  );
  assert.deepEqual(await lines(`SELECT has_table_privilege('parts_reader', 'analytics.items', 'SELECT')::text AS t`), [
    'true',
  ]);
  assert.deepEqual(await lines(`SELECT count(*)::text AS t FROM analytics.on_items`), ['16']);
});

test('a key that no index can hold is unique all the same, whatever runs at the same time', async () => {
  const days = ['2024-01-30', '2024-02-02'];
  const ran = await Promise.all(days.map((day) => parts.run(`backfill claims --on ${day} --on-failure fail --wait`)));
  assert.deepEqual(ran.map(({ code }) => code).sort(), [0, 3], 'one of them, and the other says so');
  assert.match(ran.map(({ out }) => out).join(''), /duplicate_key[^]*both have rows with one claim/);
  assert.deepEqual(await lines(`SELECT count(*)::text AS t FROM analytics.claims`), ['1']);
  assert.deepEqual(await lines(`SELECT sum(rows)::text AS t FROM sluice.partitions WHERE dataset = 'claims'`), ['1']);
});

test('a table that is there keeps its own partitions: what lacks is printed, and works as printed', async () => {
  const said = await parts.refused(`plan mine ${RANGE}`);
  assert.match(said, /no partition of table "analytics"."mine" holds 2024-02-01 … 2024-02-03/);
  const [statement = ''] = /CREATE TABLE .* PARTITION OF [^;]*;/.exec(said) ?? [];
  await warehouse.query(statement);
  await parts.build(`mine ${RANGE}`);
  assert.deepEqual(
    await lines(`SELECT tableoid::regclass || ' ' || count(*) AS t FROM analytics.mine GROUP BY tableoid ORDER BY 1`),
    ['analytics.january 7', 'analytics.mine_2024_02 8'],
  );
});

test('lists and hashes: merge upserts, what fits into no partition is named, rows are adopted', async () => {
  await ops.query(`UPDATE items SET region = 'us' WHERE id = 4; UPDATE items SET region = 'mars' WHERE id = 12;
    INSERT INTO items SELECT id, at + interval '1 s', region FROM items WHERE id = 8`);
  const ran = await parts.run(`backfill regions items ${RANGE} --rebuild all --on-failure fail --wait --json`);
  assert.equal(ran.code, 3);
  const { datasets } = BackfillStatus.parse(ran.json());
  const codes = datasets.map(({ name, failures }) => [name, ...failures.map(({ code }) => code).sort()].join(' '));
  assert.deepEqual(codes.sort(), ['items duplicate_key', 'regions duplicate_key missing_partition']);
  assert.match(ran.out, /CREATE TABLE … PARTITION OF analytics.regions/);
  assert.deepEqual(
    await lines(
      `SELECT region || ' ' || count(*) || ' ' || count(DISTINCT id) AS t FROM analytics.regions GROUP BY region ORDER BY region`,
    ),
    ['eu 15 15', 'us 1 1'],
  );
  const adopted = await parts.run(`adopt kept --on 2024-01-30`);
  assert.equal(adopted.code, 0, adopted.err);
  assert.match(adopted.out + adopted.err, /run: CREATE INDEX/);
});

test('storage: partitioned refuses a table that is there and is not cut by time', async () => {
  const said = await parts.refused('validate --connect');
  assert.match(said, /"analytics"."plain" is there and is not partitioned/);
  assert.match(said, /"analytics"."listed" is partitioned by LIST \(region\), not by ranges of at/);
});
