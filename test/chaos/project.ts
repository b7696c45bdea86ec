/** The project of every run: each way of writing, over few rows. */
import type pg from 'pg';

export const FROM = '2024-01-01';
export const TO = '2024-01-13';
/** Queue of its calls, which the harness itself takes. */
export const CALLS = 'chaos-calls';
/** Rows that are read at once: a day is small, a week of `big` is read in several chunks. */
export const CHUNK_ROWS = 200;

/** Its datasets that are tables; `seen` is a view. All of them read the source once, in the schema of the run. */
export const TABLES = [
  ...['events', 'lines', 'codes', 'moving', 'numbers', 'big'],
  ...['daily', 'apart', 'merged', 'total', 'week', 'whole', 'through', 'ticks', 'plain'],
];

/** Parts of it, each with all that it reads: most runs are of one of them, for the whole takes three times as long. */
export const PARTS: Readonly<Record<'moves' | 'merges' | 'fails' | 'reads' | 'all', readonly string[]>> = {
  moves: ['ticks', 'moving', 'big'],
  merges: ['events', 'lines', 'codes', 'merged', 'seen', 'through'],
  fails: ['ticks', 'numbers', 'week', 'told'],
  reads: ['events', 'daily', 'apart', 'total', 'whole', 'plain'],
  all: [...TABLES, 'seen', 'told'],
};
export type Part = keyof typeof PARTS;

/** @param name - of the project, of its schema in the warehouse and, with `_src`, of that in the source */
export function projectFiles(name: string): Record<string, string> {
  const source = `${name}_src`;
  return {
    'sluice.yaml': `project: ${name}
connections:
  ops: { type: postgres, url: "\${CHAOS_OPS}", budget: { slots: 4 } }
  warehouse: { type: postgres, url: "\${CHAOS_WAREHOUSE}", budget: { slots: 4 } }
warehouse: warehouse
schema: ${name}
defaults: { grain: day, start: ${FROM} }
`,
    'datasets/events.yaml': `extract: { from: ops, table: ${source}.events, time: at }\nkey: [id]\n`,
    'datasets/lines.yaml': `extract:
  from: ops
  query: SELECT id, at, kind || '-' || amount AS line FROM ${source}.events WHERE at >= :start AND at < :end
  time: at
`,
    'datasets/codes.yaml': `extract: { from: ops, table: ${source}.codes }\ngrain: none\nkey: [kind]\n`,
    'datasets/moving.yaml': `extract: { from: ops, table: ${source}.moving, time: at }\nkey: [id]\nmoves: follow\n`,
    // One row is no number until the backfill is held and somebody mends it.
    'datasets/numbers.yaml': `extract:
  from: ops
  query: SELECT id, at, word::int AS n FROM ${source}.words WHERE at >= :start AND at < :end
  time: at
key: [id]
`,
    'datasets/big.yaml': `extract: { from: ops, table: ${source}.big, time: at }\ngrain: week\nkey: [id]\n`,
    'datasets/told.yaml': `call: { activity: chaosTold, taskQueue: ${CALLS}, timeout: 30s, heartbeat: 5s }\ngrain: week\nneeds: { week: {} }\n`,
    'datasets/daily.sql': `/*
time: day
key: [day, kind]
*/
SELECT date_trunc('day', e.at) AS day, e.kind, count(*) AS events, sum(e.amount) AS amount
FROM events e WHERE e.at >= :start AND e.at < :end GROUP BY 1, 2
`,
    // Without a key nothing but the emptying of a partition keeps its rows from being there twice.
    'datasets/plain.sql': `/*
time: at
*/
SELECT e.at, e.kind FROM events e WHERE e.at >= :start AND e.at < :end
`,
    'datasets/apart.sql': `/*
time: day
coalesce: never
needs:
  daily: { lookback: 2d }
*/
SELECT :start AS day, sum(d.amount) AS amount, (SELECT pg_sleep(0.05)::text) AS slept
FROM daily d WHERE d.day >= :start - interval '2 days' AND d.day < :end
`,
    'datasets/merged.sql': `/*
time: at
key: [id]
publish: merge
*/
SELECT e.id, e.at, e.amount * 2 AS twice, c.label
FROM events e JOIN codes c ON c.kind = e.kind WHERE e.at >= :start AND e.at < :end
`,
    'datasets/seen.sql': `/*
time: at
publish: view
*/
SELECT m.id, m.at, m.twice FROM merged m WHERE m.twice > 10
`,
    'datasets/through.sql': `/*
time: day
key: [day]
*/
SELECT date_trunc('day', s.at) AS day, sum(s.twice) AS twice FROM seen s WHERE s.at >= :start AND s.at < :end GROUP BY 1
`,
    'datasets/total.sql': `/*
time: day
key: [day]
columns: { day: timestamptz, total: bigint }
*/
SELECT :start AS day, sum(e.amount)::bigint
  + coalesce((SELECT t.total FROM total t WHERE t.day = :start - interval '1 day' AND t.day < :end), 0) AS total
FROM events e WHERE e.at >= :start AND e.at < :end
`,
    'datasets/week.sql': `/*
grain: week
start: 2024-01-01
time: week
key: [week]
*/
SELECT :start AS week, sum(n.n) AS n, count(*) AS days, (SELECT pg_sleep(0.05)::text) AS slept
FROM numbers n WHERE n.at >= :start AND n.at < :end
`,
    // Many small batches: slices of several, of which a late attempt may have some left.
    'datasets/ticks.sql': `/*
grain: hour
start: 2024-01-11
time: at
coalesce: never
*/
SELECT :start AS at, extract(epoch FROM :end - :start)::int AS seconds, (SELECT pg_sleep(0.1)::text) AS slept
`,
    'datasets/whole.sql': `/*
grain: none
key: [kind]
*/
SELECT d.kind, sum(d.amount) AS amount FROM daily d GROUP BY 1
`,
  };
}

