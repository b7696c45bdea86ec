import type { Interval } from '../src/core/interval/interval.js';
import { intersect } from '../src/core/interval/set.js';
import { failedIn } from '../src/store/failures.js';
import { heldOf } from '../src/store/reservations.js';
import type { Db } from '../src/store/store.js';
import type { ExecutionRef } from './control.js';

/** Intervals of a backfill that failed and were not published since, by dataset: of all, or of one. */
export async function failedLeft(
  db: Db,
  ref: ExecutionRef,
  dataset: string | null,
): Promise<ReadonlyMap<string, readonly Interval[]>> {
  const failures = await failedIn(db, ref, ref.backfillId);
  const failed = new Map<string, readonly Interval[]>();
  for (const held of await heldOf(db, ref, ref.workflowId)) {
    if (dataset !== null && dataset !== held.dataset) continue;
    const here = intersect([held], failures.get(held.dataset) ?? []);
    if (here.length > 0) failed.set(held.dataset, [...(failed.get(held.dataset) ?? []), ...here]);
  }
  return failed;
}
