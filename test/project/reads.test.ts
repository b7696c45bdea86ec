/** What a transform reads of its upstreams, told by its SQL: the same interval, so much before it, all, ahead of it, or not understood. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDuration } from '../../src/core/time/duration.js';
import { withNeeds } from '../../src/project/dbt/needs.js';
import { readingsOf, type Upstream } from '../../src/project/reads/judge.js';
import { parseTree } from '../../src/project/sql/parser.js';
import type { Axis, Grain } from '../../src/core/time/axis.js';
import { problemsOf, projectFiles, load, transform } from './helpers.js';
import { formatProblem } from '../../src/contracts/errors.js';

const UTC = 'UTC';
const NY = 'America/New_York';
const upstream = (
  name: string,
  grain: Grain,
  time = 't',
  zone = UTC,
  clock: Upstream['clock'] = 'zoned',
): Upstream => ({
  name,
  axis: { grain, zone },
  time,
  clock,
});
/** `u` and `v` by the day, `h` by the hour, `m` by the month, `ms` an epoch, `wall` a clock in New York. */
const KNOWN = new Map(
  [
    upstream('u', 'day'),
    upstream('v', 'day'),
    upstream('h', 'hour'),
    upstream('m', 'month', 'month'),
    upstream('ms', 'day', 'ms', UTC, 1000),
    upstream('wall', 'day', 't', UTC, `wall:${NY}`),
    upstream('local', 'day', 't', NY, 'local'),
  ].map((one) => [one.name, one]),
);

/** How a statement reads, by upstream: `interval`, `7d`, `all`, `ahead`, `unknown`; several places with a blank between. */
function readings(sql: string, axis: Axis, view = false): Record<string, string> {
  const tree = parseTree(sql.replaceAll(':start', '$1').replaceAll(':end', '$2'));
  if ('code' in tree) assert.fail(`${tree.message}: ${sql}`);
  const [statement] = tree.statements;
  assert.ok(statement);
  const upstreamOf = (_schema: string | undefined, name: string): Upstream | undefined => KNOWN.get(name);
  const { readings: found } = readingsOf({ tree: statement.node, axis, time: 't', view, upstreamOf });
  const text = [...found].map(([name, list]): [string, string] => [
    name,
    list.map((one) => (one.kind === 'lookback' ? formatDuration(one.lookback) : one.kind)).join(' '),
  ]);
  return Object.fromEntries(text);
}

const IN = 't >= :start AND t < :end';
const u = (said: string): Record<string, string> => ({ u: said });

