import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Grain } from '../../src/core/time/axis.js';
import { coalescingOf } from '../../src/planning/coalescing.js';
import type { REASONS } from '../../src/project/coalesce/refusal.js';
import { load, projectFiles, statementOf, transform } from './helpers.js';

const IN = 't >= :start AND t < :end';
const A = 'a.t >= :start AND a.t < :end';
const B = 'b.t >= :start AND b.t < :end';

/** How a daily transform `clean` over the extracts `raw`, `a` and `b` is built: its code, or `proven`. */
async function codeOf(
  sql: string,
  { settings = '', type = 'timestamp with time zone', name = 'clean' } = {},
): Promise<string> {
  const extract = 'extract: { from: ops, table: public.x, time: t }\n';
  const files = projectFiles({
    'datasets/a.yaml': extract,
    'datasets/b.yaml': extract,
    'datasets/clean.sql': transform(sql, `time: t\nreads: [other]\n${settings}`),
  });
  // What it reads is judged elsewhere.
  const project = await load(files, { accepted: true });
  const dataset = project.datasets.get('clean');
  assert.ok(dataset);
  const how = coalescingOf({ ...dataset, name }, { kind: 'transform', statement: statementOf(dataset) }, type);
  assert.ok(how);
  assert.ok(how.reason.length > 10 && !how.reason.includes('undefined'), how.reason);
  assert.equal(how.joined, ['proven', 'always'].includes(how.code));
  return how.code;
}

const day = "date_trunc('day', a.t)";
/** What is joined: the rows of a partition alone, grouped, windowed, looked up. */
const PROVEN: readonly string[] = [
  `SELECT t, v FROM raw WHERE ${IN}`,
  `SELECT * FROM raw r WHERE :start <= r.t AND :end > r.t AND r.v > 1`,
  `SELECT ${day} AS t, count(*) AS n FROM a LEFT JOIN other o ON o.k = a.k WHERE ${A} GROUP BY 1`,
  `SELECT a.t, b.v FROM a LEFT JOIN b ON b.t = a.t AND ${B} WHERE ${A}`,
  `SELECT a.t, b.v FROM a, b WHERE ${A} AND ${B} AND ${day} = date_trunc('hour', b.t)`,
  `SELECT t::date AS t, sum(v) AS s FROM raw WHERE t >= :start::timestamp AND t < :end::timestamp GROUP BY t::date`,
  `SELECT t, rank() OVER (PARTITION BY date_trunc('day', t) ORDER BY v) AS r FROM raw WHERE ${IN}`,
  `SELECT max(a.t) AS t, a.k FROM a WHERE ${A} GROUP BY a.k, ${day}`,
  `WITH q AS (SELECT t::date AS d, sum(v) AS s FROM raw WHERE ${IN} GROUP BY 1) SELECT q.d AS t, q.s FROM q JOIN q r ON r.d = q.d`,
  `SELECT DISTINCT t, v FROM raw WHERE ${IN} AND v > (SELECT avg(v) FROM other)`,
  `SELECT a.t, l.v FROM a CROSS JOIN LATERAL (SELECT v FROM other o WHERE o.k = a.k ORDER BY v LIMIT 1) l WHERE ${A}`,
];

for (const sql of PROVEN) {
  test(`joined: ${sql}`, async () => {
    assert.equal(await codeOf(sql), 'proven');
  });
}

