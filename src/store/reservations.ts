import { sqlInstant } from './ledger.js';
import { keysOf, rowsOf, type Db, type Scope } from './store.js';
import type { Instant, Interval } from '../core/interval/interval.js';
import { normalize, overlapping, subtract } from '../core/interval/set.js';

/** A dataset's interval that a backfill holds. */
export interface Held {
  readonly dataset: string;
  readonly start: Instant;
  readonly end: Instant;
}

export interface Conflict {
  readonly workflowId: string;
  readonly backfillId: string;
  readonly dataset: string;
  readonly start: Instant;
  readonly end: Instant;
  /** Age of the holder's heartbeat, ms by the warehouse's clock. */
  readonly heartbeatAgeMs: number;
}

/** Key of the advisory lock under which a scope's plans are reserved: one at a time, so that two cannot miss each other. */
export async function lockScope(tx: Db, { project, environment }: Scope): Promise<void> {
  // Between two statements a plan is computed. But a worker that is frozen while it plans must not stop all planning for ever.
  await tx.raw(`SET LOCAL idle_in_transaction_session_timeout = '2min'`);
  await tx.raw(`SELECT pg_advisory_xact_lock(hashtextextended(?, 0))`, [`sluice reserve ${project}@${environment}`]);
}

/** What other backfills hold of what is wanted, see {@link allHeld}. */
export async function findConflicts(
  tx: Db,
  scope: Scope,
  workflowId: string,
  wanted: readonly Held[],
): Promise<Conflict[]> {
  return wantedOf(await allHeld(tx, scope, workflowId, namesOf(wanted)), wanted);
}

/** The same, with what they have done with: who is gone is asked of all that it reserved. */
export async function findReserved(
  tx: Db,
  scope: Scope,
  workflowId: string,
  wanted: readonly Held[],
): Promise<Conflict[]> {
  return wantedOf(await allReserved(tx, { scope, is: '<>', workflowId, datasets: namesOf(wanted) }), wanted);
}

function wantedOf(held: readonly Conflict[], wanted: readonly Held[]): Conflict[] {
  const byName = new Map<string, Held[]>();
  for (const one of wanted) {
    const known = byName.get(one.dataset);
    if (known) known.push(one);
    else byName.set(one.dataset, [one]);
  }
  const sets = new Map([...byName].map(([name, some]) => [name, normalize(some)]));
  return held.filter((one) => overlapping(sets.get(one.dataset) ?? [], one).length > 0);
}

function namesOf(wanted: readonly Held[]): string[] {
  return [...new Set(wanted.map(({ dataset }) => dataset))];
}

/**
 * Everything that other backfills of the scope hold: what they reserved, without what they have done with (decision 0025). A batch pays nothing
 * for that, as it would if it cut the rows of `sluice.reserved`: who asks looks at the ledger.
 * @param datasets - only of these; absent: of all
 */
export async function allHeld(
  tx: Db,
  scope: Scope,
  exceptWorkflow: string,
  datasets?: readonly string[],
): Promise<Conflict[]> {
  return left(tx, { scope, is: '<>', workflowId: exceptWorkflow, datasets });
}

/** What a backfill itself still holds: what it has not done with. */
export async function heldOf(tx: Db, scope: Scope, workflowId: string): Promise<Conflict[]> {
  return left(tx, { scope, is: '=', workflowId });
}

/** Whose reservations: of one workflow, or of all but one. */
interface Whose {
  readonly scope: Scope;
  readonly is: '=' | '<>';
  readonly workflowId: string;
  /** Only of these; absent: of all. */
  readonly datasets?: readonly string[] | undefined;
}

async function left(tx: Db, whose: Whose): Promise<Conflict[]> {
  const reserved = await allReserved(tx, whose);
  if (reserved.length === 0) return [];
  const done = await doneWith(tx, whose);
  return reserved.flatMap((one) => {
    const over = done.get(`${one.workflowId} ${one.dataset}`);
    return over === undefined ? [one] : subtract([one], overlapping(over, one)).map((rest) => ({ ...one, ...rest }));
  });
}

async function allReserved(tx: Db, whose: Whose): Promise<Conflict[]> {
  const rows = await rowsOf<{
    workflow_id: string;
    backfill_id: string;
    dataset: string;
    s: number;
    e: number;
    age: number;
  }>(
    tx,
    `SELECT r.workflow_id, r.backfill_id, d.dataset,
       extract(epoch FROM d.starts_at)::float8 * 1000 AS s, extract(epoch FROM d.ends_at)::float8 * 1000 AS e,
       coalesce(extract(epoch FROM clock_timestamp() - c.heartbeat_at)::float8 * 1000, 1e9) AS age
     FROM ${RESERVED} LEFT JOIN sluice.control c USING (workflow_id) WHERE ${whoseSql(whose)} ORDER BY d.starts_at`,
    bindingsOf(whose),
  );
  return rows.map((row) => ({
    workflowId: row.workflow_id,
    backfillId: row.backfill_id,
    dataset: row.dataset,
    start: row.s,
    end: row.e,
    heartbeatAgeMs: row.age,
  }));
}