/** By the day in UTC. */
const CASES: readonly [sql: string, said: Record<string, string>][] = [
  // Limits on the table itself.
  [`SELECT * FROM u WHERE ${IN}`, u('interval')],
  [`SELECT * FROM u x WHERE :start <= x.t AND :end > x.t AND x.k = 1`, u('interval')],
  [`SELECT * FROM u WHERE t >= :start AND t < :start + interval '1 day'`, u('interval')],
  [`SELECT * FROM u WHERE t >= :start AND t < :start + interval '24 hours'`, u('interval')],
  [`SELECT * FROM u WHERE t BETWEEN :start AND :end - interval '1 second'`, u('interval')],
  [`SELECT * FROM u WHERE date_trunc('day', t) = :start`, u('interval')],
  [`SELECT * FROM u WHERE t::date = :start::date`, u('interval')],
  [`SELECT * FROM u WHERE t::date BETWEEN :start::date AND :end::date - 1`, u('interval')],
  [`SELECT * FROM u WHERE t <@ tstzrange(:start, :end)`, u('interval')],
  [`SELECT * FROM u WHERE tstzrange(:start, :end, '[)') @> t`, u('interval')],
  [`SELECT * FROM u WHERE NOT (t < :start OR t >= :end)`, u('interval')],
  [`SELECT * FROM u WHERE (${IN} AND k = 1) OR (${IN} AND k = 2)`, u('interval')],
  [`SELECT * FROM u WHERE t IN (:start, :start + interval '6 hours')`, u('interval')],
  [`SELECT * FROM u WHERE t - interval '1 hour' >= :start AND t - interval '1 hour' < :start`, u('interval')],
  // Wider by a constant.
  [`SELECT * FROM u WHERE t >= :start - interval '6 days' AND t < :end`, u('6d')],
  [`SELECT * FROM u WHERE t >= :end - interval '7 days' AND t < :end`, u('6d')],
  [`SELECT * FROM u WHERE t >= :end - 7 * interval '1 day' AND t < :end`, u('6d')],
  [`SELECT * FROM u WHERE t >= :start - make_interval(days => 6) AND t < :end`, u('6d')],
  [`SELECT * FROM u WHERE t >= :start - interval '6' day AND t < :end`, u('6d')],
  [`SELECT * FROM u WHERE t >= :start::date - 6 AND t < :end`, u('6d')],
  [`SELECT * FROM u WHERE t >= :start - interval '1 month 1 day' AND t < :end`, u('1mo1d')],
  [`SELECT * FROM u WHERE t + interval '6 days' >= :start AND t < :end`, u('6d')],
  [`SELECT * FROM u WHERE t >= date_trunc('month', :start) AND t < :end`, u('1mo')],
  [`SELECT * FROM u WHERE date_trunc('week', t) = date_trunc('week', :start) AND t < :end`, u('7d')],
  [`SELECT * FROM u WHERE t IN (:start, :start - interval '7 days')`, u('7d')],
  [`SELECT * FROM u WHERE (${IN}) OR (t >= :start - interval '2 days' AND t < :end AND k = 1)`, u('2d')],
  [`SELECT * FROM u WHERE t >= :start - interval '1 day' AND t < :start`, u('1d')],
  // One-sided, or none.
  [`SELECT * FROM u WHERE t < :end`, u('all')],
  [`SELECT * FROM u WHERE k = 1 AND :start < :end`, u('all')],
  [`SELECT sum(v) FILTER (WHERE ${IN}) AS s, :start AS t FROM u`, u('all')],
  [`SELECT CASE WHEN ${IN} THEN v END AS s FROM u`, u('all')],
  [`SELECT u.* FROM u LEFT JOIN d ON u.t >= :start AND u.t < :end`, u('all')],
  [`SELECT * FROM u FULL JOIN d ON u.t >= :start AND u.t < :end`, u('all')],
  // Ahead.
  [`SELECT * FROM u WHERE t >= :start AND t <= :end`, u('ahead')],
  [`SELECT * FROM u WHERE t BETWEEN :start AND :end`, u('ahead')],
  [`SELECT * FROM u WHERE t >= :start AND t < :end + interval '1 day'`, u('ahead')],
  [`SELECT * FROM u WHERE t >= :start`, u('ahead')],
  [`SELECT * FROM u WHERE t >= :end`, u('ahead')],
  [`SELECT * FROM u WHERE t >= :start AND t < :start + interval '2 days'`, u('ahead')],
  [`SELECT * FROM u WHERE t::date >= :start::date AND t::date <= :end::date`, u('ahead')],
  // Not understood.
  [`SELECT * FROM u WHERE f(t) >= :start AND t < :end`, u('unknown')],
  [`SELECT * FROM u WHERE t >= :start - (k * interval '1 day') AND t < :end`, u('unknown')],
  [`SELECT * FROM u WHERE t >= now() - interval '1 day' AND t < :end`, u('unknown')],
  [`SELECT * FROM u AS x (a, b, t) WHERE ${IN}`, u('unknown')],
  [`SELECT u.* FROM u JOIN d ON d.k = u.k`, u('unknown')],
  [`SELECT * FROM u WHERE (${IN}) OR k = 1`, u('unknown')],
  [`SELECT * FROM u WHERE t >= :start - interval '1 month' - interval '1 month' AND t < :end`, u('unknown')],
  // Through equalities.
  [`SELECT * FROM u JOIN v ON v.t = u.t WHERE u.t >= :start AND u.t < :end`, { u: 'interval', v: 'interval' }],
  [`SELECT * FROM u JOIN v USING (t) WHERE ${IN}`, { u: 'interval', v: 'interval' }],
  [`SELECT * FROM u NATURAL JOIN v WHERE ${IN}`, { u: 'interval', v: 'interval' }],
  [`SELECT * FROM u LEFT JOIN v USING (t) WHERE u.t >= :start AND u.t < :end`, { u: 'interval', v: 'interval' }],
  [`SELECT * FROM u LEFT JOIN v USING (t) WHERE v.t >= :start AND v.t < :end`, { u: 'unknown', v: 'interval' }],
  [`SELECT * FROM u FULL JOIN v USING (t) WHERE u.t >= :start AND u.t < :end`, { u: 'interval', v: 'unknown' }],
  [
    `SELECT * FROM u LEFT JOIN v ON v.t = u.t - interval '1 day' WHERE u.t >= :start AND u.t < :end`,
    { u: 'interval', v: '1d' },
  ],
  [
    `SELECT * FROM u LEFT JOIN v ON v.t >= u.t - interval '6 days' AND v.t < u.t WHERE u.t >= :start AND u.t < :end`,
    { u: 'interval', v: '6d' },
  ],
  [
    `SELECT * FROM u, v WHERE (u.t, u.k) = (v.t, v.k) AND u.t >= :start AND u.t < :end`,
    { u: 'interval', v: 'interval' },
  ],
  [`SELECT * FROM u JOIN v ON v.k = u.k WHERE u.t >= :start AND u.t < :end`, { u: 'interval', v: 'unknown' }],
  [
    `SELECT * FROM u JOIN v ON date_trunc('month', v.t) = date_trunc('month', u.t) AND v.t < :end WHERE u.t >= :start AND u.t < :end`,
    { u: 'interval', v: '1mo' },
  ],
  [
    `SELECT d AS t FROM generate_series(:start, :end - interval '1 day', interval '1 day') d LEFT JOIN u ON u.t = d`,
    u('interval'),
  ],
  [
    `SELECT d AS t FROM generate_series(:start - interval '2 days', :end - interval '1 day', interval '1 day') AS g(d) JOIN u ON u.t = d`,
    u('2d'),
  ],
  [`SELECT d AS t FROM generate_series(:end, :start, interval '-1 day') d JOIN u ON u.t = d`, u('unknown')],
  [`SELECT * FROM u WHERE t IN (SELECT t FROM v WHERE ${IN})`, { u: 'interval', v: 'interval' }],
  [`SELECT * FROM u WHERE t NOT IN (SELECT t FROM v WHERE ${IN})`, { u: 'unknown', v: 'interval' }],
  [`SELECT * FROM u WHERE t = (SELECT max(t) FROM v WHERE ${IN})`, { u: 'interval', v: 'interval' }],
  // An outer join's empty side: a limit in WHERE takes its rows away, one in ON only where it may be empty.
  [`SELECT * FROM d LEFT JOIN u ON u.k = d.k AND u.t >= :start AND u.t < :end`, u('interval')],
  [`SELECT * FROM d RIGHT JOIN u ON u.k = d.k AND u.t >= :start AND u.t < :end`, u('all')],
  [`SELECT * FROM d LEFT JOIN u ON u.k = d.k WHERE u.t >= :start AND u.t < :end`, u('interval')],
  [
    `SELECT x.t FROM d LEFT JOIN (SELECT * FROM v WHERE ${IN}) x USING (t) JOIN u ON u.t = t`,
    { v: 'interval', u: 'unknown' },
  ],
  // Queries in queries.
  [`WITH x AS (SELECT * FROM u) SELECT * FROM x WHERE ${IN}`, u('interval')],
  [`WITH x AS (SELECT t AS at, k FROM u) SELECT * FROM x WHERE at >= :start AND at < :end`, u('interval')],
  [`WITH x (at) AS (SELECT t, k FROM u) SELECT * FROM x y (b) WHERE b >= :start AND b < :end`, u('interval')],
  [`WITH x AS (SELECT t, sum(v) AS v FROM u GROUP BY t) SELECT * FROM x WHERE ${IN}`, u('interval')],
  [
    `WITH x AS (SELECT date_trunc('day', t) AS t, sum(v) AS v FROM u GROUP BY 1) SELECT * FROM x WHERE ${IN}`,
    u('interval'),
  ],
  [`WITH x AS (SELECT k, min(t) AS t FROM u GROUP BY k) SELECT * FROM x WHERE ${IN}`, u('all')],
  [`WITH x AS (SELECT t, lag(v) OVER (ORDER BY t) AS v FROM u) SELECT * FROM x WHERE ${IN}`, u('all')],
  [
    `WITH x AS (SELECT t, lag(v) OVER (PARTITION BY t ORDER BY k) AS v FROM u) SELECT * FROM x WHERE ${IN}`,
    u('interval'),
  ],
  [`WITH x AS (SELECT DISTINCT ON (k) k, t FROM u ORDER BY k, t) SELECT * FROM x WHERE ${IN}`, u('all')],
  [`WITH x AS (SELECT DISTINCT k, t FROM u) SELECT * FROM x WHERE ${IN}`, u('interval')],
  [`WITH x AS (SELECT t FROM u ORDER BY t LIMIT 9) SELECT * FROM x WHERE ${IN}`, u('all')],
  [`WITH x AS (SELECT t, k, sum(v) AS v FROM u GROUP BY ROLLUP (t, k)) SELECT * FROM x WHERE ${IN}`, u('all')],
  [`WITH x AS (SELECT * FROM u) SELECT * FROM x WHERE ${IN} AND k NOT IN (SELECT k FROM x)`, u('all')],
  [
    `WITH x AS (SELECT * FROM u) SELECT * FROM x a, x b WHERE a.t >= :start AND a.t < :end AND b.t >= :start - interval '3 days' AND b.t < :end`,
    u('3d'),
  ],
  [
    `WITH x AS (SELECT * FROM u WHERE ${IN}), y AS (SELECT * FROM x) SELECT * FROM y JOIN v ON v.t = y.t`,
    { u: 'interval', v: 'interval' },
  ],
  [`SELECT * FROM u WHERE ${IN} AND EXISTS (SELECT 1 FROM u o WHERE o.k = u.k AND o.t < u.t)`, u('interval unknown')],
  [
    `SELECT *, (SELECT sum(v) FROM v WHERE v.t < u.t AND v.t >= u.t - interval '3 days') FROM u WHERE ${IN}`,
    { u: 'interval', v: '3d' },
  ],
  [
    `SELECT * FROM u, LATERAL (SELECT max(v.v) FROM v WHERE v.t = u.t) l WHERE u.t >= :start AND u.t < :end`,
    { u: 'interval', v: 'interval' },
  ],
  [`SELECT t FROM u WHERE ${IN} UNION ALL SELECT t FROM v`, { u: 'interval', v: 'all' }],
  [`SELECT * FROM (SELECT t FROM u UNION ALL SELECT t FROM v) x WHERE ${IN}`, { u: 'interval', v: 'interval' }],
  [`SELECT * FROM (SELECT t, k FROM u EXCEPT SELECT t, k FROM v) x WHERE ${IN}`, { u: 'interval', v: 'interval' }],
  [`SELECT * FROM (SELECT * FROM u UNION ALL SELECT * FROM v) x WHERE ${IN}`, { u: 'all', v: 'all' }],
  [
    `SELECT * FROM (SELECT t FROM u UNION ALL SELECT t FROM v ORDER BY 1 LIMIT 5) x WHERE ${IN}`,
    { u: 'all', v: 'all' },
  ],
  [
    `WITH RECURSIVE x AS (SELECT t FROM u WHERE ${IN} UNION ALL SELECT v.t FROM x JOIN v ON v.t = x.t) SELECT * FROM x`,
    { u: 'interval', v: 'unknown' },
  ],
  [`WITH u AS (SELECT 1 AS t) SELECT * FROM u`, {}],
  [`SELECT * FROM (u JOIN d ON true) AS j WHERE ${IN}`, u('unknown')],
  [`SELECT * FROM u TABLESAMPLE system (10) WHERE ${IN}`, u('interval')],
  // Other units and zones.
  [`SELECT * FROM h WHERE ${IN}`, { h: 'interval' }],
  [`SELECT * FROM m WHERE month = date_trunc('month', :start)`, { m: 'interval' }],
  [
    `SELECT * FROM m WHERE month >= date_trunc('month', :start) AND month < date_trunc('month', :start) + interval '1 month'`,
    { m: 'interval' },
  ],
  [`SELECT * FROM m WHERE month = date_trunc('month', :start) - interval '1 month'`, { m: '1mo' }],
  [
    `SELECT * FROM ms WHERE ms >= extract(epoch FROM :start) * 1000 AND ms < extract(epoch FROM :end) * 1000`,
    { ms: 'interval' },
  ],
  [
    `SELECT * FROM ms WHERE to_timestamp(ms / 1000.0) >= :start - interval '1 day' AND to_timestamp(ms / 1000) < :end`,
    { ms: '1d' },
  ],
  [`SELECT * FROM ms WHERE ms >= extract(epoch FROM :start) AND ms < extract(epoch FROM :end)`, { ms: 'unknown' }],
  [`SELECT * FROM wall WHERE ${IN}`, { wall: 'unknown' }],
  [`SELECT * FROM wall WHERE t AT TIME ZONE '${NY}' >= :start AND t AT TIME ZONE '${NY}' < :end`, { wall: 'interval' }],
  [`SELECT * FROM local WHERE ${IN}`, { local: 'unknown' }],
];

