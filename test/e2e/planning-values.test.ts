import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { startStack, type Stack } from '../support/stack.js';
import { datasetOf, projectYaml, typed, type Typed } from './planning-kit.js';

const extract = (table: string): string => `extract: { from: ops, table: "${table}", time: at }\nkey: [id]\n`;
const FILES = {
  'sluice.yaml': projectYaml('vals'),
  'datasets/plain.yaml': extract('public.plain'),
  'datasets/rich.yaml': extract('public.rich'),
  'datasets/undated.yaml': `extract: { from: ops, table: '"Odd Schema"."Tabelle: ü"' }\ngrain: none\nrefresh: always\n`,
  'datasets/through_view.sql': `/*
time: at
reads: [public.factors]
*/
SELECT p.at, p.id * f.factor AS scaled FROM plain p CROSS JOIN public.factors f WHERE p.at >= :start AND p.at < :end
`,
  'datasets/enums.sql': `/*
time: at
reads: [public.moods]
*/
SELECT p.at, m.mood, m.short, ARRAY[m.mood] AS moods FROM plain p CROSS JOIN public.moods m WHERE p.at >= :start AND p.at < :end
`,
};
const RANGE = '--from 2024-01-01 --to 2024-01-03';

let stack: Stack;
let vals: Typed;
let ops: pg.Client;
let warehouse: pg.Client;

before(async () => {
  stack = await startStack();
  ops = await stack.connect('ops_vals');
  warehouse = await stack.connect('wh_vals');
  // A source whose own way of writing values is not the warehouse's.
  await ops.query(`ALTER DATABASE ops_vals SET DateStyle = 'SQL, DMY'; ALTER DATABASE ops_vals SET IntervalStyle = 'sql_standard';
    ALTER DATABASE ops_vals SET TimeZone = 'Asia/Kathmandu'; ALTER DATABASE ops_vals SET extra_float_digits = -3;
    ALTER DATABASE ops_vals SET bytea_output = 'escape'`);
  await ops.query(
    `CREATE TABLE plain (id bigint PRIMARY KEY, at timestamptz, i2 smallint, i4 int, r real, d double precision, n numeric, n2 numeric(10,3),
      b boolean, t text, v varchar(10), c char(4), da date, ts timestamp, ts3 timestamp(3), ti time, u uuid, by bytea);
    INSERT INTO plain VALUES
      (1, '2024-01-01Z', -32768, 2147483647, 'NaN', 'Infinity', 'NaN', 1.500, true, '', 'ä', 'ab', '-infinity', 'infinity', '2024-01-01 00:00:00.1239', '24:00', gen_random_uuid(), '\\x00ff5c27'),
      (2, '2024-01-02 23:59:59.999999Z', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
      (3, '2024-01-02Z', 0, 0, 0.1, 0.1, 'Infinity', -0.001, false, E'tab\\tnew\\nline\\\\N \\\\. 🦆 é', E'\\\\N', '', '0044-03-15 BC', '2024-02-30'::text::date - 1, NULL, '00:00', NULL, '')`.replace(
      `'2024-02-30'::text::date - 1`,
      `'2024-02-29 12:00:00.000001'`,
    ),
  );
  await ops.query(`CREATE TYPE mood AS ENUM ('happy', 'sad ☹'); CREATE DOMAIN short AS varchar(5) CHECK (length(VALUE) < 6);
    CREATE TYPE pair AS (a int, b text);
    CREATE TABLE rich (id int PRIMARY KEY, at timestamptz, j jsonb, js json, a int[], ta text[], m mood, ms mood[], s short, p pair, iv interval, tz timetz,
      ip inet, ci cidr, mac macaddr, pt point, rg int4range, tr tstzrange, bi bit(3), vb varbit, x xml, ts tsvector, mo money, ch "char", na name, g int GENERATED ALWAYS AS (id * 2) STORED);
    INSERT INTO rich VALUES
      (1, '2024-01-01Z', '{"a": [1, null, "ü\\n"], "n": 1.0}', '{"b":  2}', '{1,NULL,3}', ARRAY['', NULL, 'a,b', 'q"'], 'sad ☹', '{happy,"sad ☹"}', 'kurz', '(1,"x,y")',
       '1 year 2 mons -3 days 04:05:06.7', '12:00+05:45', '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03', '(1.1,2.2)', '[1,5)', '[2024-01-01 00:00Z,infinity)',
       B'101', B'1', '<a>ü</a>', 'a:1 b:2', 12.34, 'c', 'n'),
      (2, '2024-01-02Z', 'null', 'null', '{}', '{}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'empty', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    CREATE SCHEMA "Odd Schema"; CREATE TABLE "Odd Schema"."Tabelle: ü" ("Größe "" x" int, "select" text); INSERT INTO "Odd Schema"."Tabelle: ü" VALUES (1, 'a'), (NULL, NULL)`);
  await warehouse.query(`CREATE VIEW factors AS SELECT 2 AS factor; CREATE TYPE mood AS ENUM ('happy'); CREATE DOMAIN short AS varchar(5);
    CREATE VIEW moods AS SELECT 'happy'::mood AS mood, 'kurz'::short AS short`);
  stack.project('vals', FILES);
  vals = typed(stack, 'vals');
  await stack.worker(`${stack.dir}/vals`);
});
after(() => stack.stop());

