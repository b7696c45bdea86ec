import { sqlInstant } from './ledger.js';
import { keysOf, rowsOf, type Db, type Scope } from './store.js';
import type { Instant } from '../core/interval/interval.js';

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

/** What other backfills hold of what is wanted. */
export async function findConflicts(
  tx: Db,
  scope: Scope,
  workflowId: string,
  wanted: readonly Held[],
): Promise<Conflict[]> {
  const held = await allHeld(tx, scope, workflowId);
  return held.filter((one) =>
    wanted.some(({ dataset, start, end }) => dataset === one.dataset && start < one.end && one.start < end),
  );
}

/** Everything that other backfills of the scope hold. */
export async function allHeld(tx: Db, scope: Scope, exceptWorkflow: string): Promise<Conflict[]> {
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
     FROM sluice.reserved d JOIN sluice.reservations r USING (workflow_id)
       LEFT JOIN sluice.control c USING (workflow_id)
     WHERE d.project = ? AND d.environment = ? AND r.workflow_id <> ? ORDER BY d.starts_at`,
    [scope.project, scope.environment, exceptWorkflow],
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