for (const [sql, said] of CASES) {
  test(`reads: ${sql}`, () => {
    assert.deepEqual(readings(sql, { grain: 'day', zone: UTC }), said);
  });
}

/** What the project of two datasets, `raw` and `clean`, is refused for. */
async function refusal(sql: string, settings = 'time: t'): Promise<string> {
  const problems = await problemsOf(
    projectFiles({
      'datasets/clean.sql': transform(sql, settings),
      'datasets/other.yaml': 'extract: { from: ops, table: public.x, time: t }\n',
    }),
  );
  return problems.map(formatProblem).join('\n');
}

const WEEK = `SELECT t FROM raw WHERE t >= :start - interval '6 days' AND t < :end`;
const FIRSTS = 'SELECT :start AS t, k, min(t) AS first FROM raw WHERE :start < :end GROUP BY k';

test('what needs says less of is refused, with the line to write', async () => {
  assert.match(
    await refusal(WEEK),
    /^datasets\/clean\.sql:4:15: it reads raw up to 6d before its interval[^]*write needs: \{ raw: \{ lookback: 6d \} \};/,
  );
  assert.match(await refusal(WEEK, 'time: t\nneeds: { raw: { lookback: 5d } }'), /reads raw up to 6d/);
  assert.match(await refusal(WEEK, 'time: t\nneeds: { raw: { window: interval } }'), /reads raw up to 6d/);
  assert.equal(await refusal(WEEK, 'time: t\nneeds: { raw: { lookback: 6d } }'), '');
  assert.equal(await refusal(WEEK, 'time: t\nneeds: { raw: { lookback: 1w } }'), '');
  assert.equal(await refusal(WEEK, 'time: t\nneeds: { raw: { lookback: 1mo } }'), '');
  assert.equal(await refusal(WEEK, 'time: t\nneeds: { raw: { window: all } }'), '');

  assert.match(
    await refusal(FIRSTS),
    /it reads all of raw: nothing limits its t[^]*needs: \{ raw: \{ window: all \} \}/,
  );
  assert.match(await refusal(FIRSTS, 'time: t\nneeds: { raw: { lookback: 7d } }'), /reads all of raw/);
  assert.match(await refusal(FIRSTS, 'time: t\nneeds: { raw: { window: interval } }'), /reads all of raw/);
  assert.equal(await refusal(FIRSTS, 'time: t\nneeds: { raw: { window: all } }'), '');
});

