import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseStatement } from '../../src/project/sql/statement.js';
import { locator } from '../../src/project/text.js';

function parse(sql: string) {
  const { parsed, mistakes } = parseStatement(sql, locator(sql));
  assert.deepEqual(mistakes, []);
  assert.ok(parsed);
  return parsed.statement;
}

/** What the statement reads, as written. */
function tables(sql: string): string[] {
  const { text, relations } = parse(sql);
  return relations.map(({ start, end }) => text.slice(start, end));
}

describe('parameters', () => {
  const bound: readonly [name: string, sql: string, expected: string][] = [
    ['in code', 'SELECT :start, :end', 'SELECT $1    , $2  \n'],
    ['with a cast', 'SELECT :start::date', 'SELECT $1    ::date\n'],
    ['not after a cast', 'SELECT x::start FROM y', 'SELECT x::start FROM y\n'],
    [
      'not in strings',
      "SELECT ':start', E'\\':end', $$:end$$, $a$:end$a$",
      "SELECT ':start', E'\\':end', $$:end$$, $a$:end$a$\n",
    ],
    ['not in quoted names', 'SELECT 1 AS ":start"', 'SELECT 1 AS ":start"\n'],
    ['not in comments', 'SELECT 1 -- :start\n/* :end /* :end */ */', 'SELECT 1 -- :start\n/* :end /* :end */ */\n'],
    ['glued to a keyword', 'SELECT 1 WHERE true AND:start < now()', 'SELECT 1 WHERE true AND $1    < now()\n'],
    ['glued to an operator', 'SELECT t>=:start', 'SELECT t>=$1    \n'],
    [
      'not an array slice',
      'SELECT a[1:start], a[b:start], a[(1):start] FROM t',
      'SELECT a[1:start], a[b:start], a[(1):start] FROM t\n',
    ],
    ['at the beginning of an index', "SELECT a[:start - 'epoch'] FROM t", "SELECT a[$1     - 'epoch'] FROM t\n"],
    ['not a JSON key', "SELECT json_object('a':start) FROM t", "SELECT json_object('a':start) FROM t\n"],
    ['after a bracket', 'SELECT DISTINCT ON (a) :start FROM t', 'SELECT DISTINCT ON (a) $1     FROM t\n'],
    ['named arguments', 'SELECT f(a => :start, b := :end)', 'SELECT f(a => $1    , b := $2  )\n'],
    ['after Unicode', "SELECT 'é😀', :start", "SELECT 'é😀', $1    \n"],
    ['beside control characters', "SELECT '\u0001\b\f', :start", "SELECT '\u0001\b\f', $1    \n"],
    ['without the semicolon', 'SELECT :start ; ', 'SELECT $1       \n'],
    ['byte order mark', '\ufeffSELECT :end', ' SELECT $2  \n'],
  ];
  for (const [name, sql, expected] of bound) {
    test(name, () => {
      const { text, params } = parse(sql);
      assert.equal(text, expected);
      for (const { start, end, name: which } of params)
        assert.equal(text.slice(start, end), which === 'start' ? '$1' : '$2');
      assert.equal(params.length, text.replaceAll('$$', '').match(/\$[12]/g)?.length ?? 0);
    });
  }
});

