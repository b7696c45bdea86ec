import { CancelledFailure, isCancellation } from '@temporalio/workflow';
import type { Priority } from '@temporalio/common';
import type { SliceInput } from '../src/contracts/slice.js';
import { priorityKey } from '../src/core/graph/urgency.js';
import { formatInstant } from '../src/core/interval/interval.js';
import { partitionAt } from '../src/core/interval/runs.js';
import { pick, type Slice } from '../src/core/slice/pick.js';
import { runCall } from './call.js';
import type { DatasetInput } from './carry.js';
import { giveBack, lost, settle } from './outcome.js';
import { sliceOf } from './proxies.js';
import { mayDispatch, slotsOf, widensAt, widthOf } from './room.js';
import type { DatasetState } from './state.js';

/** Bytes; names are ASCII. */
const FAIRNESS_KEY_MAX = 64;

/** Starts as many slices as there are slots: whatever is beyond waits here, not in a queue. */
export function dispatch(input: DatasetInput, state: DatasetState): void {
  if (Date.now() < state.restUntil) return;
  if (widensAt(state) <= Date.now()) {
    state.width++;
    state.heardAt = Date.now();
  }
  const { probing } = state.streak;
  const slots = probing ? 1 : Math.min(slotsOf(state), widthOf(state));
  while (mayDispatch(state)) {
    const slice = pick(
      state.board,
      state.requeue,
      {
        order: input.order,
        slots,
        perBatchMax: probing ? 1 : state.perBatchMax,
        profile: state.profile,
        breaks: state.breaks,
        hasReaders: input.readers.length > 0,
        // A call is a slice of its own, as a batch is under a rate.
        rateLimited: state.rateLimited || state.kind === 'call' || probing,
      },
      Date.now(),
    );
    if (!slice) return;
    state.slices++;
    state.heardAt = Date.now();
    state.inflight.set(state.slices, slice.batches.length);
    void run(input, state, slice, state.slices);
  }
}

export function drained(state: DatasetState): boolean {
  return state.inflight.size === 0 && state.telling === 0 && !state.reporting;
}

async function run(input: DatasetInput, state: DatasetState, slice: Slice, number: number): Promise<void> {
  try {
    const { project, environment, workflowId, backfillId } = input.ref;
    const order: SliceInput = {
      project,
      environment,
      workflowId,
      backfillId,
      plan: input.plan,
      dataset: input.dataset,
      epoch: input.epoch,
      slice: number,
      batches: slice.batches.map(({ span: [lo, hi] }) => [lo, hi]),
      ...(state.lacks === null ? {} : { held: true }),
    };
    const how = { summary: summaryOf(input, state, slice), priority: priorityOf(input, state) };
    const result =
      state.kind === 'call'
        ? await runCall(input, state, order, how)
        : await sliceOf(input.ref, input.warehouse, how.priority).runSlice.executeWithOptions(
            { summary: how.summary },
            [order],
          );
    settle(input, state, slice, result);
  } catch (error) {
    // A cancelled slice that was never begun; or its workers were lost again and again, or it threw: both are tried again, slowly.
    if (isCancellation(error) || error instanceof CancelledFailure) giveBack(state, slice);
    else lost(state, slice, error);
  } finally {
    state.inflight.delete(number);
    state.heardAt = Date.now();
    state.wake = true;
    state.newsDue = true;
  }
}

/** Where its slices stand in the queue: priority first, then the backfill's share by what waits for the dataset. */
function priorityOf({ ref, dataset, urgency }: DatasetInput, { priority }: DatasetState): Priority {
  return {
    priorityKey: priorityKey(priority, urgency.priority),
    fairnessKey: `${ref.backfillId}/${dataset}`.slice(-FAIRNESS_KEY_MAX),
    fairnessWeight: urgency.weight,
  };
}

function summaryOf({ dataset }: DatasetInput, { runs }: DatasetState, { batches }: Slice): string {
  const first = batches[0]?.span[0] ?? 0;
  const last = (batches.at(-1)?.span[1] ?? 1) - 1;
  const start = partitionAt(runs, Math.min(first, last))?.start ?? -Infinity;
  const end = partitionAt(runs, Math.max(first, last))?.end ?? Infinity;
  return `${dataset} ${formatInstant(start)} … ${formatInstant(end)}, ${batches.length} ${batches.length === 1 ? 'batch' : 'batches'}`.slice(
    0,
    200,
  );
}