test('the line to write keeps what is there', async () => {
  const sql = `SELECT raw.t FROM raw JOIN other o ON o.k = raw.k WHERE raw.t >= :start - interval '6 days' AND raw.t < :end`;
  assert.match(
    await refusal(sql, 'time: t\nneeds: { raw: { stale: ignore } }'),
    /needs: \{ other: \{ window: all \}, raw: \{ lookback: 6d, stale: ignore \} \}/,
  );
});

test('the import from dbt writes the line', async () => {
  const files = projectFiles({ 'datasets/clean.sql': transform(WEEK), 'datasets/firsts.sql': transform(FIRSTS) });
  const said = withNeeds(files, await problemsOf(files));
  assert.deepEqual([...said.keys()], ['datasets/clean.sql', 'datasets/firsts.sql']);
  const written = Object.fromEntries([...said].map(([file, { text }]) => [file, text]));
  assert.deepEqual(await problemsOf({ ...files, ...written }), []);
});

test('what lies ahead cannot be said; what is not understood can', async () => {
  const ahead = 'SELECT t FROM raw WHERE t BETWEEN :start AND :end';
  for (const settings of ['', '\nneeds: { raw: { window: all } }', '\nneeds: { raw: { window: interval } }'])
    assert.match(await refusal(ahead, `time: t${settings}`), /reads raw at or after :end[^]*limit it to t < :end/);
  const unclear = 'SELECT t FROM raw WHERE f(t) >= :start AND t < :end';
  assert.match(await refusal(unclear), /not understood which interval of raw it reads[^]*window: interval/);
  for (const said of ['lookback: 1d', 'window: all', 'window: interval'])
    assert.equal(await refusal(unclear, `time: t\nneeds: { raw: { ${said} } }`), '');
});

