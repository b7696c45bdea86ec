import { choose, type Contender } from '../../core/throttle/share.js';
import type { PgClient } from '../../postgres/pool.js';
import type { Publisher } from './publish.js';

/**
 * Where work waits for its turn, between two batches.
 *
 * A slot is an advisory lock (SLOTS, i) on the working connection itself, one of the first `slots` numbers: it is freed by the
 * database when the connection dies, so a killed worker cannot keep it, and everybody who works on that database
 * (other workers, backfills, projects) takes from the same numbers. A call holds its number in `sluice.calls` instead.
 */
export const SLOTS = 0x736c7565;
/** Shared locks beside it show others who is there: (HELD, epoch) of who has a slot, (WAITING, epoch) of who found none, (GIVEN, epoch) for whom one was left. */
const [HELD, WAITING, GIVEN] = [0x736c7566, 0x736c7567, 0x736c7568];
/** Who has not asked for so long waits no more: its worker is frozen, and nobody may wait for it. */
const ASKED_LATELY = `interval '1 s'`;

export interface Verdict {
  readonly kind: 'go' | 'full' | 'paused' | 'cancelled' | 'fenced';
  readonly slots: number | null;
  readonly rate: number | null;
  /** On `go`, the numbers that are held: of the database's slots, and of the backfill's own. */
  readonly slot: number | null;
  readonly own: number | null;
  /** Why nobody passes, where it is not for want of a free slot: somebody holds, or the governor does. */
  readonly why: string | null;
}

/** Backfills at the gate, this session apart; looked at only where there is more than one, and a slot to be had. */
const CONTENDERS = `
  SELECT coalesce(json_agg(e), '[]') FROM (
    SELECT l.objid::bigint AS epoch, coalesce(min(c.priority), 3) AS priority, count(*) FILTER (WHERE l.classid = $6::int::oid) AS held,
      count(*) FILTER (WHERE l.classid = $7::int::oid AND lately) AS waiting, count(*) FILTER (WHERE l.classid = $8::int::oid AND lately) AS given
    FROM pg_locks l LEFT JOIN LATERAL (
      SELECT query_start > clock_timestamp() - ${ASKED_LATELY} AS lately FROM pg_stat_get_activity(l.pid)) a ON true
    LEFT JOIN sluice.reservations r ON r.epoch = l.objid::bigint LEFT JOIN sluice.control c ON c.workflow_id = r.workflow_id
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid IN ($6::int::oid, $7::int::oid, $8::int::oid) AND l.pid <> pg_backend_pid()
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    GROUP BY 1) e`;

/** The heartbeat goes with it, a few times a minute: who holds a reservation and asks for turns is alive, whatever Temporal knows. */
const ASK = `
  WITH beat AS (UPDATE sluice.control SET heartbeat_at = clock_timestamp()
    WHERE workflow_id = (SELECT workflow_id FROM sluice.reservations WHERE epoch = $4) AND heartbeat_at < clock_timestamp() - interval '10 s')
  , given AS MATERIALIZED (SELECT pg_advisory_unlock_all())   -- the slots below depend on joined rows: taken after it
  , calls AS MATERIALIZED (SELECT array_agg(slot) AS slots, array_agg(own) FILTER (WHERE epoch = $4) AS owns
      FROM sluice.calls WHERE until > clock_timestamp())
  , asked AS MATERIALIZED (SELECT r.epoch IS NULL AS fenced, coalesce(c.cancelled, false) AS cancelled, coalesce(c.paused, false) AS paused, l.slots, l.rate, l.why,
    CASE WHEN r.epoch IS NULL OR c.cancelled OR c.paused OR l.slots IS NULL THEN NULL
      ELSE (SELECT i FROM generate_series(0, l.slots - 1) AS i WHERE CASE WHEN i = ANY (calls.slots) THEN false ELSE pg_try_advisory_lock($5, i) END LIMIT 1) END AS slot,
    CASE WHEN r.epoch IS NULL OR c.cancelled OR c.paused OR c.max_parallel IS NULL THEN NULL
      ELSE (SELECT i FROM generate_series(0, c.max_parallel - 1) AS i WHERE CASE WHEN i = ANY (calls.owns) THEN false ELSE pg_try_advisory_lock($4 * 1000 + i) END LIMIT 1) END AS own,
    c.max_parallel IS NOT NULL AS capped
  FROM given CROSS JOIN calls
  LEFT JOIN sluice.reservations r ON r.epoch = $4
  LEFT JOIN sluice.control c ON c.workflow_id = r.workflow_id
  LEFT JOIN sluice.in_force l ON l.project = $1 AND l.environment = $2 AND l.connection = $3)
  SELECT *,
    CASE WHEN slot IS NOT NULL AND (SELECT count(*) FROM sluice.reservations) > 1 THEN (${CONTENDERS}) END AS contenders,
    CASE WHEN slots IS NULL THEN NULL WHEN slot IS NOT NULL THEN pg_try_advisory_lock_shared($6, $4::int)
      WHEN slots > 0 AND NOT (fenced OR cancelled OR paused OR capped AND own IS NULL) THEN pg_try_advisory_lock_shared($7, $4::int) END AS marked
  FROM asked`;

