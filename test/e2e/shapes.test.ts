/** A dataset whose rows are told, keyed or shaped otherwise than before: what is stale is built again, and ends as from nothing. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { startStack, type Stack } from '../support/stack.js';
import { countsOf, datasetOf, projectYaml, typed, type Typed } from './planning-kit.js';

const RANGE = '--from 2024-01-01 --to 2024-01-04';
const extract = (table: string, more = 'key: [id]', time = 'at'): string =>
  `extract: { from: ops, table: public.${table}, time: ${time} }\n${more}\n`;
const DAILY = `/*
time: day
key: [day]
*/
SELECT date_trunc('day', r.at) AS day, count(*) AS n, sum(r.v) AS s FROM named r WHERE r.at >= :start AND r.at < :end GROUP BY 1
`;
const FILES = {
  'sluice.yaml': projectYaml('shapes'),
  'datasets/keyed.yaml': extract('keyed'),
  'datasets/keyless.yaml': extract('keyed'),
  'datasets/zoned.yaml': extract('zoned').replace('time: at', 'time: at, source_timezone: UTC'),
  'datasets/total.sql': `/*\ngrain: none\n*/\nSELECT count(*) AS n FROM zoned z\n`,
  'datasets/created.yaml': extract('twotimes', 'key: [id]', 'created'),
  'datasets/epochs.yaml': extract('epochs', 'key: [id]', '{ column: ms, unit: ms }'),
  'datasets/named.yaml': extract('named'),
  'datasets/daily.sql': DAILY,
  'datasets/renamed.yaml': extract('renamed'),
  'datasets/kept.yaml': extract('kept'),
  'datasets/twice.yaml': extract('twice'),
};

let stack: Stack;
let shapes: Typed;
let ops: pg.Client;
let warehouse: pg.Client;

before(async () => {
  stack = await startStack();
  ops = await stack.connect('ops_shapes');
  warehouse = await stack.connect('wh_shapes');
  const hours = `FROM generate_series(0, 24 * 5 - 1) i`;
  const plain = (table: string): string => `CREATE TABLE ${table} (id int, at timestamptz NOT NULL, v int NOT NULL);
    INSERT INTO ${table} SELECT i, timestamptz '2024-01-01Z' + i * interval '1 hour', 1 ${hours};`;
  await ops.query(`${['keyed', 'named', 'renamed', 'kept', 'twice'].map(plain).join('\n')}
    INSERT INTO twice VALUES (5, '2024-01-03 03:30Z', 9);
    CREATE TABLE zoned (id int, at timestamp NOT NULL, v int);
    INSERT INTO zoned SELECT i, timestamp '2024-01-01' + i * interval '1 hour', 1 ${hours};
    CREATE TABLE twotimes (id int, created timestamptz NOT NULL, updated timestamptz NOT NULL);
    INSERT INTO twotimes SELECT i, timestamptz '2024-01-01Z' + i * interval '1 hour', timestamptz '2024-01-01Z' + i * interval '90 minutes' ${hours};
    CREATE TABLE epochs (id int, ms bigint NOT NULL);
    INSERT INTO epochs SELECT i, extract(epoch FROM timestamptz '2024-01-01Z' + i * interval '1 hour') * 1000 ${hours}`);
  await stack.worker(stack.project('shapes', FILES));
  shapes = typed(stack, 'shapes');
  await shapes.build(`--exclude twice ${RANGE}`);
});
after(() => stack.stop());

async function one(sql: string, client = warehouse): Promise<unknown> {
  const { rows } = await client.query<Record<string, unknown>>(sql);
  return Object.values(rows[0] ?? {})[0];
}

const rowsIn = (table: string, where = 'true'): Promise<unknown> =>
  one(`SELECT count(*)::int AS n FROM analytics.${table} WHERE ${where}`);
const ledgerRows = (dataset: string): Promise<unknown> =>
  one(`SELECT sum(rows)::int AS n FROM sluice.partitions WHERE dataset = '${dataset}'`);
const uniqueOn = (table: string): Promise<unknown> =>
  one(
    `SELECT string_agg(substring(indexdef FROM '\\((.*)\\)'), ' ') AS t FROM pg_indexes WHERE tablename = '${table}' AND indexdef LIKE 'CREATE UNIQUE%'`,
  );

function change(file: string, from: string | RegExp, to: string): void {
  const path = `datasets/${file}` as keyof typeof FILES;
  stack.project('shapes', { [path]: FILES[path].replace(from, to) });
}

test('another key: its index takes the place of the one that sluice made; a key that is gone takes its index with it', async () => {
  await ops.query(`INSERT INTO keyed SELECT i, '2024-01-03 00:30Z', 2 FROM generate_series(0, 9) i`);
  change('keyed.yaml', '[id]', '[id, at]');
  change('keyless.yaml', 'key: [id]', '');
  await shapes.build(`keyed keyless ${RANGE} --rebuild stale --local`);
  assert.deepEqual([await rowsIn('keyed'), await uniqueOn('keyed')], [82, 'id, at']);
  assert.deepEqual([await rowsIn('keyless'), await uniqueOn('keyless')], [82, null]);
  // Back: the rows that are there share ids.
  change('keyed.yaml', '', '');
  assert.match(
    await shapes.refused(`plan keyed ${RANGE} --rebuild stale`),
    /share a key \(id\)\n.*table: analytics.keyed_2/,
  );
  change('keyed.yaml', '[id]', '[id, at]');
});

test('a corrected zone: rows of the old reading are in no partition, and go with the first rebuild', async () => {
  change('zoned.yaml', 'source_timezone: UTC', 'source_timezone: America/New_York');
  await shapes.build(`zoned ${RANGE} --rebuild stale --local`);
  assert.deepEqual([await rowsIn('zoned'), await ledgerRows('zoned')], [67, 67]);
  await shapes.build(`zoned --on 2024-01-04 --local`);
  assert.equal(await rowsIn('zoned'), 91);
  await shapes.build(`total --rebuild stale --local`);
  assert.equal(await one('SELECT n::int FROM analytics.total'), 91);
});

test('a corrected unit: rows that no partition has any more go, and come back with the right one', async () => {
  change('epochs.yaml', '{ column: ms, unit: ms }', '{ column: ms, unit: us }');
  assert.deepEqual(countsOf(await shapes.plan(`epochs ${RANGE} --rebuild stale`))['epochs'], [3, 0, 3, 0]);
  await shapes.build(`epochs --on 2024-01-02 --rebuild stale --local`);
  assert.equal(await rowsIn('epochs'), 48, 'that day has no row by this unit; its rows are in no partition');
  change('epochs.yaml', '', '');
  await shapes.build(`epochs ${RANGE} --rebuild stale --local`);
  assert.deepEqual([await rowsIn('epochs'), await ledgerRows('epochs')], [72, 72]);
});

test('another column tells the day: every row once, in every order of rebuilding', async () => {
  change('created.yaml', 'time: created', 'time: updated');
  const right = (day: string): Promise<unknown> =>
    one(`SELECT count(*)::int AS n FROM twotimes WHERE updated >= '2024-01-01Z' AND updated < '${day}Z'`, ops);
  await shapes.build(`created --on 2024-01-04 --local`);
  for (const day of ['2024-01-02', '2024-01-03', '2024-01-01'])
    await shapes.build(`created --on ${day} --rebuild stale --local`);
  assert.equal(await rowsIn('created'), await right('2024-01-05'));
  assert.equal(await ledgerRows('created'), await right('2024-01-05'));
});

test('a time column under another name is added, filled and left, and its key keeps an index', async () => {
  change('daily.sql', /time: day\nkey: \[day\]|AS day/g, '');
  stack.project('shapes', {
    'datasets/daily.sql': DAILY.replace('time: day\nkey: [day]', 'time: d\nkey: [d]').replace('AS day', 'AS d'),
  });
  const plan = await shapes.plan(`daily ${RANGE} --rebuild stale`);
  assert.deepEqual(
    plan.warnings.map(({ code }) => code),
    ['column_left'],
  );
  assert.doesNotMatch(JSON.stringify(plan), /DROP COLUMN/);
  await shapes.build(`daily --on 2024-01-02 --rebuild stale --local`);
  assert.deepEqual([await rowsIn('daily'), await one('SELECT sum(n)::int FROM analytics.daily')], [3, 72]);
  await shapes.build(`daily ${RANGE} --rebuild stale --local`);
  assert.deepEqual([await rowsIn('daily', 'd IS NOT NULL'), await rowsIn('daily')], [3, 3]);
  assert.equal(await uniqueOn('daily'), 'd');
  const after = await shapes.plan(`daily ${RANGE} --rebuild all`);
  assert.match(after.warnings.find(({ code }) => code === 'column_unused')?.message ?? '', /DROP COLUMN "day"$/);
});

test('a time column that somebody took away is refused, for no rebuild would find its rows', async () => {
  stack.project('shapes', {
    'datasets/daily.sql': DAILY.replace('time: day\nkey: [day]', 'time: dd\nkey: [dd]').replace('AS day', 'AS dd'),
  });
  await warehouse.query(
    'ALTER TABLE analytics.daily DROP COLUMN d; ALTER TABLE analytics.daily ADD COLUMN dd timestamptz',
  );
  assert.match(await shapes.refused(`plan daily ${RANGE} --rebuild stale`), /have no "dd"[^]*table: analytics.daily_2/);
});

test('a column under another name at the source: the printed RENAME keeps its values, and days without it are stale', async () => {
  await ops.query('ALTER TABLE renamed RENAME COLUMN v TO value');
  const said = await shapes.refused(`plan renamed ${RANGE} --rebuild all`);
  const [rename = ''] = /ALTER TABLE.*;/.exec(said) ?? [];
  assert.equal(rename, 'ALTER TABLE "analytics"."renamed" RENAME COLUMN "v" TO "value";', said);
  await warehouse.query(rename);
  await shapes.build('renamed --on 2024-01-02 --rebuild all --local');
  assert.equal(await rowsIn('renamed', 'value IS NOT NULL'), 72);
  const plan = await shapes.plan(`renamed ${RANGE} --rebuild stale`);
  assert.deepEqual(
    datasetOf(plan, 'renamed').intervals.map(({ why }) => why),
    ['stale: the source has more columns', 'stale: the source has more columns'],
  );
  assert.match((await shapes.run('why renamed 2024-01-01')).out, /Its source has columns that it lacks/);
  await shapes.build(`renamed ${RANGE} --rebuild stale --local`);
  assert.equal(countsOf(await shapes.plan(`renamed ${RANGE} --rebuild stale`))['renamed']?.[0], 0);
});

test('the same with on_schema_change: keep: the old column stays, the new one is filled', async () => {
  await ops.query('ALTER TABLE kept RENAME COLUMN v TO value');
  change('kept.yaml', 'key: [id]', 'key: [id]\non_schema_change: keep');
  await shapes.build('kept --on 2024-01-02 --rebuild all --local');
  assert.deepEqual([await rowsIn('kept', 'value IS NOT NULL'), await rowsIn('kept', 'v IS NOT NULL')], [24, 48]);
  await shapes.build(`kept ${RANGE} --rebuild stale --local`);
  assert.equal(await rowsIn('kept', 'value IS NOT NULL'), 72);
});

test('an index of the same name hides nothing: the new table has its own', async () => {
  await warehouse.query('ALTER TABLE analytics.keyless RENAME TO keyless_before');
  assert.equal((await shapes.run(`forget keyless ${RANGE}`)).code, 0);
  change('keyless.yaml', '[id]', '[id, at]');
  await shapes.build(`keyless ${RANGE} --local`);
  assert.equal(await uniqueOn('keyless'), 'id, at');
  assert.equal(await one(`SELECT count(*)::int FROM pg_index WHERE indrelid = 'analytics.keyless'::regclass`), 2);
});

test('a key that is in two partitions of its source is no key: said, and nothing goes round', async () => {
  const ran = await shapes.run(`backfill twice ${RANGE} --on-failure fail --local --wait --json`);
  assert.equal(ran.code, 3, ran.err);
  assert.match(ran.out, /"code": "duplicate_key"[^]*both have rows with one id/);
  assert.equal(await one('SELECT count(*) - count(DISTINCT id) FROM analytics.twice'), '0');
  assert.ok([48, 49].includes(Number(await rowsIn('twice'))), 'two days are there, whichever came first');
  assert.equal(
    countsOf(await shapes.plan(`twice ${RANGE} --rebuild stale`))['twice']?.[2],
    0,
    'no day took it from another',
  );
});