test('its author’s word is kept, and changes no version', async () => {
  const of = async (settings: string) =>
    (
      await load(
        projectFiles({ 'datasets/clean.sql': transform(WEEK.replace('- interval', '+ 0 * interval'), settings) }),
      )
    ).datasets.get('clean');
  const [plain, said] = [await of('time: t'), await of('time: t\nneeds: { raw: { window: interval } }')];
  assert.deepEqual([plain?.needs, said?.needs], [[{ dataset: 'raw' }], [{ dataset: 'raw', word: 'author' }]]);
  assert.equal(said?.version, plain?.version);
});

test('a definition that was accepted before is loaded as it is', async () => {
  const project = await load(projectFiles({ 'datasets/clean.sql': transform(WEEK) }), { accepted: true });
  assert.deepEqual(project.datasets.get('clean')?.needs, [{ dataset: 'raw' }]);
});

test('a dataset that reads itself reads the partition before, or more if it says so', async () => {
  const self = (since: string): string =>
    `SELECT :start AS t, (SELECT sum(v) FROM clean c WHERE c.t >= :start - interval '${since}' AND c.t < :start) AS v FROM raw WHERE t >= :start AND t < :end`;
  assert.equal(await refusal(self('1 day')), '');
  assert.match(await refusal(self('2 days')), /reads clean up to 2d/);
  assert.equal(await refusal(self('2 days'), 'time: t\nneeds: { clean: { lookback: 2d } }'), '');
});

