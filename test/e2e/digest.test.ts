/** The digest of rows tells apart whatever a reader can tell apart, in whatever session, and nothing else. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { digestOf, rowHash } from '../../src/warehouse/postgres/digest.js';
import { startPostgresOnly, type OnlyPostgres } from '../support/only-postgres.js';
import { MATRIX, SINCE } from './types-matrix.js';

/** Pairs that `=` calls equal, by their type. */
const EQUAL: Readonly<Record<string, readonly [string, string]>> = {
  interval: ['30 days', '1 mon'],
  'interval day to second': ['1 day', '24:00:00'],
  numeric: ['1.5', '1.50'],
  'double precision': ['0', '-0'],
  real: ['0', '-0'],
  'interval[]': ['{30 days}', '{1 mon}'],
  'numeric[]': ['{1.5}', '{1.50}'],
  numrange: ['[1,2.0]', '[1,2]'],
  jsonb: ['{"a": 1.5}', '{"a": 1.50}'],
  bpchar: ['a', 'a  '],
  'text COLLATE ci': ['Straße', 'STRASSE'],
  citext: ['a', 'A'],
  priced: ['1.5', '1.50'],
  pair: ['(1.5,"30 days")', '(1.50,"1 mon")'],
};
const SESSIONS = [
  {},
  {
    DateStyle: 'SQL, DMY',
    IntervalStyle: 'sql_standard',
    extra_float_digits: '-15',
    bytea_output: 'escape',
    TimeZone: 'Asia/Kathmandu',
    xmloption: 'document',
    lc_monetary: 'C',
  },
];

let server: OnlyPostgres;
let url: string;
let db: pg.Client;
before(async () => {
  server = await startPostgresOnly();
  url = await server.url('digests');
  db = new pg.Client({ connectionString: url });
  await db.connect();
  await db.query(`CREATE EXTENSION IF NOT EXISTS citext;
    CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
    CREATE DOMAIN priced AS numeric; CREATE TYPE pair AS (price numeric, lasts interval)`);
});
after(async () => {
  await db.end();
  await server.stop();
});

const V = [{ name: 'v' }];

async function digest(client: pg.Client, from: string, columns: readonly { name: string }[] = V): Promise<string> {
  const { rows } = await client.query<{ d: string }>(
    `SELECT ${digestOf(rowHash('t', columns))} AS d FROM ${from} AS t`,
  );
  return rows[0]?.d ?? '';
}

for (const [type, values] of Object.entries(EQUAL)) {
  test(`equal and not the same: ${type}`, async () => {
    await db.query(`DROP TABLE IF EXISTS e; CREATE TABLE e (n int, v ${type})`);
    await db.query('INSERT INTO e VALUES (1, $1), (2, $2)', [...values]);
    const [first, second] = [
      await digest(db, '(SELECT v FROM e WHERE n = 1)'),
      await digest(db, '(SELECT v FROM e WHERE n = 2)'),
    ];
    assert.notEqual(first, second);
    assert.equal(await digest(db, '(SELECT v FROM e WHERE n = 1)'), first);
  });
}

test('each type has a digest, which no setting of a session changes', async () => {
  const { rows } = await db.query<{ n: number }>(`SELECT current_setting('server_version_num')::int / 10000 AS n`);
  const major = rows[0]?.n ?? 0;
  const digests: string[][] = [];
  for (const settings of SESSIONS) {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    for (const [name, value] of Object.entries(settings)) await client.query(`SET ${name} = '${value}'`);
    const found: string[] = [];
    for (const [type, values] of Object.entries(MATRIX)) {
      const there = values.filter(
        (value) => !SINCE.some(([since, of, held]) => major < since && of.test(type) && (held?.test(value) ?? true)),
      );
      // Not every build has xml.
      if (there.length === 0 || type === 'xml' || type === 'money') continue;
      await db.query(`DROP TABLE IF EXISTS m; CREATE TABLE m (v ${type})`);
      for (const value of there) await db.query('INSERT INTO m VALUES ($1)', [value]);
      found.push(`${type} ${await digest(client, 'm')}`);
    }
    await client.end();
    digests.push(found);
  }
  assert.ok((digests[0]?.length ?? 0) > 50);
  assert.deepEqual(digests[1], digests[0]);
});

test('neither the order of rows nor that of columns counts; NULL, empty, and a value in another column do', async () => {
  const of = (from: string): Promise<string> => digest(db, `(${from})`, [{ name: 'b' }, { name: 'a' }]);
  const rows = `SELECT * FROM (VALUES ('x', NULL), ('', 'y')) AS r(a, b)`;
  const wanted = await of(rows);
  assert.equal(await of(`${rows} ORDER BY a`), wanted);
  assert.equal(await of(`SELECT b, a FROM (${rows}) AS r`), wanted);
  assert.notEqual(await of(`SELECT a AS b, b AS a FROM (${rows}) AS r`), wanted);
  assert.notEqual(await of(`SELECT coalesce(a, '') AS a, coalesce(b, '') AS b FROM (${rows}) AS r`), wanted);
});