describe('tables', () => {
  const read: readonly [name: string, sql: string, expected: string[]][] = [
    ['joins', 'SELECT * FROM a JOIN b ON true LEFT JOIN (c CROSS JOIN d) USING (x), e', ['a', 'b', 'c', 'd', 'e']],
    [
      'qualified, quoted, folded',
      'SELECT * FROM S.A, "Odd ""Name".x, x."É😀:y"',
      ['S.A', '"Odd ""Name".x', 'x."É😀:y"'],
    ],
    ['spaced names', 'SELECT * FROM s /* c */ . -- d\n a', ['s /* c */ . -- d\n a']],
    ['Unicode escapes', 'SELECT * FROM U&"d!0061t" UESCAPE \'!\' AS x', ['U&"d!0061t" UESCAPE \'!\'']],
    [
      'expressions',
      'SELECT (SELECT 1 FROM a) WHERE EXISTS (SELECT 1 FROM b) ORDER BY (SELECT 1 FROM c) LIMIT (SELECT 1 FROM d)',
      ['a', 'b', 'c', 'd'],
    ],
    [
      'a window and a filter',
      'SELECT sum(x) FILTER (WHERE x IN (SELECT 1 FROM b)) OVER (ORDER BY (SELECT 1 FROM c)) FROM a',
      ['b', 'c', 'a'],
    ],
    ['set operations', '(SELECT 1 FROM a) UNION (SELECT 1 FROM b EXCEPT SELECT 1 FROM c)', ['a', 'b', 'c']],
    [
      'functions are none',
      'SELECT * FROM generate_series(1, 2) a, ROWS FROM (f(), g()) b, LATERAL (SELECT 1 FROM c) d',
      ['c'],
    ],
    ['samples and ONLY', 'SELECT * FROM a TABLESAMPLE system(1), ONLY b, ONLY (c), d *', ['a', 'b', 'c', 'd']],
    ['values in FROM', 'SELECT * FROM (VALUES (1)) v (a), b', ['b']],
    ['grouping sets', 'SELECT 1 FROM a GROUP BY GROUPING SETS ((x), ())', ['a']],
    ['a CTE shadows', 'WITH a AS (SELECT 1) SELECT * FROM a', []],
    ['a CTE does not shadow a qualified name', 'WITH a AS (SELECT 1) SELECT * FROM s.a', ['s.a']],
    ['a CTE of the name that it reads', 'WITH a AS (SELECT * FROM a) SELECT * FROM a', ['a']],
    ['a later CTE is not seen', 'WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a, b', ['b']],
    ['an earlier CTE is', 'WITH b AS (SELECT 1), a AS (SELECT * FROM b) SELECT * FROM a, b', []],
    [
      'a later CTE is seen under RECURSIVE',
      'WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a, b',
      [],
    ],
    ['recursion', 'WITH RECURSIVE a AS (SELECT 1 AS n FROM c UNION ALL SELECT n + 1 FROM a) SELECT * FROM a', ['c']],
    ['a CTE ends with its query', 'SELECT * FROM (WITH x AS (SELECT 1) SELECT * FROM x) y, x', ['x']],
    [
      'an outer CTE is seen inside',
      'WITH x AS (SELECT 1) SELECT (SELECT 1 FROM x WHERE EXISTS (SELECT 1 FROM x)) FROM y',
      ['y'],
    ],
    [
      'an inner CTE shadows an outer one',
      'WITH x AS (SELECT 1 FROM a) SELECT * FROM (WITH x AS (SELECT 1 FROM b) SELECT * FROM x) y, x',
      ['a', 'b'],
    ],
    [
      'a CTE over a set operation',
      'WITH x AS (SELECT 1) SELECT * FROM x UNION SELECT * FROM x UNION SELECT * FROM y',
      ['y'],
    ],
    ['a CTE in one arm only', '(WITH x AS (SELECT 1) SELECT * FROM x) UNION SELECT * FROM x', ['x']],
    ['the same table twice', 'SELECT * FROM a x, a y', ['a', 'a']],
  ];
  for (const [name, sql, expected] of read) test(name, () => assert.deepEqual(tables(sql), expected));

  test('places are those of the file', () => {
    const [relation] = parse("SELECT 'é😀',\n  1 FROM /* ü */ Flights").relations;
    assert.deepEqual([relation?.name, relation?.line, relation?.column, relation?.aliased], ['flights', 2, 18, false]);
  });

  test('functions are named as written', () => {
    assert.deepEqual(parse('SELECT count(*), hr.F(a), "Odd"(1) FROM x').functions, ['Odd', 'count', 'hr.f']);
  });
});

describe('what would break the parser', () => {
  const deep: readonly [name: string, sql: string][] = [
    ['operators', `SELECT ${'1+'.repeat(20_000)}1`],
    ['brackets', `SELECT ${'(1+'.repeat(3_000)}1${')'.repeat(3_000)}`],
    ['queries', `${'SELECT * FROM ('.repeat(900)}SELECT 1${') x'.repeat(900)}`],
    ['cases', `SELECT ${'CASE WHEN a THEN '.repeat(900)}1${' END'.repeat(900)}`],
    ['negations', `SELECT ${'NOT '.repeat(1_900)}a`],
    ['unions', `${'SELECT 1 UNION ALL '.repeat(8_000)}SELECT 1`],
    ['functions', `SELECT ${'f('.repeat(1_900)}1${')'.repeat(1_900)}`],
  ];
  for (const [name, sql] of deep) {
    test(`nested ${name} are refused, and the parser works on`, () => {
      assert.equal(parseStatement(sql, locator(sql)).mistakes.at(-1)?.code, 'statement_too_deep');
      assert.deepEqual(tables('SELECT 1 FROM a'), ['a']);
    });
  }

  const wide: readonly [name: string, sql: string][] = [
    ['conditions', `SELECT 1 FROM a WHERE ${'x = 1 + 2 AND '.repeat(5_000)}y`],
    ['lists', `SELECT 1 FROM a WHERE x IN (${'1, '.repeat(20_000)}1)`],
    ['columns', `SELECT ${'a + b * (c - d) AS e, '.repeat(2_000)}1 FROM a`],
    ['unions', `${'SELECT a + b FROM a UNION ALL '.repeat(500)}SELECT 1 FROM a`],
    ['joins', `SELECT 1 FROM a${' LEFT JOIN a USING (x)'.repeat(200)}`],
  ];
  for (const [name, sql] of wide) test(`wide ${name} are not`, () => assert.ok(tables(sql).length > 0));
});