test('a view is read by whoever limits it, and looks as far as its SQL', async () => {
  const view = (sql: string): Promise<string> => refusal(sql, 'time: t\npublish: view');
  assert.equal(await view('SELECT t, count(*) AS n FROM raw GROUP BY t'), '');
  assert.match(await view('SELECT t, sum(count(*)) OVER (ORDER BY t) AS n FROM raw GROUP BY t'), /reads all of raw/);
});

test('by the hour, where clocks go back: two hours are told alike, and a wall clock says nothing', () => {
  const hour: Axis = { grain: 'hour', zone: NY };
  assert.deepEqual(readings(`SELECT * FROM h WHERE ${IN}`, hour), { h: 'interval' });
  assert.deepEqual(readings(`SELECT * FROM h WHERE t::timestamp >= :start::timestamp AND t < :end`, hour), {
    h: 'unknown',
  });
  assert.deepEqual(
    readings(`SELECT * FROM h WHERE t::timestamp >= :start::timestamp - interval '1 day' AND t < :end`, hour),
    { h: '1d' },
  );
  assert.deepEqual(readings(`SELECT * FROM h WHERE t >= date_trunc('day', :start) AND t < :end`, hour), { h: '1d' });
});

test('by the day, where clocks change: 24 hours are no day', () => {
  const day: Axis = { grain: 'day', zone: NY };
  assert.deepEqual(readings(`SELECT * FROM u WHERE t >= :start AND t < :start + interval '1 day'`, day), {
    u: 'interval',
  });
  assert.deepEqual(readings(`SELECT * FROM u WHERE t >= :start AND t < :start + interval '24 hours'`, day), {
    u: 'unknown',
  });
  assert.deepEqual(readings(`SELECT * FROM local WHERE t >= :start::timestamp AND t < :end::timestamp`, day), {
    local: 'interval',
  });
  assert.deepEqual(readings(`SELECT * FROM wall WHERE ${IN}`, day), { wall: 'interval' });
});

