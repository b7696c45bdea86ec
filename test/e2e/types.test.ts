/** Every type arrives value for value: what moves in binary, what moves as text, what becomes its base type or text. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { quoteIdent, quoteLiteral } from '../../src/postgres/quote.js';
import { movesInBinary } from '../../src/source/postgres/describe.js';
import { startStack, type Stack } from '../support/stack.js';
import { typed } from './planning-kit.js';
import { CATALOG, MATRIX, SINCE } from './types-matrix.js';

/** Source and warehouse are one database, so that one query compares both; the source's sessions write all they can differently. */
const ODD = [
  'DateStyle=SQL,DMY',
  'IntervalStyle=sql_standard',
  'extra_float_digits=-15',
  'bytea_output=escape',
  'TimeZone=Asia/Kathmandu',
  'search_path=src',
]
  .map((setting) => `-c ${setting}`)
  .join(' ');

const extract = (table: string): string => `extract: { from: ops, table: src.${table} }\ngrain: none\n`;
const FILES = {
  'datasets/bin.yaml': extract('bin'),
  'datasets/txt.yaml': extract('txt'),
  'datasets/own.yaml': extract('own'),
  'datasets/big.yaml': `extract: { from: ops, table: src.big, time: at }\nkey: [id]\n`,
  'datasets/big_text.yaml': extract('big_text'),
  'datasets/own_again.sql': `/*
grain: none
reads: [src.own]
*/
SELECT o.* FROM src.own o
`,
};

let stack: Stack;
let db: pg.Client;
/** Types of the matrix that this server can hold, with the values that it can: xml needs a build with libxml. */
let held: Map<string, readonly string[]>;
let major: number;

before(async () => {
  stack = await startStack();
  db = await stack.connect('types');
  const { rows } = await db.query<{ n: number }>(`SELECT current_setting('server_version_num')::int / 10000 AS n`);
  major = rows[0]?.n ?? 0;
  // What the warehouse's sessions would read differently; this one has begun before.
  await db.query(`ALTER DATABASE types SET array_nulls = off; ALTER DATABASE types SET xmloption = document`);
  await db.query(`CREATE SCHEMA src; CREATE ROLE types_role`);
  held = new Map();
  for (const [type, all] of Object.entries(MATRIX)) {
    const values = all.filter((value) => isThere(type, value));
    if (values.length > 0 && (await canHold(type, values))) held.set(type, values);
  }
  const types = [...held.keys()];
  await makeTable('bin', types.filter(movesInBinary));
  await makeTable(
    'txt',
    types.filter((type) => !movesInBinary(type)),
    true,
  );
  await makeOwn();
  const url = `${await stack.url('types')}?options=${encodeURIComponent(ODD)}`;
  const folder = stack.project('types', {
    'sluice.yaml': `project: types
connections:
  ops: { type: postgres, url: ${JSON.stringify(url)} }
  warehouse: { type: postgres, url: "embedded:types" }
warehouse: warehouse
schema: analytics
defaults: { grain: day, start: 2024-01-01 }
`,
    ...FILES,
  });
  await stack.worker(folder);
  await makeBig();
  await typed(stack, 'types').build('--to 2024-01-02');
});
after(() => stack.stop());

/** Whether a type, and a value of it, were there already in this server's major. */
function isThere(type: string, value = ''): boolean {
  return !SINCE.some(([since, of, held]) => major < since && of.test(type) && (held === undefined || held.test(value)));
}

async function canHold(type: string, values: readonly string[]): Promise<boolean> {
  try {
    await db.query(`SELECT ${values.map((value) => `${quoteLiteral(value)}::${type}`).join(', ')}`);
    return true;
  } catch (error) {
    if (type === 'xml') return false;
    throw new Error(`${type}: ${String(error)}`);
  }
}

