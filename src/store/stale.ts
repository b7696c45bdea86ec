import type { Need } from '../core/graph/need.js';
import type { Scope } from './store.js';

/** What staleness needs to know of a dataset. */
export interface LedgerNode {
  readonly name: string;
  readonly version: string;
  readonly zone: string;
  readonly needs: readonly Need[];
  /** Shapes of its partitions that lack a column which its source has by now. */
  readonly lacking?: readonly string[];
  /** The tables that it reads, by dataset. */
  readonly inputs: Readonly<Record<string, string>>;
}

/** Where the ledger has the rows of a dataset: what an environment defers is another's, and a table that is not current has a key of its own. */
export interface LedgerKey extends Scope {
  readonly key: string;
}

export type KeyOf = (dataset: string) => LedgerKey;

function rowsKey(keyOf: KeyOf, dataset: string): [string, string, string] {
  const { project, environment, key } = keyOf(dataset);
  return [project, environment, key];
}

/** A piece of SQL, and what it binds in the order of its `?`. */
export interface Sql {
  readonly sql: string;
  readonly bindings: readonly (string | number | string[])[];
}

/** The verdict on row `p` of the ledger: an expression, and what has to be joined to `p` for it. */
export interface StaleCase {
  readonly verdict: Sql;
  readonly joins: Sql;
}

/**
 * Whether a partition is stale is decided in SQL, by visibility: an input counts as changed if the transaction that last changed its
 * *content* is not in the snapshot that this partition read. Neither time nor sequence could tell: an upstream
 * that commits after our snapshot can carry an earlier number of either.
 */
export function staleCase(keyOf: KeyOf, node: LedgerNode): StaleCase {
  const watched = node.needs.filter((need) => need.stale !== 'ignore');
  const others = watched.filter((need) => need.dataset !== node.name);
  const unseen = others.map((need) => notSeen(keyOf, node, need, 'first_xid'));
  const changed = watched.map((need, i) =>
    need.window === 'all' ? changedBefore(keyOf, node, need, `all_${i}`) : notSeen(keyOf, node, need, 'changed_xid'),
  );
  // What is read now, and its rows with their transactions, may have been there all the time: while `p` read another table.
  const tables = Object.fromEntries(
    Object.entries(node.inputs).filter(([name]) => others.some((need) => need.dataset === name)),
  );
  const elsewhere: Sql = { sql: 'NOT coalesce(p.inputs @> ?::jsonb, true)', bindings: [JSON.stringify(tables)] };
  const joins = watched.flatMap((need, i) =>
    need.window === 'all' ? [latestBefore(keyOf, node, need, `all_${i}`)] : [],
  );
  const whens: Sql[] = [
    { sql: `WHEN p.published_at < p.ends_at AND isfinite(p.ends_at) THEN 'early'`, bindings: [] },
    { sql: `WHEN p.version <> ? THEN 'definition'`, bindings: [node.version] },
    ...(node.lacking === undefined || node.lacking.length === 0
      ? []
      : [{ sql: `WHEN p.shape = ANY (?::text[]) THEN 'columns'`, bindings: [[...node.lacking]] }]),
    { sql: `WHEN p.moved THEN 'moved'`, bindings: [] },
    ...(unseen.length > 0
      ? [join(`WHEN p.starts_at = '-infinity' AND (`, [elsewhere, ...unseen], ' OR ', `) THEN 'unseen'`)]
      : []),
    ...(changed.length > 0 ? [join('WHEN ', [elsewhere, ...changed], ' OR ', ` THEN 'inputs'`)] : []),
  ];
  return { verdict: join('CASE ', whens, ' ', ' END'), joins: join('', joins, ' ', '') };
}

function join(head: string, parts: readonly Sql[], between: string, tail: string): Sql {
  return {
    sql: head + parts.map(({ sql }) => sql).join(between) + tail,
    bindings: parts.flatMap(({ bindings }) => bindings),
  };
}

type Xid = 'first_xid' | 'changed_xid';

/** Whether `p` reads a partition whose `xid` its snapshot did not see. */
function notSeen(keyOf: KeyOf, node: LedgerNode, need: Need, xid: Xid): Sql {
  const keys = rowsKey(keyOf, need.dataset);
  const lookback = need.lookback ?? { months: 0, days: 0, ms: 0 };
  const same =
    need.dataset !== node.name && !need.window && lookback.months === 0 && lookback.days === 0 && lookback.ms === 0;
  // Mostly one of two quick looks will do: nothing there changed since before the oldest transaction that the snapshot could not
  // see (asked once), or the one row of the same interval is seen (one probe).
  const unchanged = `(SELECT n.${xid} FROM sluice.partitions n WHERE n.project = ? AND n.environment = ? AND n.dataset = ?
    ORDER BY n.${xid} DESC LIMIT 1) < pg_snapshot_xmin(p.snapshot)`;
  const twin = same
    ? `WHEN (SELECT pg_visible_in_snapshot(t.${xid}, p.snapshot) FROM sluice.partitions t WHERE t.project = ? AND t.environment = ?
        AND t.dataset = ? AND t.starts_at = p.starts_at AND t.ends_at = p.ends_at) THEN false`
    : '';
  const read = readRows(keyOf, node, need, xid);
  return {
    sql: `CASE WHEN ${unchanged} THEN false ${twin} ELSE ${read.sql} END`,
    bindings: [...keys, ...(same ? keys : []), ...read.bindings],
  };
}

