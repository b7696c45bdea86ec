/** SQL that tries to do more than read: refused with its place, or inert. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import type { Problem } from '../../src/contracts/errors.js';
import { checkProject } from '../../src/planning/check.js';
import { openProject } from '../../src/worker/open.js';
import { projectYaml } from '../support/backfills.js';
import { startStack, type Stack } from '../support/stack.js';

/**
 * What a warehouse of many people holds. Each of these leaves a row in `raw.traces` when it runs, and none looks like it where it is
 * used: operators, aggregates, defaults, domains, casts, views, and names of PostgreSQL's own.
 */
const TRAPS = `
  CREATE SCHEMA raw;
  CREATE TABLE raw.traces (who text);
  CREATE TABLE raw.events (at timestamptz, name varchar, n int);
  INSERT INTO raw.events VALUES ('2024-01-01T05:00Z', 'a', 1), ('2024-01-02T05:00Z', 'b', 2);
  CREATE FUNCTION raw.trace(int) RETURNS int LANGUAGE sql VOLATILE AS $$ INSERT INTO raw.traces VALUES ('trace'); SELECT $1 $$;
  CREATE FUNCTION raw.trace(int, int) RETURNS int LANGUAGE sql VOLATILE AS $$ INSERT INTO raw.traces VALUES ('trace'); SELECT $1 $$;
  CREATE OPERATOR public.&&& (FUNCTION = raw.trace, LEFTARG = int, RIGHTARG = int);
  CREATE AGGREGATE public.total(int) (SFUNC = raw.trace, STYPE = int, INITCOND = '0');
  CREATE FUNCTION public.fine(a int, b int DEFAULT raw.trace(1)) RETURNS int LANGUAGE sql STABLE AS 'SELECT a';
  CREATE FUNCTION raw.ok(int) RETURNS bool LANGUAGE sql VOLATILE AS $$ INSERT INTO raw.traces VALUES ('ok'); SELECT true $$;
  CREATE DOMAIN public.checked AS int CHECK (raw.ok(VALUE));
  CREATE DOMAIN public.twice AS public.checked;
  CREATE TYPE public.pair AS (a int, b int);
  CREATE FUNCTION raw.to_pair(int) RETURNS public.pair LANGUAGE sql VOLATILE AS $$ INSERT INTO raw.traces VALUES ('cast'); SELECT ROW($1, $1)::public.pair $$;
  CREATE CAST (int AS public.pair) WITH FUNCTION raw.to_pair(int);
  CREATE FUNCTION public.lower(varchar) RETURNS text LANGUAGE sql VOLATILE AS $$ INSERT INTO raw.traces VALUES ('lower'); SELECT $1::text $$;
  CREATE FUNCTION public.random(int) RETURNS int LANGUAGE sql VOLATILE AS $$ INSERT INTO raw.traces VALUES ('random'); SELECT $1 $$;
  CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$ INSERT INTO raw.traces VALUES ('now'); SELECT transaction_timestamp() $$;
  CREATE VIEW raw.inner_view AS SELECT at, raw.trace(n) AS n FROM raw.events;
  CREATE VIEW raw.outer_view AS SELECT * FROM raw.inner_view;
  CREATE SEQUENCE raw.numbers;
  CREATE VIEW raw.numbered AS SELECT at, nextval('raw.numbers') AS n FROM raw.events;`;

const where = 'WHERE at >= :start AND at < :end';
const reading = (item: string, from = 'raw.events', more = ''): string =>
  `/*\ntime: at\nreads: [${from}]\n${more}*/\nSELECT at, ${item} AS x\nFROM ${from} ${where}\n`;

