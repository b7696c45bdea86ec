import type { Need } from '../core/graph/need.js';
import type { Instant } from '../core/interval/interval.js';
import type { LedgerRun } from '../core/plan/types.js';
import { keysOf, rowsOf, type Db, type Scope } from './store.js';

/** What staleness needs to know of a dataset. */
export interface LedgerNode {
  readonly name: string;
  readonly version: string;
  readonly zone: string;
  readonly needs: readonly Need[];
}

/**
 * What the ledger holds of a dataset, as runs of adjacent partitions of one length and one verdict.
 *
 * Stale is decided here, in SQL, by visibility: an input counts as changed if the transaction that last changed its
 * *content* is not in the snapshot that this partition read. Neither time nor sequence could tell: an upstream
 * that commits after our snapshot can carry an earlier number of either.
 */
export async function ledgerRuns(
  db: Db,
  /** Whose rows: what an environment defers is another's. */
  scopeOf: (dataset: string) => Scope,
  node: LedgerNode,
): Promise<LedgerRun[]> {
  const { sql, bindings } = staleCase(scopeOf, node);
  const scope = scopeOf(node.name);
  const rows = await rowsOf<RunRow>(
    db,
    // Materialized: inlined, the verdict would be worked out again wherever it is named. Infinities can't be subtracted before 17.
    `WITH p AS MATERIALIZED (
       SELECT starts_at, ends_at, CASE WHEN isfinite(starts_at) THEN ends_at - starts_at END AS step, published_at, ${sql} AS stale
       FROM sluice.partitions p WHERE project = ? AND environment = ? AND dataset = ?
     ), marked AS (
       SELECT *, (starts_at, step, stale) IS DISTINCT FROM
         (lag(ends_at) OVER w, lag(step) OVER w, lag(stale) OVER w) AS begins
       FROM p WINDOW w AS (ORDER BY starts_at)
     ), grouped AS (SELECT *, count(*) FILTER (WHERE begins) OVER (ORDER BY starts_at) AS run FROM marked)
     SELECT isfinite(min(starts_at)) AS finite, extract(epoch FROM min(starts_at)) * 1000 AS starts, extract(epoch FROM max(ends_at)) * 1000 AS ends,
            count(*)::int AS count, min(stale) AS stale, extract(epoch FROM max(published_at)) * 1000 AS published
     FROM grouped GROUP BY run ORDER BY min(starts_at)`,
    [...bindings, scope.project, scope.environment, node.name],
  );
  return rows.map(runOf);
}

interface RunRow {
  finite: boolean;
  starts: string;
  ends: string;
  count: number;
  stale: LedgerRun['stale'];
  published: string;
}

function runOf({ finite, starts, ends, count, stale, published }: RunRow): LedgerRun {
  const publishedAt = Number(published);
  if (!finite) return { start: -Infinity, step: Infinity, count: 1, stale, publishedAt };
  return { start: Number(starts), step: (Number(ends) - Number(starts)) / count, count, stale, publishedAt };
}

