import { RequestError } from '../src/contracts/errors.js';
import type { BackfillRequest } from '../src/contracts/request.js';
import type { Interval } from '../src/core/interval/interval.js';
import type { PlanRange } from '../src/core/plan/types.js';
import { placesOf } from '../src/planning/places.js';
import type { Exclude } from '../src/planning/plan.js';
import { rangeOfRequest } from '../src/planning/range.js';
import type { Project } from '../src/project/project.js';
import { findBackfill, firstAskedOf, keepAsked } from '../src/store/backfills.js';
import { loadPlan } from '../src/store/plans.js';
import { allHeld, type Conflict } from '../src/store/reservations.js';
import { rowsOf, type Db } from '../src/store/store.js';
import type { ExecutionRef } from './control.js';
import type { ControlDeps } from './deps.js';
import { failedLeft } from './failed-left.js';

/** A holder that Temporal does not know is taken over once its gate has been silent for this long. */
const SILENT_MS = 60_000;

export interface OpenOrder {
  readonly ref: ExecutionRef;
  readonly request: BackfillRequest;
  /** A re-plan of what this backfill has not done yet, under the current definitions. */
  readonly again: boolean;
  readonly upstream?: { readonly dataset: string | null; readonly current: boolean };
}

/**
 * A request means one range for good, resolved when it first comes here by the warehouse's clock and in the zone of then: "the last three days"
 * are the same three when it is planned again tomorrow, or when it has waited for another backfill until then.
 */
export async function asked(
  tx: Db,
  { workflowId }: ExecutionRef,
  project: Project,
  request: BackfillRequest,
): Promise<PlanRange> {
  const { askedAt, range } = await firstAskedOf(tx, workflowId);
  if (range) return { ...range, askedAt };
  const resolved = rangeOfRequest(project, request, askedAt);
  await keepAsked(tx, workflowId, resolved);
  return { ...resolved, askedAt };
}

/** The definition that it began with, or went on with; the deployed one if that is wanted. */
export async function definitionOf(
  deps: ControlDeps,
  { ref, request, again, upstream }: OpenOrder,
): Promise<string | undefined> {
  if (!again) return request.definition;
  if (upstream?.current !== false) return undefined;
  const row = await findBackfill(deps.db, ref.workflowId);
  return row === undefined || row.plan === null ? request.definition : (await loadPlan(deps.db, row.plan))?.definition;
}

/** The failures whose inputs are to be read again; undefined if none are. @throws RequestError nothing_failed */
export async function failedOf(tx: Db, { ref, upstream }: OpenOrder): Promise<Exclude | undefined> {
  if (!upstream) return undefined;
  const failed = await failedLeft(tx, ref, upstream.dataset);
  if (failed.size > 0) return failed;
  throw new RequestError(
    'nothing_failed',
    `nothing has failed in backfill ${ref.backfillId} whose inputs could be read again`,
  );
}

/** Intervals that a plan leaves alone: those of other backfills if the request says so, and those that this one has done with if it is planned again. */
export async function excluded(
  deps: ControlDeps,
  tx: Db,
  { ref, request, again }: OpenOrder,
  project: Project,
): Promise<Exclude> {
  const exclude = new Map<string, Interval[]>();
  const add = (dataset: string, interval: Interval): void => {
    exclude.set(dataset, [...(exclude.get(dataset) ?? []), interval]);
  };
  if (request.onConflict === 'skip') {
    for (const conflict of await allHeld(tx, ref, ref.workflowId)) {
      if (!(await isGone(deps, conflict))) add(conflict.dataset, conflict);
    }
  }
  if (again) {
    const done = await rowsOf<{ dataset: string; s: number; e: number }>(
      tx,
      `SELECT dataset, extract(epoch FROM starts_at)::float8 * 1000 AS s, extract(epoch FROM ends_at)::float8 * 1000 AS e
       FROM sluice.partitions WHERE project = ? AND environment = ? AND (backfill_id = ?
         OR epoch > (SELECT epoch FROM sluice.reservations WHERE workflow_id = ?))
       UNION ALL SELECT dataset, extract(epoch FROM starts_at)::float8 * 1000, extract(epoch FROM ends_at)::float8 * 1000
       FROM sluice.skipped WHERE workflow_id = ?`,
      [ref.project, ref.environment, ref.backfillId, ref.workflowId, ref.workflowId],
    );
    // A partition that it built in another table than today's is not done.
    const places = await placesOf(tx, project);
    for (const { dataset, s, e } of done) if (places.get(dataset)?.key === dataset) add(dataset, { start: s, end: e });
  }
  return exclude;
}

/** A holder whose backfill is over may be taken over. */
export async function isGone(deps: ControlDeps, conflict: Conflict): Promise<boolean> {
  const state = await deps.workflowState(conflict.workflowId);
  return state === 'closed' || (state === 'unknown' && conflict.heartbeatAgeMs > SILENT_MS);
}