/** By name: what tries, and what is said of it. */
const REFUSED: Readonly<Record<string, readonly [sql: string, says: RegExp]>> = {
  function_bare: [reading("nextval('raw.numbers')"), /^calls nextval, which/],
  function_settings: [reading("set_config('TimeZone', 'Asia/Tokyo', false)"), /^calls set_config, which/],
  function_file: [reading("pg_read_file('/etc/hostname')"), /^calls pg_read_file, which/],
  function_import: [reading("lo_import('/etc/hostname')"), /^calls lo_import, which/],
  function_sql: [reading("query_to_xml('DELETE FROM raw.events', true, true, '')::text"), /^calls query_to_xml, which/],
  function_set: [reading('(SELECT max(g) FROM generate_series(1, raw.trace(2)) g)'), /^calls raw\.trace, which/],
  function_window: [reading('raw.trace(count(*) OVER ()::int)'), /^calls raw\.trace, which/],
  operator: [reading('n &&& 1'), /^calls raw\.trace \(through an operator\), which/],
  operator_any: [reading('(n OPERATOR(public.&&&) 1)'), /^calls raw\.trace \(through an operator\), which/],
  aggregate: [reading('(SELECT total(n) FROM raw.events)'), /^calls raw\.trace \(through aggregate total\), which/],
  default_argument: [reading('fine(n)'), /^calls raw\.trace \(through the defaults of fine\), which/],
  domain: [reading('n::checked'), /^calls raw\.ok \(through domain checked\), which/],
  domain_of_domain: [reading('n::twice::int'), /^calls raw\.ok \(through domain checked\), which/],
  domain_of_text: [reading('(n::text)::checked'), /^calls raw\.ok \(through domain checked\), which/],
  cast: [reading('(n::pair).a'), /^calls raw\.to_pair, which/],
  shadowed_lower: [reading('lower(name)'), /^calls lower, which/],
  shadowed_random: [reading('random(n)'), /^calls random, which/],
  qualified_now: [reading('public.now()'), /^calls now, which/],
  view: [reading('n', 'raw.inner_view'), /^calls raw\.trace \(through view raw\.inner_view\), which/],
  view_of_view: [reading('n', 'raw.outer_view'), /^calls raw\.trace \(through view raw\.outer_view\), which/],
  view_of_built_in: [reading('n', 'raw.numbered'), /^calls nextval \(through view raw\.numbered\), which/],
  source_settings: [
    `extract:\n  from: ops\n  time: at\n  query: SELECT now() AS at, set_config('TimeZone', 'Asia/Tokyo', false) AS x\n`,
    /^calls set_config, which/,
  ],
};

/** Looks like an escape, and is text, or allowed by name. */
const INERT: Readonly<Record<string, string>> = {
  'datasets/quoted.sql': `/*
time: at
key: [at]
reads: [raw.events]
*/
-- :start ; DROP TABLE raw.events;
SELECT at, now() AS read_at, ';DELETE FROM raw.events; :start' AS ":end; --", $q$'; DROP SCHEMA raw; :end$q$ AS b, U&'\\003b :start' AS c,
  E'\\'; :end' AS d, lower(name::text) AS e, random() < 2 AS f /* ; TRUNCATE raw.events; /* :end */ */
FROM raw.events ${where};
`,
  'datasets/meant.sql': reading('n &&& 1', 'raw.events', 'allow: [raw.trace]\n'),
};

let stack: Stack;
let warehouse: pg.Client;
before(async () => {
  stack = await startStack();
  warehouse = await stack.connect('warehouse');
  await stack.connect('ops');
  await warehouse.query(TRAPS);
});
after(() => stack.stop());

const traces = async (): Promise<unknown[]> => (await warehouse.query('SELECT who FROM raw.traces')).rows;

/** What checking the project tells, by dataset. */
async function problemsOf(projectDir: string): Promise<ReadonlyMap<string, Problem>> {
  const opened = await openProject({ projectDir, environment: 'default', env: stack.env });
  const { problems } = await opened
    .db()
    .then((db) => checkProject({ project: opened.project(), db, pool: opened.pool }))
    .finally(opened.close);
  return new Map(problems.map((problem) => [problem.file.replace(/^datasets\/|\.\w+$/g, ''), problem]));
}