/** A table with a column of each type, and with `arrays` one of each array; its rows hold their values, and NULLs where one has fewer. */
async function makeTable(name: string, names: readonly string[], arrays = false): Promise<void> {
  const columns = new Map<string, { type: string; values: string[] }>();
  for (const type of names) {
    const values = (held.get(type) ?? []).map((value) => `${quoteLiteral(value)}::${type}`);
    columns.set(type, { type, values });
  }
  if (arrays) {
    for (const [type, those] of held) {
      const values = those.map((value) => `${quoteLiteral(value)}::${type}`);
      const [first = 'NULL'] = values;
      const items = values.join(', ');
      columns.set(`${type}[]`, {
        type: `${type}[]`,
        values: [
          `ARRAY[${items}]::${type}[]`,
          `'{}'::${type}[]`,
          `ARRAY[NULL, ${first}]::${type}[]`,
          `ARRAY[[${items}], [${items}]]::${type}[]`,
          `array_fill(${first}, ARRAY[2, 1, 2], ARRAY[-1, 5, 0])`,
        ],
      });
    }
  }
  const all = [...columns.entries()];
  const list = all.map(([column, { type }]) => `${quoteIdent(column)} ${type}`).join(', ');
  await db.query(`CREATE TABLE src.${name} (id int, ${list})`);
  const rows = Math.max(...all.map(([, { values }]) => values.length)) + 1;
  for (let i = 0; i < rows; i++)
    await db.query(
      `INSERT INTO src.${name} VALUES (${[String(i), ...all.map(([, { values }]) => values[i] ?? 'NULL')].join(', ')})`,
    );
}

/** Types of somebody's own, and what a catalog means by its numbers. */
/** Columns of what belongs to one catalog: the type and its expression; the statistics have no array. */
const ofCatalog = (): { type: string; value: string }[] =>
  Object.entries(CATALOG)
    .filter(([type]) => isThere(type))
    .flatMap(([type, value]) => [
      { type, value: value ?? 'NULL' },
      ...(type.startsWith('pg_')
        ? []
        : [{ type: `${type}[]`, value: value === null ? 'NULL' : `ARRAY[${value}, NULL]` }]),
    ]);

async function makeOwn(): Promise<void> {
  await db.query(`
    CREATE TYPE src.mood AS ENUM ('fine', 'so "so"', '');
    CREATE TYPE src.pair AS (n int, "two words" text, at timestamptz);
    CREATE DOMAIN src.posint AS int CHECK (VALUE > 0);
    CREATE DOMAIN src.small AS src.posint CHECK (VALUE < 100);
    CREATE DOMAIN src.amounts AS numeric(10,2)[];
    CREATE DOMAIN src.feeling AS src.mood;
    CREATE TYPE src.floats AS RANGE (subtype = float8, subtype_diff = float8mi);
    CREATE FUNCTION src.noted(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i';
    CREATE TABLE src.defaulted (a int DEFAULT 1 + 1, b int);
    INSERT INTO src.defaulted SELECT i, i % 3 FROM generate_series(1, 100) i;
    CREATE STATISTICS src.stats ON a, b FROM src.defaulted;
    ANALYZE src.defaulted;
    CREATE TABLE src.own (id int GENERATED ALWAYS AS IDENTITY, twice int GENERATED ALWAYS AS (id_in * 2) STORED, id_in int,
      mood src.mood, moods src.mood[], pair src.pair, pairs src.pair[], small src.small, smalls src.small[], amounts src.amounts,
      feeling src.feeling, floats src.floats, multi ${major < 14 ? 'text' : 'src.floats_multirange'}, ident information_schema.sql_identifier, whole src.defaulted,
      ${ofCatalog()
        .map(({ type }) => `${quoteIdent(type)} ${type}`)
        .join(', ')})`);
  await db.query(`INSERT INTO src.own OVERRIDING SYSTEM VALUE VALUES
    (1, DEFAULT, 21, 'so "so"', '[3:4]={"so \\"so\\"",NULL}', ROW(1, 'a "b", (c)\\', '2024-01-01 00:00:00+05'), ARRAY[ROW(NULL, '', NULL)::src.pair],
      7, ARRAY[1, 99]::src.small[], '{1.10,NaN}', 'fine', '[-0,1e-300]', '{[1,2),[3,4)}', 'x', ROW(1, 2),
      ${ofCatalog()
        .map(({ value }) => value)
        .join(', ')})`);
  // On its own: of more than one row 13 takes no DEFAULT for a generated column.
  await db.query(`INSERT INTO src.own OVERRIDING SYSTEM VALUE VALUES
    (2, DEFAULT, 3, '', '{}', NULL, '{}', NULL, NULL, '{}', '', 'empty', '{}', '', NULL, ${ofCatalog()
      .map(() => 'NULL')
      .join(', ')})`);
}

async function makeBig(): Promise<void> {
  await db.query(`CREATE TABLE src.big (id int, at timestamptz, words text, bytes bytea);
    INSERT INTO src.big VALUES (1, '2024-01-01 01:00Z', repeat('0123456789', 5000000), NULL),
      (2, '2024-01-01 02:00Z', '', decode(repeat('00ff5c0a27', 10000000), 'hex'));
    CREATE TABLE src.big_text AS SELECT *, '{}'::jsonb AS more FROM src.big`);
}

