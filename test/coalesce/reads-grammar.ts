import fc from 'fast-check';
import { queries, type Generated } from './grammar.js';

/**
 * Queries over the tables of {@link queries} that limit what they read in ways of their own: wider, by equality with what is limited, from
 * outside of a query, on the sides of outer joins. About half read no more than they seem to; `a` and `b` have their time in `t`.
 */
const pick = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const range = (x: string): string => `${x} >= $1 AND ${x} < $2`;

const limit = (x: string): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constant(range(x)) },
    {
      weight: 6,
      arbitrary: pick(
        `${x} >= $1 - interval '1 day' AND ${x} < $2`,
        `${x} >= $2 - interval '2 days' AND ${x} < $2`,
        `${x} >= $1 - 12 * interval '1 hour' AND ${x} < $2`,
        `${x} BETWEEN $1 - interval '6 hours' AND $2 - interval '1 second'`,
        `date_trunc('day', ${x}) = date_trunc('day', $1)`,
        `${x}::date = $1::date`,
        `${x}::date BETWEEN $1::date - 1 AND $1::date`,
        `${x}::date IN ($1::date, $1::date - 2)`,
        `${x} <@ tstzrange($1, $2)`,
        `${x} <@ tstzrange($1 - interval '1 day', $2, '[)')`,
        `NOT (${x} < $1 OR ${x} >= $2)`,
        `(${range(x)} OR (${x} >= $1 - interval '1 day' AND ${x} < $1))`,
        `${x} + interval '6 hours' >= $1 AND ${x} + interval '6 hours' < $2`,
        `extract(epoch FROM ${x}) >= extract(epoch FROM $1) AND extract(epoch FROM ${x}) < extract(epoch FROM $2)`,
        `${x} >= date_trunc('day', $1) AND ${x} < $1 + interval '1 hour'`,
        `${x}::timestamp >= $1::timestamp AND ${x}::timestamp < $2::timestamp`,
        `${x}::timestamp >= $1::timestamp - interval '1 day' AND ${x} < $2`,
      ),
    },
    {
      weight: 3,
      arbitrary: pick(
        `${x} < $2`,
        `${x} >= $1`,
        `${x} BETWEEN $1 AND $2`,
        `(${range(x)} OR ${x} IS NULL)`,
        `${x} >= $1 - interval '1 day' AND ${x} < $2 + interval '1 hour'`,
        `date_trunc('week', ${x}) = date_trunc('week', $1)`,
        `${x} >= $1 AND ${x} < $1 + interval '24 hours'`,
      ),
    },
  );

const joins: fc.Arbitrary<string> = pick(
  'JOIN b ON b.t = a.t',
  'JOIN b USING (t)',
  'LEFT JOIN b ON b.t = a.t AND b.k = a.k',
  'LEFT JOIN b USING (t)',
  'RIGHT JOIN b ON b.t = a.t',
  'FULL JOIN b ON b.t = a.t',
  'FULL JOIN b USING (t, k)',
  `LEFT JOIN b ON b.t >= a.t - interval '1 day' AND b.t <= a.t`,
  `JOIN b ON date_trunc('day', b.t) = date_trunc('day', a.t)`,
  `JOIN b ON b.t::date = a.t::date AND b.t < $2`,
  'JOIN b ON b.t < a.t',
  'JOIN b ON b.k = a.k',
  'JOIN (SELECT t, count(*) AS v, min(k) AS k, 1 AS id FROM b GROUP BY t) b ON b.t = a.t',
  'JOIN (SELECT max(t) AS t, count(*) AS v, k, 1 AS id FROM b GROUP BY k) b ON b.t = a.t',
  'JOIN (SELECT DISTINCT ON (k) * FROM b ORDER BY k, t, id) b ON b.t = a.t',
  'JOIN LATERAL (SELECT * FROM b x WHERE x.t = a.t ORDER BY v, id LIMIT 1) b ON true',
  'LEFT JOIN LATERAL (SELECT count(*) AS v, max(x.t) AS t, 1 AS k, 1 AS id FROM b x WHERE x.t <= a.t) b ON true',
  `LEFT JOIN (b JOIN d ON d.k = b.k) ON b.t = a.t`,
  `LEFT JOIN (d LEFT JOIN b ON b.k = d.k) ON b.t = a.t`,
  `JOIN b ON b.t IN (SELECT t FROM a x WHERE ${range('x.t')})`,
  `LEFT JOIN b ON b.t = (SELECT max(t) FROM b x WHERE ${range('x.t')})`,
);

/** Where the limit stands: of the table that is kept, of the other one, of both. */
const places = fc.record({ of: pick('a.t', 'b.t'), more: pick('', 'a.t', 'b.t') });

const joined: fc.Arbitrary<string> = fc.tuple(joins, places).chain(([join, { of, more }]) =>
  fc.tuple(limit(of), more === '' ? fc.constant('') : limit(more), pick('WHERE', 'AND')).map(([one, two, where]) => {
    const on = /JOIN \S+ USING/.test(join) ? 'WHERE' : where;
    const conditions = [one, ...(two === '' ? [] : [two])].join(' AND ');
    const text = `SELECT a.id, a.t, a.v, b.v AS bv, b.t AS bt FROM a ${join} ${on} ${conditions}`;
    return text;
  }),
);