test('whatever may write is refused, however it is called, and has not run by then', async () => {
  const files = Object.entries(REFUSED).map(([name, [text]]) => [
    `datasets/${name}.${text.startsWith('/*') ? 'sql' : 'yaml'}`,
    text,
  ]);
  const project = stack.project('hostile', { 'sluice.yaml': projectYaml('hostile'), ...Object.fromEntries(files) });
  const told = await problemsOf(project);
  for (const [name, [, says]] of Object.entries(REFUSED)) {
    const problem = told.get(name);
    assert.equal(problem?.code, 'unsafe_function', `${name}: ${JSON.stringify(problem)}`);
    assert.match(problem.message, says, name);
    assert.match(problem.remedy ?? '', /allow: \[/);
    if (/^(function|shadowed|qualified)_/.test(name)) assert.equal(problem.line, 5, name);
  }
  assert.deepEqual(await traces(), []);
  const { rows } = await warehouse.query(`SELECT is_called FROM raw.numbers`);
  assert.deepEqual(rows, [{ is_called: false }]);
});

test('where nothing can run unseen, text without a name of what may write is not asked about; the rest is, however it is written', async () => {
  const bare = await stack.connect('bare');
  await bare.query(`CREATE FUNCTION public.touch(int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT $1';
    CREATE FUNCTION public."Touch Me"(int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT $1'; CREATE SEQUENCE public.numbers`);
  const series = (item: string): string =>
    `/*\ntime: at\n*/\nSELECT d AS at, ${item} AS x FROM generate_series(:start, :end - interval '1 day', interval '1 day') d\n`;
  const tries = {
    built_in: series("nextval('public.numbers')"),
    mine: series('touch(1)'),
    quoted: series('public."Touch Me"(1)'),
    escaped: series('U&"\\0074ouch"(1)'),
    fine: series('1'),
    unseen: series('1 &&& 1'),
    through: `/*\ntime: at\n*/\nSELECT at, x FROM fine WHERE at >= :start AND at < :end\n`,
  };
  const files = Object.entries(tries).map(([name, text]) => [`datasets/${name}.sql`, text]);
  const yaml = projectYaml('bare').replace('embedded:warehouse', 'embedded:bare');
  const project = stack.project('bare', { 'sluice.yaml': yaml, ...Object.fromEntries(files) });
  const codes = async (): Promise<object> =>
    Object.fromEntries([...(await problemsOf(project))].map(([name, { code }]) => [name, code]).sort());
  const named = ['built_in', 'escaped', 'mine', 'quoted'].map((name) => [name, 'unsafe_function']);
  assert.deepEqual(await codes(), Object.fromEntries([...named, ['unseen', 'sql_error']]));
  await bare.query(`CREATE FUNCTION public.both(int, int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT $1';
    CREATE OPERATOR public.&&& (FUNCTION = public.both, LEFTARG = int, RIGHTARG = int)`);
  assert.deepEqual(await codes(), Object.fromEntries([...named, ['unseen', 'unsafe_function']]));
});

test('semicolons and parameters in text stay text; what is allowed by name runs', async () => {
  const project = stack.project('inert', { 'sluice.yaml': projectYaml('inert'), ...INERT });
  await stack.worker(project);
  const ran = await stack.sluice(['backfill', '-p', project, '--to', '2024-01-03', '--wait', '--json']);
  assert.equal(ran.code, 0, ran.out + ran.err);
  const { rows } = await warehouse.query('SELECT ":end; --" AS a, b, c, d, e, f FROM inert.quoted ORDER BY at');
  const same = { a: ';DELETE FROM raw.events; :start', b: "'; DROP SCHEMA raw; :end", c: '; :start', d: "'; :end" };
  assert.deepEqual(rows, [
    { ...same, e: 'a', f: true },
    { ...same, e: 'b', f: true },
  ]);
  assert.equal((await traces()).length, 2);
});
