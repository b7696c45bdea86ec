import type { Reading, Sense } from '../../core/throttle/types.js';
import type { PgClient } from '../../postgres/pool.js';
import { faultOf } from '../../postgres/error.js';

/**
 * What is sensed of a database, each reading by itself: one that errs is unknown with a reason and stops no other. All of it on a
 * connection of the governor's own, each statement cut off after {@link STATEMENT_MS}. Nothing here is kept: a round reads all anew.
 */
export type Sensed = Partial<Record<Sense, Omit<Reading, 'ageMs'>>>;

/** A statement of ours is short or not worth its answer. */
export const STATEMENT_MS = 500;

/** Backends of sluice, whatever they do there. */
const OURS = (a: string): string => `(${a}.application_name = 'sluice' OR ${a}.application_name LIKE 'sluice/%')`;
/** Those that carry batches out: `sluice/<epoch>/<slice>/<attempt>/<dataset>`. */
const OUR_WORK = (a: string): string => `${a}.application_name ~ '^sluice/[0-9]+/[0-9]+/[0-9]+/'`;

/** The right that shows what other roles' backends do. */
const NEEDS_STATS = 'this role may not see what others do: GRANT pg_monitor (or pg_read_all_stats) to it';

/**
 * Who is at work. A parallel worker counts for its leader's side. Our own look must be among the rows, active, begun just now: statistics that are switched off or
 * frozen show something else. Backends that wait for their client cost nothing, and governors look but do no work.
 */
const ACTIVITY = `
  WITH a AS (SELECT a.*, coalesce(l.application_name, a.application_name) AS app
    FROM pg_stat_activity a LEFT JOIN pg_stat_activity l ON l.pid = a.leader_pid
    WHERE a.backend_type IN ('client backend', 'parallel worker') OR a.backend_type IS NULL)
  , active AS (SELECT app = 'sluice' OR app LIKE 'sluice/%' AS ours FROM a
    WHERE state = 'active' AND wait_event_type IS DISTINCT FROM 'Client' AND app NOT LIKE 'sluice/governor/%')
  SELECT pg_has_role('pg_read_all_stats', 'USAGE') AS sees,
    (SELECT count(*)::int FROM a WHERE state = 'disabled') AS disabled,
    coalesce((SELECT state = 'active' AND abs(extract(epoch FROM clock_timestamp() - query_start)) < 2 FROM a WHERE pid = pg_backend_pid()), false) AS fresh,
    (SELECT count(*)::int FROM active WHERE NOT ours) AS foreground,
    (SELECT count(*)::int FROM active WHERE ours) AS ours,
    (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
    current_setting('max_connections')::int - coalesce(current_setting('superuser_reserved_connections', true)::int, 0)
      - coalesce(current_setting('reserved_connections', true)::int, 0) AS allowed`;

interface ActivityRow {
  readonly sees: boolean;
  readonly disabled: number;
  readonly fresh: boolean;
  readonly foreground: number;
  readonly ours: number;
  readonly used: number;
  readonly allowed: number;
}

export async function senseActivity(client: PgClient): Promise<Sensed> {
  return within(['foreground', 'ours', 'connections'], async () => {
    const row = await rowOf<ActivityRow>(client, ACTIVITY);
    const broken = !row.sees
      ? NEEDS_STATS
      : row.disabled > 0 || !row.fresh
        ? `pg_stat_activity does not show what runs now: is track_activities on?`
        : undefined;
    if (broken !== undefined)
      return { foreground: unknown(broken), ours: unknown(broken), connections: unknown(broken) };
    const free = row.allowed - row.used;
    return {
      foreground: known(row.foreground, `${row.foreground} backends of others are active`),
      ours: known(row.ours, `${row.ours} of sluice are active`),
      connections: known(free, `${free} of ${row.allowed} connections are free`),
    };
  });
}

/** Who waits for whom: sessions of others behind one of ours, at a lock or in its queue. */
const BLOCKED = `
  SELECT DISTINCT w.pid AS waiter, o.pid AS blocker, o.xact_start
  FROM pg_stat_activity w CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS b(pid) JOIN pg_stat_activity o ON o.pid = b.pid
  WHERE w.wait_event_type = 'Lock' AND w.backend_type = 'client backend' AND NOT ${OURS('w')} AND ${OUR_WORK('o')}`;

export async function senseBlocked(client: PgClient): Promise<Sensed> {
  return within(['blocked'], async () => {
    const row = await rowOf<{ sees: boolean; n: number }>(
      client,
      `SELECT pg_has_role('pg_read_all_stats', 'USAGE') AS sees, (SELECT count(DISTINCT waiter)::int FROM (${BLOCKED}) x) AS n`,
    );
    if (!row.sees) return { blocked: unknown(NEEDS_STATS) };
    return { blocked: known(row.n, `${row.n} sessions of others wait for a lock of sluice's`) };
  });
}

/**
 * Stops our work in the database: the youngest backend that others wait for, or all. What is idle between two statements cannot be cancelled,
 * so its session ends. Either way the batch is rolled back and tried again later.
 */
export async function cancelOurs(client: PgClient, which: 'blocker' | 'all'): Promise<number> {
  const chosen =
    which === 'blocker'
      ? `SELECT blocker AS pid FROM (${BLOCKED}) x ORDER BY xact_start DESC NULLS LAST LIMIT 1`
      : `SELECT pid FROM pg_stat_activity a WHERE ${OUR_WORK('a')} AND xact_start IS NOT NULL`;
  const { rows } = await client.query<{ done: boolean }>(
    `SELECT CASE WHEN a.state = 'active' THEN pg_cancel_backend(a.pid) ELSE pg_terminate_backend(a.pid) END AS done
     FROM pg_stat_activity a JOIN (${chosen}) c ON c.pid = a.pid`,
  );
  return rows.length;
}

/** Runs one look; what it throws becomes the reason why its readings are unknown. */
export async function within(senses: readonly Sense[], look: () => Promise<Sensed>): Promise<Sensed> {
  try {
    return await look();
  } catch (error) {
    const { message } = faultOf(error, 'warehouse');
    return Object.fromEntries(senses.map((sense) => [sense, unknown(`could not be read: ${message}`)]));
  }
}

export function known(value: number, reason: string): { value: number; reason: string } {
  return { value, reason };
}

export function unknown(reason: string): { value: null; reason: string } {
  return { value: null, reason };
}

export async function rowOf<Row extends object>(client: PgClient, sql: string, values: unknown[] = []): Promise<Row> {
  const { rows } = await client.query<Row>(sql, values);
  const [row] = rows;
  if (!row) throw new Error('the database answered without a row');
  return row;
}
