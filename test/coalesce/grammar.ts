import fc from 'fast-check';

/**
 * Queries over two event tables (`a`, `b`: id, t, u, k, v), a small table without a time (`d`: k, n), in one zone with a change of
 * clocks. About half keep every rule of joining, the others break one or two of them.
 */
export interface Generated {
  readonly sql: string;
  readonly grain: 'day' | 'hour';
}

const pick = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const range = (alias: string, column = 't'): string => `${alias}.${column} >= $1 AND ${alias}.${column} < $2`;

/** A limit of `alias` on its time: mostly a right one. */
const limit = (alias: string): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constant(range(alias)) },
    {
      weight: 4,
      arbitrary: pick(
        `$1 <= ${alias}.t AND $2 > ${alias}.t`,
        `(${alias}.k > 1 AND (${range(alias)}))`,
        `${range(alias)} AND ${alias}.v <> 3`,
        `${alias}.t >= $1::timestamptz AND ${alias}.t < $2::timestamptz`,
      ),
    },
    {
      weight: 3,
      arbitrary: pick(
        `${alias}.t >= $1 - interval '1 day' AND ${alias}.t < $2`,
        `${alias}.t >= $1 AND ${alias}.t <= $2`,
        `${alias}.t >= $1::timestamp AND ${alias}.t < $2::timestamp`,
        `${alias}.t BETWEEN $1 AND $2`,
        `${range(alias)} AND ${range(alias, 'u')}`,
        `(${range(alias)} OR ${alias}.k = 1)`,
        `${range(alias)} AND ${alias}.v % 5 <> extract(day FROM $2 - $1)`,
      ),
    },
  );

/** What brings a second table in: as `b`, with the condition that it adds to WHERE. */
interface Join {
  readonly from: string;
  readonly where?: string;
  /** A column of it that may be selected. */
  readonly value: string;
  readonly time?: string;
}
const ON = range('b');
const joins: fc.Arbitrary<Join> = fc.oneof(
  { weight: 4, arbitrary: pick<Join>({ from: '', value: 'a.v' }) },
  {
    weight: 5,
    arbitrary: pick<Join>(
      { from: 'LEFT JOIN d ON d.k = a.k', value: 'd.n' },
      { from: 'JOIN d ON d.k = a.k', value: 'd.n' },
      { from: 'RIGHT JOIN d ON d.k = a.k AND d.k < 0', value: 'd.n' },
      { from: `JOIN b ON b.t = a.t AND ${ON}`, value: 'b.v', time: 'b.t' },
      { from: `LEFT JOIN b ON b.t = a.t AND b.k = a.k AND ${ON}`, value: 'b.v' },
      { from: `RIGHT JOIN b ON b.t = a.t AND ${range('a')}`, where: ON, value: 'b.v', time: 'b.t' },
      { from: `JOIN b ON date_trunc('hour', b.t) = date_trunc('hour', a.t)`, where: ON, value: 'b.v', time: 'b.t' },
      { from: `JOIN b USING (t)`, where: ON, value: 'b.v', time: 'b.t' },
      { from: `LEFT JOIN b ON b.t = a.t`, where: ON, value: 'b.v' },
      { from: `, b`, where: `b.t = a.t AND ${ON}`, value: 'b.v', time: 'b.t' },
      { from: `, LATERAL (SELECT max(d.n) AS n FROM d WHERE d.k <= a.k) l`, value: 'l.n' },
      {
        from: `JOIN (SELECT t, sum(v) AS v FROM b WHERE t >= $1 AND t < $2 GROUP BY t) b ON b.t = a.t`,
        value: 'b.v',
        time: 'b.t',
      },
      { from: 'JOIN LATERAL generate_series(1, a.k) AS g(i) ON true', value: 'g.i' },
    ),
  },
  {
    weight: 4,
    arbitrary: pick<Join>(
      { from: `JOIN b ON b.k = a.k AND ${ON}`, value: 'b.v' },
      { from: `LEFT JOIN b ON b.k = a.k AND b.v = a.v AND ${ON}`, value: 'b.v' },
      { from: `LEFT JOIN b ON b.t = a.t AND b.k = a.k AND ${ON}`, value: 'b.v', time: 'b.t' },
      { from: `, b`, where: `b.u = a.u AND ${ON}`, value: 'b.v' },
      { from: `FULL JOIN b ON b.t = a.t AND b.k = a.k AND ${ON}`, value: 'b.v' },
      { from: `RIGHT JOIN d ON d.k = a.k AND ${range('a')}`, value: 'd.n' },
      { from: `, LATERAL (SELECT sum(b.v) AS v FROM b WHERE b.k = a.k AND ${ON}) b`, value: 'b.v' },
      {
        from: `JOIN (SELECT k, max(t) AS t, sum(v) AS v FROM b WHERE t >= $1 AND t < $2 GROUP BY k) b ON b.t = a.t`,
        value: 'b.v',
      },
      {
        from: `JOIN (SELECT DISTINCT ON (k) k, t, v FROM b WHERE t >= $1 AND t < $2 ORDER BY k, t, id) b ON b.t = a.t`,
        value: 'b.v',
      },
      {
        from: `JOIN (SELECT t, v FROM b WHERE t >= $1 AND t < $2 ORDER BY v, id LIMIT 9) b ON b.t = a.t`,
        value: 'b.v',
      },
      { from: `JOIN (SELECT * FROM b WHERE t >= $1 AND t < $2) b ON b.k = a.k`, value: 'b.v' },
    ),
  },
);