test('a whole table stops at :end in those of its upstreams where that is proven', async () => {
  const EARLY = 'raw.t < :end';
  const cases: readonly [sql: string, unbounded: readonly string[] | undefined][] = [
    [`SELECT 1 AS one FROM raw WHERE ${EARLY}`, undefined],
    [`SELECT 1 AS one FROM raw WHERE raw.t >= :end - interval '30 days' AND ${EARLY}`, undefined],
    [`SELECT 1 AS one FROM raw, other WHERE ${EARLY} AND other.t < :end`, undefined],
    [`SELECT 1 AS one FROM raw JOIN other ON other.t = raw.t WHERE ${EARLY}`, undefined],
    ['SELECT 1 AS one FROM raw', ['raw']],
    [`SELECT 1 AS one FROM raw, other WHERE ${EARLY}`, ['other']],
    [`SELECT (SELECT max(t) FROM other) AS last FROM raw WHERE ${EARLY}`, ['other']],
    [`SELECT (SELECT count(*) FROM raw) AS n FROM raw WHERE ${EARLY}`, ['raw']],
    [`SELECT 1 AS one FROM raw WHERE raw.t >= :start OR raw.t < :end`, ['raw']],
    ['SELECT raw.t < :end AS early FROM raw', ['raw']],
  ];
  for (const [sql, unbounded] of cases) {
    const files = { 'datasets/other.sql': transform(`SELECT t FROM raw WHERE raw.t >= :start AND ${EARLY}`) };
    const project = await load(projectFiles({ ...files, 'datasets/whole.sql': transform(sql, 'grain: none') }));
    assert.deepEqual(project.datasets.get('whole')?.unbounded, unbounded, sql);
  }
});