/** For each code, what is refused by it. */
const REFUSED: Readonly<Record<keyof typeof REASONS, readonly string[]>> = {
  reads_itself: [`SELECT t, v FROM raw WHERE ${IN}`],
  parameter: [
    `SELECT t, :end - t AS age FROM raw WHERE ${IN}`,
    `SELECT d AS t FROM generate_series(:start, :end - interval '1 day', interval '1 day') d`,
    `SELECT t FROM raw WHERE ${IN} OR v = 1`,
    `SELECT t FROM raw WHERE t >= :start AND (t < :end OR true)`,
    `SELECT a.t FROM a LEFT JOIN b ON b.t = a.t AND ${A}`,
  ],
  lookback: [`SELECT t FROM raw WHERE t >= :start - interval '6 days' AND t < :end`],
  bounds: [`SELECT t FROM raw WHERE t BETWEEN :start AND :end`, `SELECT t FROM raw WHERE t > :start AND t <= :end`],
  cast: [
    `SELECT t FROM raw WHERE t >= :start::time AND t < :end::time`,
    `SELECT t FROM raw WHERE t >= :start::timestamp(0) AND t < :end`,
  ],
  unqualified: [`SELECT a.t FROM a JOIN other o ON o.k = a.k WHERE ${IN}`],
  two_limits: [`SELECT t FROM raw WHERE ${IN} AND u >= :start AND u < :end`],
  time_column: [
    `SELECT t + interval '1 hour' AS t FROM raw WHERE ${IN}`,
    `SELECT date_trunc('week', t) AS t FROM raw WHERE ${IN}`,
    `SELECT t::timestamptz(0) AS t FROM raw WHERE ${IN}`,
    `SELECT b.t FROM a LEFT JOIN b ON b.t = a.t AND ${B} WHERE ${A}`,
  ],
  aggregate: [`SELECT max(t) AS t, k FROM raw WHERE ${IN} GROUP BY k`, `SELECT max(t) AS t FROM raw WHERE ${IN}`],
  grouping_sets: [`SELECT ${day} AS t, count(*) AS n FROM a WHERE ${A} GROUP BY ROLLUP (${day})`],
  window: [
    `SELECT t, rank() OVER (ORDER BY v) AS r FROM raw WHERE ${IN}`,
    `SELECT t, sum(v) OVER w AS s FROM raw WHERE ${IN} WINDOW w AS (PARTITION BY k)`,
    `SELECT t, sum(v) OVER (PARTITION BY 1) AS s FROM raw WHERE ${IN}`,
  ],
  distinct: [`SELECT DISTINCT ON (k) t, k FROM raw WHERE ${IN} ORDER BY k, t`],
  limit: [`SELECT t FROM raw WHERE ${IN} ORDER BY t LIMIT 10`, `SELECT t FROM raw WHERE ${IN} ORDER BY t OFFSET 1`],
  set_operation: [`SELECT t FROM a WHERE ${IN} UNION ALL SELECT t FROM b WHERE ${IN}`],
  join: [
    `SELECT a.t FROM a JOIN b ON b.k = a.k WHERE ${A} AND ${B}`,
    `SELECT a.t FROM a LEFT JOIN b ON b.k = a.k AND ${B} WHERE ${A}`,
  ],
  outer_join: [
    `SELECT a.t FROM other o LEFT JOIN a ON a.k = o.k AND ${A}`,
    `SELECT a.t FROM a FULL JOIN other o ON o.k = a.k WHERE ${A}`,
  ],
  sub_select: [
    `SELECT a.t FROM a WHERE ${A} AND EXISTS (SELECT 1 FROM b WHERE b.k = a.k AND ${B})`,
    `WITH q AS (SELECT t FROM raw WHERE ${IN}) SELECT q.t, (SELECT count(*) FROM q) AS n FROM q`,
    `WITH q AS (SELECT t FROM raw WHERE ${IN}) SELECT q.t FROM q, generate_series(1, (SELECT count(*)::int FROM q)) g`,
  ],
  lateral: [`SELECT a.t FROM a, LATERAL (SELECT 1 FROM b WHERE b.k = a.k AND ${B}) l WHERE ${A}`],
  recursion: [`WITH RECURSIVE q AS (SELECT t FROM raw WHERE ${IN}) SELECT t FROM q`],
  order_dependent: [
    `SELECT t, array_agg(v) AS l FROM raw WHERE ${IN} GROUP BY t`,
    `SELECT t, row_number() OVER (PARTITION BY t) AS l FROM raw WHERE ${IN}`,
    `SELECT DISTINCT ON (t) t, v FROM raw WHERE ${IN}`,
  ],
  function: [
    `SELECT t, random() AS r FROM raw WHERE ${IN}`,
    `SELECT t, now() AS r FROM raw WHERE ${IN}`,
    `SELECT t, s.f(v) AS r FROM raw WHERE ${IN}`,
    `SELECT t, 'now'::timestamptz AS r FROM raw WHERE ${IN}`,
  ],
  construct: [
    `SELECT t, current_date AS r FROM raw WHERE ${IN}`,
    `SELECT t FROM raw TABLESAMPLE system (10) WHERE ${IN}`,
    `SELECT a.t FROM a NATURAL JOIN other WHERE ${A}`,
  ],
};

for (const [code, queries] of Object.entries(REFUSED)) {
  for (const sql of queries) {
    test(`${code}: ${sql}`, async () => {
      assert.equal(await codeOf(sql, code === 'reads_itself' ? { name: 'raw' } : {}), code);
    });
  }
}

test('its author decides, but for what is impossible', async () => {
  const looking = `SELECT t FROM raw WHERE t >= :start - interval '1 day' AND t < :end`;
  assert.equal(await codeOf(looking, { settings: 'coalesce: always' }), 'always');
  assert.equal(await codeOf(`SELECT t FROM raw WHERE ${IN}`, { settings: 'coalesce: never' }), 'never');
  assert.equal(
    await codeOf(`SELECT t FROM raw WHERE ${IN}`, { settings: 'coalesce: always', name: 'raw' }),
    'reads_itself',
  );
  const zoneless = {
    settings: 'coalesce: always\ngrain: hour\ntimezone: America/New_York',
    type: 'timestamp without time zone',
  };
  assert.equal(await codeOf(`SELECT t FROM raw WHERE ${IN}`, zoneless), 'zoneless_time');
});

test('the grain decides which units a time may be cut to', async () => {
  const codes = async (unit: string): Promise<string[]> => {
    const sql = `SELECT date_trunc('${unit}', t) AS t FROM raw WHERE ${IN}`;
    const grains: Grain[] = ['15m', 'hour', 'day', 'week', 'month', 'year'];
    return Promise.all(grains.map((grain) => codeOf(sql, { settings: `grain: ${grain}` })));
  };
  const [no, yes] = ['time_column', 'proven'];
  assert.deepEqual(await codes('minute'), [yes, yes, yes, yes, yes, yes]);
  assert.deepEqual(await codes('hour'), [no, yes, yes, yes, yes, yes]);
  assert.deepEqual(await codes('day'), [no, no, yes, yes, yes, yes]);
  assert.deepEqual(await codes('week'), [no, no, no, yes, no, no]);
  assert.deepEqual(await codes('month'), [no, no, no, no, yes, yes]);
});
