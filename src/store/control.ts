import { keysOf, rowsOf, type Db, type Scope } from './store.js';

/** What the gate reads of a backfill before each of its batches. */
export interface Control {
  readonly paused?: boolean;
  readonly cancelled?: boolean;
  readonly max_parallel?: number | null;
  readonly priority?: number;
}

export async function setControl(db: Db, workflowId: string, control: Control): Promise<void> {
  await db('sluice.control')
    .insert({ workflow_id: workflowId, ...control })
    .onConflict('workflow_id')
    .merge();
}

export interface Limit {
  /** Batches at work at once; null is no cap of its own. */
  readonly slots: number | null;
  /** Batches per second; null is no limit. */
  readonly rate: number | null;
}

/** What a project's budget says of a connection, and what its database is. */
export interface ConnectionLimit extends Limit {
  /** As `sluice.governors` names it; null where the database could not be asked: what was known of it stays. */
  readonly database: string | null;
  readonly governed: boolean;
  /** Queue of the slices that are written there; null for a source. */
  readonly queue: string | null;
}

/** Keeps a connection's budget where the gate reads it. What a governor and a person say of its database is beside it. */
export async function setLimit(
  db: Db,
  scope: Scope,
  connection: string,
  { slots, rate, database, governed, queue }: ConnectionLimit,
  reason: string,
): Promise<void> {
  const told = { slots, rate, governed, queue, reason, updated_at: db.raw('clock_timestamp()') };
  await db('sluice.limits')
    .insert({ ...keysOf(scope), connection, database, ...told })
    .onConflict(['project', 'environment', 'connection'])
    .merge({ ...told, ...(database === null ? {} : { database }) });
}

/** What is in force on a connection. */
export interface InForce extends Limit {
  /** Why nothing passes; null where something may. */
  readonly why: string | null;
  /** Its governor has not been heard of lately: it is starting, or gone. */
  readonly silent: boolean;
}

export async function readLimit(db: Db, scope: Scope, connection: string): Promise<InForce> {
  const [row] = await rowsOf<InForce>(
    db,
    'SELECT slots, rate, why, silent FROM sluice.in_force WHERE project = ? AND environment = ? AND connection = ?',
    [scope.project, scope.environment, connection],
  );
  return row ?? { slots: null, rate: null, why: null, silent: false };
}

/** What the database of a connection is, as it said itself when a worker last asked; null where it never did. */
export async function knownDatabase(db: Db, scope: Scope, connection: string): Promise<string | null> {
  const [row] = await rowsOf<{ database: string | null }>(
    db,
    'SELECT database FROM sluice.limits WHERE project = ? AND environment = ? AND connection = ?',
    [scope.project, scope.environment, connection],
  );
  return row?.database ?? null;
}

export interface JournalEntry {
  readonly backfillId?: string;
  readonly actor: string;
  readonly action: string;
  readonly reason?: string;
  readonly detail?: object;
}

/** Who did what, when and why. */
export async function record(
  db: Db,
  scope: Scope,
  { backfillId, actor, action, reason, detail }: JournalEntry,
): Promise<void> {
  await db('sluice.journal').insert({
    ...keysOf(scope),
    backfill_id: backfillId ?? null,
    actor,
    action,
    reason: reason ?? null,
    detail: detail === undefined ? null : JSON.stringify(detail),
  });
}
