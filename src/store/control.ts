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

/** The limit in force on a connection. The governor will write here; today the project's budget does. */
export async function setLimit(
  db: Db,
  scope: Scope,
  connection: string,
  { slots, rate }: Limit,
  reason: string,
): Promise<void> {
  await db('sluice.limits')
    .insert({ ...keysOf(scope), connection, slots, rate, reason, updated_at: db.raw('clock_timestamp()') })
    .onConflict(['project', 'environment', 'connection'])
    .merge();
}

export async function readLimit(db: Db, scope: Scope, connection: string): Promise<Limit> {
  const [row] = await rowsOf<Limit>(
    db,
    'SELECT slots, rate FROM sluice.limits WHERE project = ? AND environment = ? AND connection = ?',
    [scope.project, scope.environment, connection],
  );
  return row ?? { slots: null, rate: null };
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