/** Columns in which a row of the two tables differs, as text or in what its type sends in binary. */
async function differences(source: string, target: string): Promise<string[]> {
  const { rows: columns } = await db.query<{ name: string; same: boolean; send: string }>(
    `SELECT a.attname AS name, a.atttypid = b.atttypid AS same, t.typsend::regproc::text AS send
     FROM pg_attribute a JOIN pg_attribute b ON b.attrelid = $2::regclass AND b.attname = a.attname
     JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = $1::regclass AND a.attnum > 0 ORDER BY a.attnum`,
    [source, target],
  );
  const tests = columns.map(({ name, same, send }) => {
    const [s, t] = [`s.${quoteIdent(name)}`, `t.${quoteIdent(name)}`];
    // refcursor borrows text's.
    const bytes = (value: string): string => `${send}(${value}${send === 'textsend' ? '::text' : ''})`;
    const sent = same && send !== '-' ? ` OR ${bytes(s)} IS DISTINCT FROM ${bytes(t)}` : '';
    return `CASE WHEN ${s}::text IS DISTINCT FROM ${t}::text${sent} THEN ${quoteLiteral(name)} END`;
  });
  const { rows } = await db.query<{ differs: string[] }>(
    `SELECT array_remove(ARRAY[${tests.join(', ')}], NULL) AS differs FROM ${source} s FULL JOIN ${target} t ON s.id = t.id`,
  );
  assert.ok(rows.length > 1, `${target} has rows`);
  return [...new Set(rows.flatMap(({ differs }) => differs))];
}

async function typesOf(table: string): Promise<Map<string, string>> {
  const { rows } = await db.query<{ name: string; type: string }>(
    `SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0`,
    [table],
  );
  return new Map(rows.map(({ name, type }) => [name, type]));
}

test('the matrix holds every type that the server has built in', async () => {
  const { rows } = await db.query<{ type: string }>(
    `SELECT format_type(oid, NULL) AS type FROM pg_type
     WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r', 'm') AND typcategory <> 'A' ORDER BY 1`,
  );
  const known = new Set([...Object.keys(MATRIX), ...Object.keys(CATALOG), 'character']);
  assert.deepEqual(
    rows.map(({ type }) => type).filter((type) => !known.has(type)),
    [],
  );
});

test('what is on the list moves in binary, the rest as text, and each value is the same on both sides', async () => {
  for (const table of ['bin', 'txt']) {
    assert.deepEqual(await typesOf(`analytics.${table}`), await typesOf(`src.${table}`));
    assert.deepEqual(await differences(`src.${table}`, `analytics.${table}`), []);
  }
  const { rows } = await db.query<{ name: string; binary: boolean }>(
    `SELECT DISTINCT d.name, (SELECT bool_and((c ->> 'binary')::boolean) FROM jsonb_array_elements(to_jsonb(d.body) #> '{spec,columns}') c) AS binary
     FROM sluice.plan_datasets d WHERE d.name IN ('bin', 'txt') ORDER BY 1`,
  );
  assert.deepEqual(rows, [
    { name: 'bin', binary: true },
    { name: 'txt', binary: false },
  ]);
});

test('values of 50 MB arrive, in binary and as text', async () => {
  for (const table of ['big', 'big_text'])
    assert.deepEqual(await differences(`src.${table}`, `analytics.${table}`), [], table);
});

test('own types arrive as their base type or as text, from a source and in a transform', async () => {
  const want: Record<string, string> = {
    ...{
      id: 'integer',
      twice: 'integer',
      id_in: 'integer',
      mood: 'text',
      moods: 'text[]',
      pair: 'text',
      pairs: 'text[]',
    },
    ...{
      small: 'integer',
      smalls: 'integer[]',
      amounts: 'numeric(10,2)[]',
      feeling: 'text',
      floats: 'text',
      multi: 'text',
    },
    ...{ ident: 'name', whole: 'text' },
    ...Object.fromEntries(ofCatalog().map(({ type }) => [type, type.endsWith('[]') ? 'text[]' : 'text'])),
  };
  for (const table of ['own', 'own_again']) {
    assert.deepEqual(Object.fromEntries(await typesOf(`analytics.${table}`)), want);
    assert.deepEqual(await differences('src.own', `analytics.${table}`), [], table);
  }
});
