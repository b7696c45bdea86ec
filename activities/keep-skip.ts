import type { SkipMessage } from '../src/contracts/messages.js';
import type { Interval } from '../src/core/interval/interval.js';
import { intersect } from '../src/core/interval/set.js';
import { ordinalsCovered, partitionAt, partitionsOf, type Run } from '../src/core/interval/runs.js';
import { runsOfJson } from '../src/planning/json.js';
import { rangeOfRequest } from '../src/planning/range.js';
import type { Project } from '../src/project/project.js';
import { clockOf } from '../src/store/clock.js';
import { sqlInstant } from '../src/store/ledger.js';
import { loadPlanDataset } from '../src/store/plans.js';
import { keysOf } from '../src/store/store.js';
import type { z } from 'zod';
import type { ExecutionRef } from './control.js';
import type { ControlDeps } from './deps.js';
import { failedLeft } from './failed-left.js';

type Skip = z.output<typeof SkipMessage>;

/** Ordinals of a dataset's plan that a person skips; kept by their time, so that a later plan of the same backfill leaves them out. */
export async function keepSkip(
  deps: ControlDeps,
  { ref, plan, skip }: { ref: ExecutionRef; plan: string; skip: Skip },
): Promise<readonly (readonly [number, number])[]> {
  const { dataset } = await loadPlanDataset(deps.db, plan, skip.dataset);
  const runs = runsOfJson(dataset.runs);
  const project = await deps.project(undefined);
  const asked = await intervalOf(deps, project, skip);
  const spans = skip.failed
    ? ordinalsCovered(runs, intersect((await failedLeft(deps.db, ref, skip.dataset)).get(skip.dataset) ?? [], [asked]))
    : within(runs, asked);
  if (spans.length > 0)
    await deps.db.batchInsert(
      'sluice.skipped',
      spans.map(([lo, hi]) => ({
        workflow_id: ref.workflowId,
        ...keysOf(ref),
        dataset: skip.dataset,
        starts_at: sqlInstant(partitionAt(runs, lo)?.start ?? -Infinity),
        ends_at: sqlInstant(partitionAt(runs, hi - 1)?.end ?? Infinity),
        backfill_id: ref.backfillId,
        actor: skip.requestedBy ?? 'unknown',
        reason: skip.reason ?? null,
      })),
      500,
    );
  return spans;
}

/** For a backfill that began before `what-a-person-meant`. */
export async function spanOf(deps: ControlDeps, plan: string, range: Skip): Promise<readonly [number, number] | null> {
  const { dataset } = await loadPlanDataset(deps.db, plan, range.dataset);
  const project = await deps.project(undefined);
  return within(runsOfJson(dataset.runs), await intervalOf(deps, project, range))[0] ?? null;
}

/** Ordinals of the partitions that overlap an interval: one span, or none. */
function within(runs: readonly Run[], { start, end }: Interval): (readonly [number, number])[] {
  let [lo, hi, ordinal] = [-1, -1, 0];
  for (const partition of partitionsOf(runs)) {
    if (partition.start < end && start < partition.end) {
      if (lo < 0) lo = ordinal;
      hi = ordinal + 1;
    }
    ordinal++;
  }
  return lo < 0 ? [] : [[lo, hi]];
}

/** By the warehouse's clock. @throws RequestError for times that cannot be read */
async function intervalOf(
  deps: ControlDeps,
  project: Pick<Project, 'timezone'>,
  { from, to, on }: Pick<Skip, 'from' | 'to' | 'on'>,
): Promise<Interval> {
  const asked = rangeOfRequest(project, { from, to, on, last: undefined }, await clockOf(deps.db));
  return { start: asked.from ?? -Infinity, end: asked.to ?? Infinity };
}