function staleCase(
  scopeOf: (dataset: string) => Scope,
  node: LedgerNode,
): { sql: string; bindings: (string | number)[] } {
  const bindings: (string | number)[] = [node.version];
  const exists = (need: Need, column: 'first_xid' | 'changed_xid'): string => {
    const lookback = need.lookback ?? { months: 0, days: 0, ms: 0 };
    const calendar = lookback.months > 0 || lookback.days > 0;
    const from =
      need.window === 'all'
        ? `'-infinity'::timestamptz`
        : calendar
          ? `(${FIRST_SHOWN} - make_interval(secs => ?))`
          : `(p.starts_at - make_interval(secs => ?))`;
    const zoned = calendar ? [node.zone, lookback.months, lookback.days, node.zone] : [];
    const fromBindings = need.window === 'all' ? [] : [...zoned, lookback.ms / 1000];
    const scope = scopeOf(need.dataset);
    const keys = [scope.project, scope.environment, need.dataset];
    const same = need.window !== 'all' && lookback.months === 0 && lookback.days === 0 && lookback.ms === 0;
    bindings.push(...keys, ...(same ? keys : []), ...fromBindings, ...keys, ...keys);
    // Mostly one of two quick looks will do: nothing there changed since before the oldest transaction that the snapshot could not
    // see (asked once), or the one row of the same interval is seen (one probe).
    const unchanged = `(SELECT n.${column} FROM sluice.partitions n WHERE n.project = ? AND n.environment = ? AND n.dataset = ?
      ORDER BY n.${column} DESC LIMIT 1) < pg_snapshot_xmin(p.snapshot)`;
    const twin = same
      ? `WHEN (SELECT pg_visible_in_snapshot(t.${column}, p.snapshot) FROM sluice.partitions t WHERE t.project = ? AND t.environment = ?
          AND t.dataset = ? AND t.starts_at = p.starts_at AND t.ends_at = p.ends_at) THEN false`
      : '';
    // Rows of a dataset do not overlap, so the first that can reach into [lo, …) is the last that starts at or before lo:
    // two index probes a partition instead of a scan of all earlier ones.
    return `CASE WHEN ${unchanged} THEN false ${twin} ELSE EXISTS (SELECT 1 FROM (SELECT ${from} AS lo) AS b, sluice.partitions u
      WHERE u.project = ? AND u.environment = ? AND u.dataset = ?
        AND u.starts_at >= coalesce((SELECT max(b4.starts_at) FROM sluice.partitions b4
              WHERE b4.project = ? AND b4.environment = ? AND b4.dataset = ? AND b4.starts_at <= b.lo), b.lo)
        AND u.starts_at < p.ends_at AND u.ends_at > b.lo AND NOT pg_visible_in_snapshot(u.${column}, p.snapshot)) END`;
  };
  const watched = node.needs.filter((need) => need.stale !== 'ignore' && need.dataset !== node.name);
  const unseen = watched.map((need) => exists(need, 'first_xid'));
  const changed = watched.map((need) => exists(need, 'changed_xid'));
  const whens = [
    `WHEN p.version <> ? THEN 'definition'`,
    ...(unseen.length > 0 ? [`WHEN p.starts_at = '-infinity' AND (${unseen.join(' OR ')}) THEN 'unseen'`] : []),
    ...(changed.length > 0 ? [`WHEN ${changed.join(' OR ')} THEN 'inputs'`] : []),
  ];
  return { sql: `CASE ${whens.join(' ')} END`, bindings };
}

/**
 * The instant whose wall clock in a zone shows `p.starts_at` less months and days. Shown twice (clocks went back), PostgreSQL
 * takes the second; a lookback begins at the first, as everywhere in `core/time`.
 */
const FIRST_SHOWN = `(SELECT CASE WHEN (s.t - interval '1 hour') AT TIME ZONE s.zone = s.local THEN s.t - interval '1 hour' ELSE s.t END
  FROM (SELECT l.local, l.zone, l.local AT TIME ZONE l.zone AS t
    FROM (SELECT (p.starts_at AT TIME ZONE ?) - make_interval(months => ?, days => ?) AS local, ?::text AS zone) AS l) AS s)`;

/** One row of `sluice ledger`. */
export interface LedgerRow {
  readonly starts_at: string;
  readonly ends_at: string;
  readonly backfill_id: string;
  readonly version: string;
  readonly rows: number;
  readonly published_at: string;
}

/** Published partitions that overlap `[from, to)`, oldest first. */
export async function ledgerRows(
  db: Db,
  scope: Scope,
  dataset: string,
  from: Instant,
  to: Instant,
): Promise<LedgerRow[]> {
  const rows = await rowsOf<Omit<LedgerRow, 'rows'> & { rows: string }>(
    db,
    `SELECT ${isoColumn('starts_at')}, ${isoColumn('ends_at')}, backfill_id, version, rows, ${isoColumn('published_at')}
     FROM sluice.partitions WHERE project = ? AND environment = ? AND dataset = ?
       AND ends_at > ?::timestamptz AND starts_at < ?::timestamptz ORDER BY partitions.starts_at`,
    [scope.project, scope.environment, dataset, sqlInstant(from), sqlInstant(to)],
  );
  return rows.map((row) => ({ ...row, rows: Number(row.rows) }));
}

/** Takes the ledger's rows of `[from, to)` away; the table keeps its data. Returns how many. */
export async function forgetRows(db: Db, scope: Scope, dataset: string, from: Instant, to: Instant): Promise<number> {
  return db('sluice.partitions')
    .where({ ...keysOf(scope), dataset })
    .andWhereRaw('starts_at >= ?::timestamptz AND ends_at <= ?::timestamptz', [sqlInstant(from), sqlInstant(to)])
    .delete();
}

/** An instant as PostgreSQL reads it. */
export function sqlInstant(instant: Instant): string {
  if (instant === Infinity) return 'infinity';
  if (instant === -Infinity) return '-infinity';
  return new Date(instant).toISOString();
}

/** A timestamptz column as our JSON writes instants. */
export function isoColumn(column: string): string {
  return `CASE WHEN isfinite(${column}) THEN to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') ELSE ${column}::text END AS ${column}`;
}