const RESERVED = 'sluice.reserved d JOIN sluice.reservations r USING (workflow_id)';

function whoseSql({ is }: Whose): string {
  return `d.project = ? AND d.environment = ? AND workflow_id ${is} ? AND d.dataset = ANY (coalesce(?::text[], ARRAY[d.dataset]))`;
}

function bindingsOf({ scope, workflowId, datasets }: Whose): (string | string[] | null)[] {
  return [scope.project, scope.environment, workflowId, datasets === undefined ? null : [...datasets]];
}

/**
 * What holders have done with, by workflow and dataset: what they have published since they reserved it, and what others have published
 * there since. Epochs are drawn under the scope's lock, so a higher one is of a later reservation, which could only be made because
 * the holder had published it; or of an adoption.
 */
async function doneWith(tx: Db, whose: Whose): Promise<Map<string, Interval[]>> {
  const stretches = await rowsOf<{ holder: string; s: number; e: number }>(
    tx,
    `WITH p AS (
       SELECT workflow_id || ' ' || d.dataset AS holder, p.starts_at, p.ends_at, p.starts_at IS DISTINCT FROM
         lag(p.ends_at) OVER (PARTITION BY workflow_id, d.dataset ORDER BY p.starts_at) AS begins
       FROM ${RESERVED} JOIN sluice.partitions p ON p.project = d.project AND p.environment = d.environment AND p.dataset = d.dataset
         AND p.starts_at >= d.starts_at AND p.starts_at < d.ends_at AND p.epoch >= r.epoch
       WHERE ${whoseSql(whose)}
     ), numbered AS (SELECT *, count(*) FILTER (WHERE begins) OVER (PARTITION BY holder ORDER BY starts_at) AS stretch FROM p)
     SELECT holder, extract(epoch FROM min(starts_at))::float8 * 1000 AS s, extract(epoch FROM max(ends_at))::float8 * 1000 AS e
     FROM numbered GROUP BY holder, stretch ORDER BY 1, 2`,
    bindingsOf(whose),
  );
  const done = new Map<string, Interval[]>();
  for (const { holder, s, e } of stretches) {
    const known = done.get(holder);
    if (known) known.push({ start: s, end: e });
    else done.set(holder, [{ start: s, end: e }]);
  }
  return done;
}

/**
 * Whether the reservation of a workflow was made after this instant, by the warehouse's clock.
 * @param since - ms since the epoch
 */
export async function madeSince(tx: Db, workflowId: string, since: number): Promise<boolean> {
  const [row] = await rowsOf<{ later: boolean }>(
    tx,
    'SELECT heartbeat_at > to_timestamp(?::float8 / 1000) AS later FROM sluice.reservations WHERE workflow_id = ?',
    [since, workflowId],
  );
  return row?.later === true;
}

/** Makes the reservation of an execution, with a fresh epoch; an older one of the same workflow is gone with its leases. */
export async function reserve(
  tx: Db,
  scope: Scope,
  workflowId: string,
  backfillId: string,
  held: readonly Held[],
): Promise<number> {
  await tx('sluice.reservations').where({ workflow_id: workflowId }).delete();
  const [row] = await rowsOf<{ epoch: string }>(
    tx,
    `INSERT INTO sluice.reservations (workflow_id, epoch, project, environment, backfill_id)
     VALUES (?, nextval('sluice.epochs'), ?, ?, ?) RETURNING epoch`,
    [workflowId, scope.project, scope.environment, backfillId],
  );
  if (held.length > 0) await tx.batchInsert('sluice.reserved', held.map(heldRow(scope, workflowId)), 500);
  return Number(row?.epoch);
}

const heldRow =
  (scope: Scope, workflowId: string) =>
  ({ dataset, start, end }: Held) => ({
    workflow_id: workflowId,
    ...keysOf(scope),
    dataset,
    starts_at: sqlInstant(start),
    ends_at: sqlInstant(end),
  });

/**
 * Ends a reservation. Attempts that are still at work on it are zombies, of a worker that was cut off or stopped: their backends are
 * ended, for one that sleeps in its transaction would be waited for. A commit under way is waited for; after it none can publish.
 */
export async function release(db: Db, workflowId: string): Promise<void> {
  await db.raw(
    `SELECT pg_terminate_backend(a.pid) FROM sluice.reservations r
     JOIN pg_stat_activity a ON a.application_name LIKE 'sluice/' || r.epoch || '/%' AND a.datname = current_database()
     WHERE r.workflow_id = ? AND a.pid <> pg_backend_pid()`,
    [workflowId],
  );
  await db('sluice.reservations').where({ workflow_id: workflowId }).delete();
  await db('sluice.control').where({ workflow_id: workflowId }).delete();
}