const DAYS = 14;
const PER_DAY = 8;

const ROWS = `generate_series(0, ${DAYS * PER_DAY - 1}) i`;
const AT = `'${FROM}Z'::timestamptz + i * interval '${24 / PER_DAY} hours'`;

/** Makes the source of a project, as it is before the first build. What is left of a try before goes. */
export async function makeSource(ops: pg.Client, name: string): Promise<void> {
  await ops.query(`DROP SCHEMA IF EXISTS ${name}_src CASCADE;
    CREATE SCHEMA ${name}_src;
    SET search_path = ${name}_src;
    CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz NOT NULL, amount int NOT NULL, kind text NOT NULL);
    CREATE INDEX ON events (at);
    INSERT INTO events SELECT i, ${AT}, i * 7 % 31, 'abc'::char(3)::text || i % 3 FROM ${ROWS};
    CREATE TABLE codes (kind text PRIMARY KEY, label text NOT NULL);
    INSERT INTO codes SELECT DISTINCT kind, upper(kind) FROM events;
    CREATE TABLE moving (id bigint PRIMARY KEY, at timestamptz NOT NULL, note text NOT NULL);
    INSERT INTO moving SELECT i, ${AT}, 'first' FROM ${ROWS};
    CREATE TABLE words (id bigint PRIMARY KEY, at timestamptz NOT NULL, word text NOT NULL);
    INSERT INTO words SELECT i, ${AT}, i::text FROM ${ROWS};
    CREATE TABLE big (id bigint PRIMARY KEY, at timestamptz NOT NULL, n int NOT NULL, filler text NOT NULL);
    CREATE INDEX ON big (at);
    INSERT INTO big SELECT i, '${FROM}Z'::timestamptz + i * interval '15 min', i % 97, repeat('x', 200) FROM generate_series(0, 1199) i;`);
  await ops.query(`ANALYZE ${name}_src.big; ANALYZE ${name}_src.events; ANALYZE ${name}_src.moving`);
}

/**
 * What the source holds before a build: that of an odd number is another than that of an even one. So each build finds rows that changed, rows
 * that moved to another day or back, and, the odd ones, one that is no number.
 */
export async function setSource(ops: pg.Client, name: string, build: number): Promise<void> {
  const odd = build % 2;
  await ops.query(`SET search_path = ${name}_src;
    UPDATE events SET amount = id * 7 % 31 + ${odd} * (id % 3);
    UPDATE big SET n = id % 97 + ${odd} WHERE id % 5 = 0;
    UPDATE moving m SET note = '${odd}', at = s.at FROM (SELECT i AS id, ${AT} + interval '5 days' * ${1 - odd} AS at FROM ${ROWS}) s
      WHERE m.id = s.id AND m.id % 7 = 0 AND m.id < ${5 * PER_DAY}`);
  if (odd) await ops.query(`UPDATE ${name}_src.words SET word = 'many' WHERE id = 45`);
  else await mendWords(ops, name);
}

/** The days of a build: an even one leaves the first day out, from which rows have moved to days that it builds. */
export function rangeOf(build: number): { from: string; to: string } {
  return { from: build > 0 && build % 2 === 0 ? '2024-01-02' : FROM, to: TO };
}

/** What was no number becomes one. */
export async function mendWords(ops: pg.Client, name: string): Promise<void> {
  await ops.query(`UPDATE ${name}_src.words SET word = '45' WHERE id = 45`);
}