async function typesOf(table: string): Promise<Record<string, string>> {
  const { rows } = await warehouse.query<{ name: string; type: string }>(
    `SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 ORDER BY attnum`,
    [table],
  );
  return Object.fromEntries(rows.map(({ name, type }) => [name, type]));
}

/** Every value as text, by sessions of one style: what is compared is what PostgreSQL says of it, not what a driver reads. */
async function valuesOf(client: pg.Client, table: string): Promise<unknown[]> {
  await client.query(
    `SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; SET extra_float_digits = 1; SET bytea_output = 'hex'`,
  );
  const { rows } = await client.query<{ names: string[] }>(
    `SELECT array_agg(attname::text ORDER BY attnum) AS names FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0`,
    [table],
  );
  const list = (rows[0]?.names ?? []).map((name) => `"${name.replaceAll('"', '""')}"::text`).join(', ');
  const { rows: found } = await client.query<unknown[]>({
    text: `SELECT ${list} FROM ${table} ORDER BY 1`,
    rowMode: 'array',
  });
  return found;
}

test('every common type is copied value for value, in binary', async () => {
  await vals.build(`plain ${RANGE}`);
  assert.deepEqual(await valuesOf(warehouse, 'analytics.plain'), await valuesOf(ops, 'public.plain'));
  const { n2, v, c, ts3 } = await typesOf('analytics.plain');
  assert.deepEqual(
    [n2, v, c, ts3],
    ['numeric(10,3)', 'character varying(10)', 'character(4)', 'timestamp(3) without time zone'],
  );
});

test('every other type is copied value for value, as text; what the warehouse lacks becomes text or its base type', async () => {
  await vals.build(`rich ${RANGE}`);
  const { m, ms, s, p, j, g } = await typesOf('analytics.rich');
  assert.deepEqual([m, ms, s, p, j, g], ['text', 'text[]', 'character varying(5)', 'text', 'jsonb', 'integer']);
  assert.deepEqual(await valuesOf(warehouse, 'analytics.rich'), await valuesOf(ops, 'public.rich'));
});

test('grain: none copies a table of odd names whole, again whenever it is asked with refresh: always', async () => {
  await vals.build('undated');
  await ops.query(`UPDATE "Odd Schema"."Tabelle: ü" SET "select" = 'b' WHERE "select" = 'a'`);
  const again = await vals.plan('undated');
  assert.deepEqual(
    [datasetOf(again, 'undated').build, datasetOf(again, 'undated').from, datasetOf(again, 'undated').to],
    [1, '-infinity', 'infinity'],
  );
  await vals.build('undated');
  assert.deepEqual(await valuesOf(warehouse, 'analytics.undated'), await valuesOf(ops, '"Odd Schema"."Tabelle: ü"'));
});

test('a transform reads views outside the project, and yields what tables can keep', async () => {
  await vals.build(`through_view enums ${RANGE}`);
  const { rows } = await warehouse.query(
    `SELECT array_agg(scaled::text ORDER BY at) AS scaled FROM analytics.through_view`,
  );
  assert.deepEqual(rows, [{ scaled: ['2', '6', '4'] }]);
  const { mood, short, moods } = await typesOf('analytics.enums');
  assert.deepEqual([mood, short, moods], ['text', 'character varying(5)', 'text[]']);
});