/** Inner queries with a column `t`, which an outer one limits. */
const inner: fc.Arbitrary<string> = pick(
  'SELECT * FROM a',
  'SELECT t, k, v FROM a WHERE v > 1',
  'SELECT t, k, sum(v) AS v FROM a GROUP BY t, k',
  `SELECT date_trunc('day', t) AS t, k, sum(v) AS v FROM a GROUP BY 1, 2`,
  `SELECT t::date AS t, 1 AS k, sum(v) AS v FROM a GROUP BY t::date`,
  'SELECT min(t) AS t, k, sum(v) AS v FROM a GROUP BY k',
  'SELECT t, k, sum(v) OVER (PARTITION BY t) AS v FROM a',
  'SELECT t, k, sum(v) OVER (PARTITION BY k) AS v FROM a',
  'SELECT t, k, sum(v) OVER w AS v FROM a WINDOW w AS (PARTITION BY t, k)',
  'SELECT DISTINCT t, k, 1 AS v FROM a',
  'SELECT DISTINCT ON (t) t, k, v FROM a ORDER BY t, id',
  'SELECT DISTINCT ON (k) t, k, v FROM a ORDER BY k, t, id',
  'SELECT t, k, v FROM a ORDER BY t, id LIMIT 5',
  'SELECT t, k, v FROM a UNION ALL SELECT t, k, v FROM b',
  'SELECT t, k, v FROM a UNION SELECT u, k, v FROM b',
  'SELECT t, k, v FROM a EXCEPT SELECT t, k, v FROM b',
  'SELECT t, k, v FROM a INTERSECT SELECT t, k, v FROM b',
  '(SELECT t, k, v FROM a) UNION ALL (SELECT t, k, v FROM b ORDER BY v, id LIMIT 3)',
  'SELECT t, k, count(*) AS v FROM a GROUP BY ROLLUP (t, k)',
  'SELECT a.t, a.k, b.v FROM a LEFT JOIN b ON b.t = a.t',
  'SELECT b.t, a.k, b.v FROM a LEFT JOIN b ON b.k = a.k',
  'SELECT t, k, v FROM a FULL JOIN b USING (t, k, v)',
  'SELECT t AS u, u AS t, k, v FROM a',
  'SELECT x.t, x.k, x.v FROM (SELECT t, k, lag(v) OVER (ORDER BY t, id) AS v FROM a) x',
  'SELECT t, k, (SELECT count(*) FROM b WHERE b.t = a.t) AS v FROM a',
  'SELECT t, k, (SELECT count(*) FROM b WHERE b.t < a.t) AS v FROM a',
  'SELECT t, k, v FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.t = a.t AND b.k = a.k)',
  'SELECT t, k, v FROM a WHERE k NOT IN (SELECT k FROM b WHERE k IS NOT NULL AND b.t = a.t)',
);

const outer: fc.Arbitrary<string> = fc
  .tuple(inner, limit('q.t'), limit('q.t'), limit('r.t'))
  .chain(([query, one, two, three]) =>
    pick(
      `WITH q AS (${query}) SELECT q.* FROM q WHERE ${one}`,
      `SELECT q.* FROM (${query}) q WHERE ${one}`,
      `SELECT q.t, q.v FROM (${query}) q (t) WHERE ${one}`,
      `WITH q AS (${query}) SELECT q.t, r.v FROM q JOIN q r ON r.k = q.k WHERE ${one} AND ${three}`,
      `WITH q AS (${query}) SELECT q.t, r.v FROM q LEFT JOIN q r ON r.t = q.t WHERE ${one}`,
      `WITH q AS (${query}) SELECT q.t, q.v FROM q WHERE ${one} UNION ALL SELECT q.t, q.v FROM q WHERE ${two}`,
      `WITH q AS (${query}), r AS (SELECT t, count(*) AS n FROM q GROUP BY t) SELECT q.t, r.n FROM q JOIN r ON r.t = q.t WHERE ${one}`,
      `WITH q AS (${query}) SELECT d.k, (SELECT sum(q.v) FROM q WHERE ${one}) AS s FROM d`,
      `WITH q AS (${query}) SELECT g, count(q.v) FROM generate_series($1, $2 - interval '1 hour', interval '1 hour') g LEFT JOIN q ON q.t = g GROUP BY 1`,
      `WITH q AS (${query}) SELECT q.t, count(*) FILTER (WHERE ${one}) AS n FROM q WHERE ${two} GROUP BY 1`,
    ),
  );

export const reading: fc.Arbitrary<Generated> = fc.oneof(
  { weight: 2, arbitrary: queries },
  { weight: 3, arbitrary: fc.record({ sql: joined, grain: pick<Generated['grain']>('day', 'hour') }) },
  { weight: 3, arbitrary: fc.record({ sql: outer, grain: pick<Generated['grain']>('day', 'hour') }) },
);