interface AskRow {
  fenced: boolean;
  cancelled: boolean;
  paused: boolean;
  capped: boolean;
  slots: number | null;
  rate: number | null;
  slot: number | null;
  own: number | null;
  why: string | null;
  contenders: Contender[] | null;
}

/** Connections that have a turn. */
const holders = new WeakSet<PgClient>();

/** Gives this connection's turn back and asks for another on the warehouse: one round trip. On `go` the caller holds it until it asks again, or {@link giveTurn}. */
export async function askTurn(client: PgClient, who: Publisher, connection: string): Promise<Verdict> {
  const { rows } = await client.query<AskRow>({
    name: 'sluice_gate',
    text: ASK,
    values: [who.project, who.environment, connection, who.epoch, SLOTS, HELD, WAITING, GIVEN],
  });
  const had = holders.delete(client);
  const [row] = rows;
  if (!row) throw new Error('the gate answered without a row');
  const { slots, rate, slot, own, why } = row;
  const verdict = { slots, rate, slot, own, why };
  if (row.fenced) return { ...verdict, kind: 'fenced' };
  if (row.cancelled) return { ...verdict, kind: 'cancelled' };
  if (row.paused) return { ...verdict, kind: 'paused' };
  const full = (slots !== null && slot === null) || (row.capped && own === null);
  if (full && (slot !== null || own !== null)) await giveTurn(client);
  const choice = full ? null : choose(row.contenders ?? [], who.epoch, had, Math.random());
  if (choice && choice.kind !== 'take') {
    await leaveTurn(client, who.epoch, choice.kind === 'give' ? choice.to : null);
    return { ...verdict, kind: 'full', slot: null, own: null };
  }
  if (!full) holders.add(client);
  return { ...verdict, kind: full ? 'full' : 'go' };
}

/** Asks for a slot of a pool, beside the turn that this connection has on the warehouse, and for as long. A project's pools are its own. */
export async function askPool(client: PgClient, who: Publisher, pool: string, slots: number): Promise<boolean> {
  const { rows } = await client.query<{ slot: number | null }>({
    name: 'sluice_pool',
    text: `SELECT (SELECT i FROM generate_series(0, $2::int - 1) AS i WHERE pg_try_advisory_lock(hashtext($1), i) LIMIT 1) AS slot`,
    values: [`sluice pool ${who.project}/${who.environment}/${pool}`, slots],
  });
  return rows[0]?.slot !== null;
}

/** Leaves a slot to another backfill, and goes on waiting. */
async function leaveTurn(client: PgClient, epoch: number, to: number | null): Promise<void> {
  await client.query({
    name: 'sluice_leave',
    text: `SELECT CASE WHEN pg_advisory_unlock_all() IS NOT NULL THEN pg_try_advisory_lock_shared($1, $2) END,
      CASE WHEN $4::int IS NOT NULL THEN pg_try_advisory_lock_shared($3, $4) END`,
    values: [WAITING, epoch, GIVEN, to],
  });
}

/** Gives every turn of this connection back. */
export async function giveTurn(client: PgClient): Promise<void> {
  holders.delete(client);
  await client.query({ name: 'sluice_give', text: 'SELECT pg_advisory_unlock_all()' });
}

/**
 * Takes the next moment of a source's rate, in ms from now. The row of the limit hands them out, `1 / rate` apart, by the
 * warehouse's clock, to all workers.
 */
export async function nextMoment(client: PgClient, who: Publisher, connection: string): Promise<number> {
  const { rows } = await client.query<{ ms: number }>({
    name: 'sluice_moment',
    text: `UPDATE sluice.limits l SET next_turn_at = greatest(l.next_turn_at, clock_timestamp()) + make_interval(secs => 1 / f.rate)
      FROM sluice.in_force f
      WHERE l.project = $1 AND l.environment = $2 AND l.connection = $3 AND f.rate > 0
        AND f.project = l.project AND f.environment = l.environment AND f.connection = l.connection
      RETURNING extract(epoch FROM l.next_turn_at - clock_timestamp())::float8 * 1000 - 1000 / f.rate AS ms`,
    values: [who.project, who.environment, connection],
  });
  return Math.max(0, rows[0]?.ms ?? 0);
}

/** A turn that is taken on a database: by a connection of a slice, which has its name. */
export interface TurnTaken {
  readonly epoch: string;
  readonly dataset: string;
  readonly slots: number;
}

/** Who holds the slots of this database now. A dataset's name may be cut: PostgreSQL keeps 63 bytes of it. */
export async function turnsTaken(client: PgClient): Promise<TurnTaken[]> {
  const { rows } = await client.query<TurnTaken>(
    `SELECT split_part(a.application_name, '/', 2) AS epoch, substring(a.application_name FROM '^sluice/[0-9]+/[0-9]+/[0-9]+/(.*)$') AS dataset,
       count(*)::int AS slots
     FROM pg_locks l JOIN pg_stat_activity a USING (pid)
     WHERE l.locktype = 'advisory' AND l.granted AND l.classid = $1::oid AND l.objsubid = 2
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND a.application_name ~ '^sluice/[0-9]+/[0-9]+/[0-9]+/'
     GROUP BY 1, 2 ORDER BY 1, 2`,
    [SLOTS],
  );
  return rows;
}