/**
 * The same by looking at each row that `p` reads. Rows of a dataset do not overlap, so the first that can reach into `[lo, …)` is the last
 * that starts at or before `lo`: two index probes a partition instead of a scan of all earlier ones.
 */
function readRows(keyOf: KeyOf, node: LedgerNode, need: Need, xid: Xid): Sql {
  const keys = rowsKey(keyOf, need.dataset);
  const self = need.dataset === node.name;
  const from = readFrom(node, need);
  // What was published in one transaction was built in order: each partition saw those before it, though its snapshot did not.
  const until = self ? 'p.starts_at AND u.changed_xid <> p.xid' : 'p.ends_at';
  return {
    sql: `EXISTS (SELECT 1 FROM (SELECT ${from.sql} AS lo) AS b, sluice.partitions u
      WHERE u.project = ? AND u.environment = ? AND u.dataset = ?
        AND u.starts_at >= coalesce((SELECT max(b4.starts_at) FROM sluice.partitions b4
              WHERE b4.project = ? AND b4.environment = ? AND b4.dataset = ? AND b4.starts_at <= b.lo), b.lo)
        AND u.ends_at > b.lo AND NOT pg_visible_in_snapshot(u.${xid}, p.snapshot) AND u.starts_at < ${until})`,
    bindings: [...from.bindings, ...keys, ...keys],
  };
}

/** The instant from which row `p` of a partition reads. */
export function readFrom(node: Pick<LedgerNode, 'name' | 'zone'>, { dataset, window, lookback }: Need): Sql {
  if (window === 'all') return { sql: `'-infinity'::timestamptz`, bindings: [] };
  // The partition before holds the instant before the start.
  if (dataset === node.name && lookback === undefined)
    return { sql: `(p.starts_at - interval '1 microsecond')`, bindings: [] };
  const { months, days, ms } = lookback ?? { months: 0, days: 0, ms: 0 };
  if (months === 0 && days === 0) return { sql: '(p.starts_at - make_interval(secs => ?))', bindings: [ms / 1000] };
  return {
    sql: `(${FIRST_SHOWN} - make_interval(secs => ?))`,
    bindings: [node.zone, months, days, node.zone, ms / 1000],
  };
}

/**
 * The instant whose wall clock in a zone shows `p.starts_at` less months and days. Shown twice (clocks went back, by whatever it was),
 * PostgreSQL takes the second; a lookback begins at the first, as everywhere in `core/time`: at the offset that held a good day before,
 * for no clock went back by more than a day.
 */
const FIRST_SHOWN = `(SELECT CASE WHEN f.first < f.t AND f.first AT TIME ZONE f.zone = f.local THEN f.first ELSE f.t END
  FROM (SELECT s.*, (s.local - ((s.before AT TIME ZONE s.zone) - (s.before AT TIME ZONE 'UTC'))) AT TIME ZONE 'UTC' AS first
    FROM (SELECT l.local, l.zone, l.local AT TIME ZONE l.zone AS t, (l.local AT TIME ZONE l.zone) - interval '25 hours' AS before
      FROM (SELECT (p.starts_at AT TIME ZONE ?) - make_interval(months => ?, days => ?) AS local, ?::text AS zone) AS l) AS s) AS f)`;

/**
 * `window: all`, where looking at each row read would be quadratic. Of all that it reads the latest change ({@link latestBefore}) decides:
 * older than anything the snapshot could miss, or newer than anything it could see. Only in between are the rows looked at.
 */
function changedBefore(keyOf: KeyOf, node: LedgerNode, need: Need, alias: string): Sql {
  const read = readRows(keyOf, node, need, 'changed_xid');
  return {
    sql: `CASE WHEN ${alias}.latest IS NULL OR ${alias}.latest < pg_snapshot_xmin(p.snapshot)::text::bigint THEN false
      WHEN ${alias}.latest >= pg_snapshot_xmax(p.snapshot)::text::bigint THEN true ELSE ${read.sql} END`,
    bindings: read.bindings,
  };
}

/**
 * Joins to every `p` the latest change among all that begins before its end, in one sort. Where a dataset reads itself: before its start,
 * and before the first of those that its own transaction published, which it saw. As a bigint: before 16 there is no max of xid8.
 */
function latestBefore(keyOf: KeyOf, node: LedgerNode, need: Need, alias: string): Sql {
  const own = rowsKey(keyOf, node.name);
  const self = need.dataset === node.name;
  const latest = self ? 'first_value(latest) OVER (PARTITION BY xid ORDER BY at)' : 'latest';
  return {
    sql: `LEFT JOIN (SELECT starts_at, ${latest} AS latest FROM (
        SELECT starts_at, at, xid, max(changed) OVER (ORDER BY at, starts_at IS NULL) AS latest FROM (
          SELECT starts_at, ${self ? 'starts_at' : 'ends_at'} AS at, xid, NULL::bigint AS changed FROM sluice.partitions
            WHERE project = ? AND environment = ? AND dataset = ?
          UNION ALL SELECT NULL, starts_at, NULL, changed_xid::text::bigint FROM sluice.partitions
            WHERE project = ? AND environment = ? AND dataset = ?) AS event) AS seen
      WHERE starts_at IS NOT NULL) AS ${alias} ON ${alias}.starts_at = p.starts_at`,
    bindings: [...own, ...rowsKey(keyOf, need.dataset)],
  };
}