const conditions = fc.oneof(
  { weight: 6, arbitrary: pick('true', 'a.v > 2', 'a.k IN (1, 2, 3)', 'a.v IS NOT NULL') },
  {
    weight: 2,
    arbitrary: pick(
      'EXISTS (SELECT 1 FROM d WHERE d.k = a.k)',
      'a.v > (SELECT avg(n) FROM d)',
      'a.k NOT IN (SELECT k FROM d WHERE n > 2)',
    ),
  },
  {
    weight: 1,
    arbitrary: pick(
      `EXISTS (SELECT 1 FROM b WHERE b.k = a.k AND b.v > a.v AND ${ON})`,
      `a.v >= (SELECT avg(b.v) FROM b WHERE ${ON})`,
      'random() < 0.5',
    ),
  },
);

const times = (time: string): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 5, arbitrary: pick(time, `date_trunc('hour', ${time})`) },
    { weight: 4, arbitrary: pick(`date_trunc('day', ${time})`, `${time}::date`, `date_trunc('day', ${time})::date`) },
    {
      weight: 1,
      arbitrary: pick(`date_trunc('week', ${time})`, 'a.u', `${time} + interval '5 hours'`, `coalesce(${time}, a.u)`),
    },
  );

/** What is selected, over the time and a value: plain rows, windows, groups, DISTINCT. `tail` comes behind WHERE. */
interface Shape {
  readonly select: string;
  readonly tail: string;
}
function shapes(time: string, value: string): fc.Arbitrary<Shape> {
  const grouped = (group: string, more = ''): Shape => ({
    select: `${time} AS t, count(*) AS n, sum(${value}) AS s${more}`,
    tail: `GROUP BY ${group}`,
  });
  const windowed = (call: string, over: string): Shape => ({
    select: `${time} AS t, a.id, ${call} OVER ${over} AS w`,
    tail: '',
  });
  return fc.oneof(
    {
      weight: 4,
      arbitrary: pick<Shape>(
        { select: `${time} AS t, a.id, ${value} AS v`, tail: '' },
        { select: `a.*, CASE WHEN ${value} > 3 THEN 'big' ELSE 'small' END AS size`, tail: '' },
        { select: `DISTINCT ${time} AS t, a.k`, tail: '' },
        { select: `DISTINCT ON (${time}) ${time} AS t, a.id, a.v`, tail: `ORDER BY ${time}, a.v, a.id, ${value}` },
      ),
    },
    {
      weight: 5,
      arbitrary: pick<Shape>(
        grouped('1'),
        grouped('1, a.k', ', a.k'),
        grouped(time, ', max(a.k) AS k'),
        { select: `max(${time}) AS t, a.k, count(*) AS n`, tail: `GROUP BY a.k, date_trunc('hour', a.t)` },
        {
          select: `${time} AS t, a.k, count(*) FILTER (WHERE a.v > 2) AS n`,
          tail: 'GROUP BY 1, 2 HAVING count(*) > 1',
        },
        { select: `${time} AS t, string_agg(a.id::text, ',' ORDER BY a.id) AS ids`, tail: 'GROUP BY t, a.t' },
        { select: `${time} AS t, sum(count(*)) OVER (PARTITION BY ${time}) AS w`, tail: `GROUP BY ${time}, a.k` },
      ),
    },
    {
      weight: 2,
      arbitrary: pick<Shape>(
        windowed('rank()', `(PARTITION BY a.t ORDER BY a.v)`),
        windowed(`sum(${value})`, `(PARTITION BY date_trunc('hour', a.t), a.k ORDER BY a.id)`),
        { ...windowed('lag(a.v)', '(w ORDER BY a.id, a.v)'), tail: 'WINDOW w AS (PARTITION BY a.t)' },
      ),
    },
    {
      weight: 3,
      arbitrary: pick<Shape>(
        windowed('rank()', '(ORDER BY a.v)'),
        windowed(`count(*)`, '(PARTITION BY a.k)'),
        { select: `max(${time}) AS t, a.k, count(*) AS n`, tail: 'GROUP BY a.k' },
        { select: `${time} AS t, a.k, count(*) AS n`, tail: `GROUP BY GROUPING SETS ((${time}, a.k), (a.k))` },
        { select: `${time} AS t, count(*) AS n`, tail: `GROUP BY ROLLUP (${time})` },
        { select: `DISTINCT ON (a.k) ${time} AS t, a.k, a.id`, tail: 'ORDER BY a.k, a.v, a.id' },
        { select: `${time} AS t, a.id`, tail: 'ORDER BY a.v, a.id LIMIT 5' },
        { select: `${time} AS t, a.id, extract(epoch FROM $2 - a.t) AS left`, tail: '' },
      ),
    },
  );
}

