import type { TableName } from '../../src/contracts/table.js';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Statement } from '../../src/project/project.js';
import { renderStatement } from '../../src/project/render.js';
import { parseStatement } from '../../src/project/sql/statement.js';
import { locator } from '../../src/project/text.js';

const DATASETS = new Set(['a', 'b', 'Odd "N']);

function statementOf(sql: string): Statement {
  const { parsed, mistakes } = parseStatement(sql, locator(sql));
  assert.deepEqual(mistakes, []);
  assert.ok(parsed);
  const { statement } = parsed;
  return {
    ...statement,
    relations: statement.relations.map((one) => (DATASETS.has(one.name) ? { ...one, dataset: one.name } : one)),
  };
}

const tableOf = (dataset: string): TableName => ({ schema: 'dev "x"', name: `T_${dataset}` });
const render = (sql: string) => renderStatement(statementOf(sql), tableOf);

const A = '"dev ""x"""."T_a"';
const B = '"dev ""x"""."T_b"';
const CASES: readonly [name: string, sql: string, expected: string][] = [
  ['bare', 'SELECT a.x FROM a', `SELECT a.x FROM ${A} AS "a"`],
  ['aliased', 'SELECT q.x FROM a AS q, b r (y)', `SELECT q.x FROM ${A} AS q, ${B} r (y)`],
  ['qualified', 'SELECT a.x FROM analytics . a', `SELECT a.x FROM ${A} AS "a"`],
  ['others stay', 'SELECT * FROM c, a, pg_class', `SELECT * FROM c, ${A} AS "a", pg_class`],
  ['quoted', 'SELECT * FROM "Odd ""N"', 'SELECT * FROM "dev ""x"""."T_Odd ""N" AS "Odd ""N"'],
  [
    'ONLY, star, sample',
    'SELECT * FROM ONLY (a), b *, a x TABLESAMPLE system(1)',
    `SELECT * FROM ONLY (${A}) AS "a", ${B} * AS "b", ${A} x TABLESAMPLE system(1)`,
  ],
  ['sample without alias', 'SELECT * FROM a TABLESAMPLE system(1)', `SELECT * FROM ${A} AS "a" TABLESAMPLE system(1)`],
  [
    'in a CTE of its own name',
    'WITH a AS (SELECT * FROM a) SELECT * FROM a',
    `WITH a AS (SELECT * FROM ${A} AS "a") SELECT * FROM a`,
  ],
  [
    'in an expression',
    'SELECT (SELECT max(x) FROM a) FROM b WHERE x IN (SELECT x FROM a z)',
    `SELECT (SELECT max(x) FROM ${A} AS "a") FROM ${B} AS "b" WHERE x IN (SELECT x FROM ${A} z)`,
  ],
  ['after Unicode', "SELECT 'é😀' FROM /* ü😀 */ a", `SELECT 'é😀' FROM /* ü😀 */ ${A} AS "a"`],
  [
    'names in strings and comments stay',
    "SELECT 'FROM a' FROM a -- FROM a",
    `SELECT 'FROM a' FROM ${A} AS "a" -- FROM a`,
  ],
];
for (const [name, sql, expected] of CASES)
  test(`render: ${name}`, () => assert.equal(render(sql).text, `${expected}\n`));

test('parameters move with the text', () => {
  const { text, params } = render("SELECT :start AS é, 'é' FROM a, b WHERE a.t >= :start AND b.t < :end");
  assert.deepEqual(
    params.map(({ start, end, name }) => [text.slice(start, end), name]),
    [
      ['$1', 'start'],
      ['$1', 'start'],
      ['$2', 'end'],
    ],
  );
});

test('a rewriting that would change the meaning is caught', () => {
  const statement = statementOf('SELECT 1 FROM a, b');
  const [first] = statement.relations;
  assert.ok(first);
  // Without the comma, `b` would become an alias: still SQL, but other SQL.
  const relations = [{ ...first, aliased: true, end: first.end + 1 }];
  assert.throws(() => renderStatement({ ...statement, relations }, tableOf), /changed the meaning/);
  const broken = [{ ...first, start: first.start - 5 }];
  assert.throws(() => renderStatement({ ...statement, relations: broken }, tableOf), TypeError);
});

test('any table name survives', () => {
  const statement = statementOf('SELECT a.x FROM a WHERE t >= :start');
  const name = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
    .filter((text) => !text.includes('\0') && Buffer.byteLength(text) <= 63);
  fc.assert(
    fc.property(name, name, (schema, table) => {
      const { text, params } = renderStatement(statement, () => ({ schema, name: table }));
      assert.equal(text.slice(params[0]!.start, params[0]!.end), '$1');
    }),
    { numRuns: 200 },
  );
});
