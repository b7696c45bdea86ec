import { BackfillStatus, type Asked, type DatasetStatus } from '../contracts/status.js';
import { askedOf, BackfillRequest } from '../contracts/request.js';
import type { Instant } from '../core/interval/interval.js';
import { sqlInstant } from './ledger.js';
import { keysOf, rowsOf, type Db, type Scope } from './store.js';

export interface BackfillRow {
  readonly workflowId: string;
  readonly backfillId: string;
  readonly state: string;
  readonly plan: string | null;
  /** The final document; null while it runs (then the workflow's `status` query has it). */
  readonly status: BackfillStatus | null;
}

/** Claims a backfill's id for ever. False when it was used before. */
export async function claimBackfill(
  db: Db,
  scope: Scope,
  workflowId: string,
  backfillId: string,
  request: BackfillRequest,
): Promise<boolean> {
  const made = await db('sluice.backfills')
    .insert({
      workflow_id: workflowId,
      ...keysOf(scope),
      backfill_id: backfillId,
      state: 'planning',
      request: JSON.stringify(request),
    })
    .onConflict('workflow_id')
    .ignore()
    .returning('workflow_id');
  return made.length > 0;
}

/** When a backfill was first asked for, by the warehouse's clock, and the range that it then meant; not there until it is planned. */
export async function firstAskedOf(
  db: Db,
  workflowId: string,
): Promise<{ askedAt: Instant; range: { from?: Instant; to?: Instant } | undefined }> {
  const ms = (at: string): string => `(extract(epoch FROM ${at}) * 1000)::float8`;
  const [row] = await rowsOf<{ at: number; kept: boolean; from: number | null; to: number | null }>(
    db,
    `SELECT floor(${ms('started_at')}) AS at, asked IS NOT NULL AS kept, ${ms('lower(asked)')} AS "from", ${ms('upper(asked)')} AS "to"
     FROM sluice.backfills WHERE workflow_id = ?`,
    [workflowId],
  );
  if (!row) throw new Error(`${workflowId} was not claimed`);
  const { at, kept, from, to } = row;
  if (!kept) return { askedAt: at, range: undefined };
  return { askedAt: at, range: { ...(from === null ? {} : { from }), ...(to === null ? {} : { to }) } };
}

export async function keepAsked(
  db: Db,
  workflowId: string,
  { from, to }: { from?: Instant; to?: Instant },
): Promise<void> {
  const end = (at: Instant | undefined): string | null => (at === undefined ? null : sqlInstant(at));
  await db.raw('UPDATE sluice.backfills SET asked = tstzrange(?, ?) WHERE workflow_id = ?', [
    end(from),
    end(to),
    workflowId,
  ]);
}

export async function backfillState(db: Db, workflowId: string, state: string, plan?: string): Promise<void> {
  await db('sluice.backfills')
    .where({ workflow_id: workflowId })
    .update({ state, ...(plan === undefined ? {} : { plan }) });
}

/** Keeps the final document: Temporal forgets closed workflows, the ledger's neighbour does not. */
export async function endBackfill(db: Db, workflowId: string, status: BackfillStatus): Promise<void> {
  await db('sluice.backfills')
    .where({ workflow_id: workflowId })
    .update({
      state: status.state,
      status: JSON.stringify(status),
      ended_at: status.endedAt,
      plan: status.plan ?? null,
    });
}

/** More datasets of a final document that came in parts; one that is there already, because it was sent again, changes nothing. */
export async function keepDatasets(
  db: Db,
  workflowId: string,
  from: number,
  datasets: readonly DatasetStatus[],
): Promise<void> {
  const left = `(status ->> 'leftOut')::int - ?::int`;
  await db.raw(
    `UPDATE sluice.backfills SET status = CASE WHEN ${left} > 0 THEN jsonb_set(status, '{leftOut}', to_jsonb(${left}))
       ELSE status - 'leftOut' END || jsonb_build_object('datasets', (status -> 'datasets') || ?::jsonb)
     WHERE workflow_id = ? AND jsonb_array_length(status -> 'datasets') = ?`,
    [datasets.length, datasets.length, JSON.stringify(datasets), workflowId, from],
  );
}

export async function findBackfill(db: Db, workflowId: string): Promise<BackfillRow | undefined> {
  const [row] = await listRows(db, 'workflow_id = ?', [workflowId], 1);
  return row;
}

/** The scope's backfills, newest first. */
export async function listBackfills(db: Db, scope: Scope, limit = 50): Promise<BackfillRow[]> {
  return listRows(db, 'project = ? AND environment = ?', [scope.project, scope.environment], limit);
}

/** Who asked for it, for what and why, as its request was kept: documents of before 0.2 do not say so. */
export function keptAsked(request: unknown): Asked | undefined {
  const { success, data } = BackfillRequest.safeParse(request);
  return success ? askedOf(data) : undefined;
}

async function listRows(db: Db, where: string, bindings: string[], limit: number): Promise<BackfillRow[]> {
  const rows = await rowsOf<{
    workflow_id: string;
    backfill_id: string;
    state: string;
    plan: string | null;
    status: unknown;
    request: unknown;
  }>(
    db,
    `SELECT workflow_id, backfill_id, state, plan, status, request FROM sluice.backfills WHERE ${where} ORDER BY started_at DESC LIMIT ${limit}`,
    bindings,
  );
  return rows.map((row) => ({
    workflowId: row.workflow_id,
    backfillId: row.backfill_id,
    state: row.state,
    plan: row.plan,
    status: row.status === null ? null : { asked: keptAsked(row.request), ...BackfillStatus.parse(row.status) },
  }));
}