/** Around the query: as it is, as a CTE that is read again, joined with itself, under a set operation. */
const wraps: fc.Arbitrary<(sql: string) => string> = fc.oneof(
  { weight: 6, arbitrary: pick((sql: string) => sql) },
  {
    weight: 3,
    arbitrary: pick(
      (sql: string) => `WITH q AS (${sql}) SELECT * FROM q`,
      (sql: string) => `WITH q AS MATERIALIZED (${sql}) SELECT q.t, count(*) AS n FROM q GROUP BY q.t`,
      (sql: string) =>
        `WITH q AS (${sql}), r AS (SELECT t, count(*) AS n FROM q GROUP BY t) SELECT q.*, r.n AS rn FROM q JOIN r ON r.t = q.t`,
      (sql: string) => `SELECT x.t, x.t AS same FROM (${sql}) AS x LEFT JOIN d ON d.k = 1`,
    ),
  },
  {
    weight: 2,
    arbitrary: pick(
      (sql: string) => `WITH q AS (${sql}) SELECT t, count(*) OVER () AS n FROM q`,
      (sql: string) => `WITH q AS (${sql}) SELECT q.t, (SELECT count(*) FROM q) AS n FROM q`,
      (sql: string) => `WITH q AS (${sql}) SELECT x.t, y.t AS other FROM q x, q y`,
      (sql: string) => `SELECT t FROM (${sql}) x UNION ALL SELECT t FROM b WHERE k = 1`,
      (sql: string) => `SELECT t FROM (${sql}) x EXCEPT SELECT t FROM b`,
    ),
  },
);

/** Half of the queries are by the hour, where fewer times stay within a partition. */
export const queries: fc.Arbitrary<Generated> = fc
  .record({
    join: joins,
    limit: limit('a'),
    condition: conditions,
    wrap: wraps,
    grain: pick<Generated['grain']>('day', 'day', 'hour'),
  })
  .chain(({ join, limit: limited, condition, wrap, grain }) =>
    pick('a.t', 'a.t', join.time ?? 'a.t')
      .chain((base) => times(base))
      .chain((time) => shapes(time, join.value))
      .map(({ select, tail }) => {
        const where = [limited, condition, ...(join.where === undefined ? [] : [join.where])].join(' AND ');
        return { grain, sql: wrap(`SELECT ${select} FROM a ${join.from} WHERE ${where} ${tail}`) };
      }),
  );
