/** Whatever the judge lets join gives the same rows joined and one by one, in PostgreSQL; without any one of its checks it would not. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import pg from 'pg';
import { whyNotJoined } from '../../src/project/coalesce/judge.js';
import type { Check } from '../../src/project/coalesce/refusal.js';
import { parseTree, type Node } from '../../src/project/sql/parser.js';
import { startPostgresOnly, type OnlyPostgres } from '../support/only-postgres.js';
import { queries, type Generated } from './grammar.js';

const COUNT = 4_000;
const SEED = 4_242;
/** Planted queries tried for a check that is left out. */
const TRIED_MAX = 60;

let postgres: OnlyPostgres;
let client: pg.Client;
/** Borders as SQL literals: of the days around a change of clocks, and of some hours of the day itself. */
const borders: Record<Generated['grain'], readonly string[]> = {
  day: ['2024-11-02 04:00Z', '2024-11-03 04:00Z', '2024-11-04 05:00Z', '2024-11-05 05:00Z'],
  hour: ['2024-11-03 04:00Z', '2024-11-03 05:00Z', '2024-11-03 06:00Z', '2024-11-03 07:00Z'],
};

before(async () => {
  postgres = await startPostgresOnly();
  client = new pg.Client({ connectionString: await postgres.url('coalesce') });
  await client.connect();
  // Every second row lies on a border; the same times, keys and values occur in both tables and in several partitions.
  const events = (table: string, salt: number): string => `
    CREATE TABLE ${table} (id int PRIMARY KEY, t timestamptz NOT NULL, u timestamptz NOT NULL, k int, v int);
    INSERT INTO ${table} SELECT i, at(i * ${salt}), at(i * ${salt} + 5), nullif(i % 4, 0), i * ${salt} % 7 FROM generate_series(1, 60) i;`;
  await client.query(`SET TimeZone = 'America/New_York';
    CREATE FUNCTION at(i int) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
      SELECT CASE i % 2 WHEN 0 THEN timestamptz '2024-11-03 04:00Z' + (i % 5) * interval '30 min'
        ELSE timestamptz '2024-11-02 04:00Z' + (i % 13) * interval '6 h' END $$;
    ${events('a', 3)} ${events('b', 5)}
    CREATE FUNCTION differs(sql text) RETURNS boolean LANGUAGE plpgsql AS $$ DECLARE answer boolean;
      BEGIN EXECUTE sql INTO answer; RETURN answer; EXCEPTION WHEN syntax_error_or_access_rule_violation THEN RETURN NULL; END $$;
    CREATE TABLE d (k int, n int); INSERT INTO d VALUES (1, 1), (2, 4), (2, 2), (5, 3);
    ANALYZE;`);
});

after(async () => {
  await client.end();
  await postgres.stop();
});

interface Query extends Generated {
  readonly tree: Node;
}

const judge = ({ tree, grain }: Query, without?: ReadonlySet<Check>): string | null =>
  whyNotJoined({ tree, grain, time: 't' }, without)?.code ?? null;

function parsed(query: Generated): Query {
  const tree = parseTree(query.sql);
  if ('code' in tree) assert.fail(`${tree.message}: ${query.sql}`);
  const [statement] = tree.statements;
  assert.ok(statement);
  return { ...query, tree: statement.node };
}

const sample = fc.sample(queries, { numRuns: COUNT, seed: SEED });
const distinct = [...new Map(sample.map((one) => [`${one.grain} ${one.sql}`, one])).values()].map(parsed);
const verdicts = new Map(distinct.map((one) => [one, judge(one)]));
const accepted = distinct.filter((one) => verdicts.get(one) === null);

/** One SELECT of whether a query's rows, and the partition of each, differ between joined and one by one. */
function comparison({ sql, grain }: Generated): string {
  const edges = borders[grain].map((border) => `timestamptz '${border}'`);
  const between = (start = '', end = ''): string => sql.replaceAll('$1', start).replaceAll('$2', end);
  const part = `width_bucket(q.t::timestamptz, ARRAY[${edges.slice(0, -1).join(', ')}])`;
  const joined = `SELECT (${part} || q::text) AS r FROM (${between(edges[0], edges.at(-1))}) q`;
  const single = edges.slice(1).map((end, i) => `SELECT (${i + 1} || q::text) AS r FROM (${between(edges[i], end)}) q`);
  const sorted = (rows: string): string => `(SELECT array_agg(r ORDER BY r) FROM (${rows}) x)`;
  return `SELECT ${sorted(joined)} IS DISTINCT FROM ${sorted(single.join(' UNION ALL '))}`;
}

interface Answered {
  readonly sql: string;
  readonly differs: boolean;
}

/** Which of these queries differ; those that PostgreSQL refuses (a column that is not grouped, an ambiguous one) are left out. */
async function compare(asked: readonly Generated[]): Promise<Answered[]> {
  const { rows } = await client.query<{ differs: boolean | null }>(
    'SELECT differs(sql) FROM unnest($1::text[]) WITH ORDINALITY AS q(sql, n) ORDER BY n',
    [asked.map(comparison)],
  );
  return asked.flatMap((query, i) => {
    const different = rows[i]?.differs;
    return typeof different === 'boolean' ? [{ sql: query.sql, differs: different }] : [];
  });
}

test('what the judge joins is the same one by one', async (t) => {
  const answered = await compare(accepted);
  t.diagnostic(
    `${distinct.length} queries: ${distinct.length - accepted.length} refused, ${accepted.length} joined, ${answered.length} of these valid SQL`,
  );
  assert.ok(distinct.length >= 2_000 && answered.length >= 500);
  assert.deepEqual(
    answered.filter(({ differs }) => differs),
    [],
  );
});

/** Checks that are the only ones to stand between some query and wrong rows. */
const NEEDED: readonly Check[] = [
  'parameter',
  'lookback',
  'bounds',
  'cast',
  'two_limits',
  'time_column',
  'unit',
  'aggregate',
  'grouping_sets',
  'window',
  'distinct',
  'limit',
  'set_operation',
  'join',
  'nullable',
  'sub_select',
  'lateral',
  'function',
];

for (const check of NEEDED) {
  test(`without the check ${check} the property finds a query that differs`, async () => {
    const without = new Set([check]);
    // A query that only this check refuses is refused by its name, but for the rules that refuse nothing themselves.
    const named = check !== 'nullable' && check !== 'unit';
    const refused = distinct.filter((one) => (named ? verdicts.get(one) === check : verdicts.get(one) !== null));
    const fooled = refused.filter((one) => judge(one, without) === null).slice(0, TRIED_MAX);
    const answered = await compare(fooled);
    assert.ok(
      answered.some(({ differs }) => differs),
      `${fooled.length} queries let through, ${answered.length} valid`,
    );
  });
}
