/**
 * What a query is said to read is all that counts: rows outside of that, taken away, added or changed, change none of its own. In PostgreSQL, for
 * every partition around a change of clocks.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import pg from 'pg';
import { readingsOf, type Reading } from '../../src/project/reads/judge.js';
import { parseTree } from '../../src/project/sql/parser.js';
import { startPostgresOnly, type OnlyPostgres } from '../support/only-postgres.js';
import type { Generated } from './grammar.js';
import { reading } from './reads-grammar.js';

const COUNT = 3_000;
const SEED = 4_243;
const ZONE = 'America/New_York';

const borders: Record<Generated['grain'], readonly string[]> = {
  day: ['2024-11-02 04:00Z', '2024-11-03 04:00Z', '2024-11-04 05:00Z', '2024-11-05 05:00Z'],
  hour: ['2024-11-03 04:00Z', '2024-11-03 05:00Z', '2024-11-03 06:00Z', '2024-11-03 07:00Z'],
};

let postgres: OnlyPostgres;
let client: pg.Client;

before(async () => {
  postgres = await startPostgresOnly();
  client = new pg.Client({ connectionString: await postgres.url('reads') });
  await client.connect();
  // Every second row lies on a border; the same times, keys and values occur in both tables and in several partitions.
  const events = (table: string, salt: number): string => `
    CREATE TABLE ${table} (id int PRIMARY KEY, t timestamptz NOT NULL, u timestamptz NOT NULL, k int, v int);
    INSERT INTO ${table} SELECT i, at(i * ${salt}), at(i * ${salt} + 5), nullif(i % 4, 0), i * ${salt} % 7 FROM generate_series(1, 60) i;`;
  await client.query(`SET TimeZone = '${ZONE}';
    CREATE FUNCTION at(i int) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
      SELECT CASE i % 2 WHEN 0 THEN timestamptz '2024-11-03 04:00Z' + (i % 5) * interval '30 min'
        ELSE timestamptz '2024-11-01 04:00Z' + (i % 17) * interval '6 h' END $$;
    ${events('a', 3)} ${events('b', 5)}
    CREATE FUNCTION differs(sql text) RETURNS boolean LANGUAGE plpgsql AS $$ DECLARE answer boolean;
      BEGIN EXECUTE sql INTO answer; RETURN answer; EXCEPTION WHEN syntax_error_or_access_rule_violation OR invalid_row_count_in_limit_clause OR cardinality_violation THEN RETURN NULL; END $$;
    CREATE TABLE d (k int, n int); INSERT INTO d VALUES (1, 1), (2, 4), (2, 2), (5, 3);
    ANALYZE;`);
});

after(async () => {
  await client.end();
  await postgres.stop();
});

type Readings = ReadonlyMap<string, readonly Reading[]>;

function readingsIn({ sql, grain }: Generated): Readings {
  const tree = parseTree(sql);
  if ('code' in tree) assert.fail(`${tree.message}: ${sql}`);
  const [statement] = tree.statements;
  assert.ok(statement);
  const axis = { grain, zone: ZONE };
  return readingsOf({
    tree: statement.node,
    axis,
    time: 't',
    view: false,
    upstreamOf: (_schema, name) => (/^[ab]$/.test(name) ? { name, axis, time: 't', clock: 'zoned' } : undefined),
  }).readings;
}

const isProven = ({ kind }: Reading): boolean => kind === 'interval' || kind === 'lookback';

/** The rows of a table that a query is said to read of it; all of them where nothing is said. */
function claimed(table: string, readings: Readings, start: string, end: string): string {
  const list = readings.get(table) ?? [];
  if (!list.every(isProven)) return 'true';
  const from = list.map((one) => {
    if (one.kind !== 'lookback') return start;
    const { months, days, ms } = one.lookback;
    return `${start} - make_interval(months => ${months}, days => ${days}, secs => ${ms / 1000})`;
  });
  return `t >= least(${[start, ...from].join(', ')}) AND t < ${end}`;
}

/** Whether a partition differs when only what is said to be read is there, or when all else is there twice and is another. */
function comparison({ sql, grain }: Generated, readings: Readings, i: number): string {
  const [start, end] = [borders[grain][i], borders[grain][i + 1]].map((border) => `timestamptz '${border}'`);
  const bound = sql.replaceAll('$1', start ?? '').replaceAll('$2', end ?? '');
  const rows = (of: (table: string, claim: string) => string): string => {
    const tables = ['a', 'b'].map(
      (name) => `${name} AS (${of(name, claimed(name, readings, start ?? '', end ?? ''))})`,
    );
    return `(WITH ${tables.join(', ')} SELECT array_agg(q::text ORDER BY q::text) FROM (${bound}) q)`;
  };
  const full = rows((table) => `SELECT * FROM public.${table}`);
  const cut = rows((table, claim) => `SELECT * FROM public.${table} WHERE ${claim}`);
  const noisy = rows(
    (table, claim) =>
      `SELECT * FROM public.${table} UNION ALL SELECT -id, t, t, k % 3 + 1, v + 2 FROM public.${table} WHERE NOT (${claim})`,
  );
  return `SELECT ${full} IS DISTINCT FROM ${cut} OR ${full} IS DISTINCT FROM ${noisy}`;
}

test('rows that a query is not said to read change nothing', async (t) => {
  const sample = fc.sample(reading, { numRuns: COUNT, seed: SEED }).filter(({ sql }) => !sql.includes('random()'));
  const distinct = [...new Map(sample.map((one) => [`${one.grain} ${one.sql}`, one])).values()];
  const judged = distinct.map((query) => ({ query, readings: readingsIn(query) }));
  const proven = judged.filter(({ readings }) => [...readings.values()].some((list) => list.every(isProven)));
  const asked = proven.flatMap(({ query, readings }) => [0, 1, 2].map((i) => comparison(query, readings, i)));
  const { rows } = await client.query<{ differs: boolean | null }>(
    'SELECT differs(sql) FROM unnest($1::text[]) WITH ORDINALITY AS q(sql, n) ORDER BY n',
    [asked],
  );
  const valid = rows.filter(({ differs }) => differs !== null).length;
  t.diagnostic(
    `${distinct.length} queries, ${proven.length} with something proven, ${valid} partitions of these compared`,
  );
  assert.ok(valid >= COUNT / 4, `${valid} compared`);
  const wrong = proven.flatMap(({ query, readings }, n) =>
    rows.slice(n * 3, n * 3 + 3).some(({ differs }) => differs === true)
      ? [`${query.grain}: ${query.sql} ${JSON.stringify([...readings])}`]
      : [],
  );
  assert.deepEqual(wrong.slice(0, 10), []);
});
