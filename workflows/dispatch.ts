import { ActivityFailure, CancelledFailure, isCancellation } from '@temporalio/workflow';
import type { Priority } from '@temporalio/common';
import type { BatchDone, SliceFailure, SliceInput, SliceResult } from '../src/contracts/slice.js';
import { counts, halt, markDone, release } from '../src/core/slice/board.js';
import { priorityKey } from '../src/core/graph/urgency.js';
import { carryOut, decideFailure } from '../src/core/slice/failing.js';
import { addFailure } from '../src/core/slice/failures.js';
import { pick, type Slice } from '../src/core/slice/pick.js';
import { observe } from '../src/core/slice/profile.js';
import { adaptWidth, isLast, WIDTH_MIN, WIDEN_AFTER_MS } from '../src/core/slice/width.js';
import { countSpans, ordinalsOf } from '../src/core/slice/spans.js';
import { isTooLong, lengthen, NO_STREAK, streakWords } from '../src/core/slice/streak.js';
import { MESSAGE_MAX } from '../src/core/fault.js';
import { formatInstant } from '../src/core/interval/interval.js';
import { partitionAt } from '../src/core/interval/runs.js';
import { runCall } from './call.js';
import type { DatasetInput } from './carry.js';
import { sliceOf } from './proxies.js';
import { sayWhatLacks, type DatasetState } from './state.js';

/** Slices of one dataset in flight where the warehouse has no cap of slots: enough for a few workers. */
const UNCAPPED_SLOTS = 16;

/** Slices in flight on a queue with a rate: several for each of the four partitions that a server gives a queue by default. */
const RATED_WIDTH = 20;

/** Bytes; names are ASCII. */
const FAIRNESS_KEY_MAX = 64;

/** The gate closes before the message that says so arrives, or without one. */
const REST_MS = 1_000;

/** A call without a worker asks for one again, two calls at a time: some ten events in the history each time, a fresh history every half hour. */
const LOOK_AGAIN_MS = 5_000;

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

/** When one more slice may be in flight although none has ended: never, unless only the width holds back what is ready. */
export function widensAt(state: DatasetState): number {
  const { board, inflight, rateLimited, heardAt } = state;
  const width = widthOf(state);
  const narrow =
    !stopped(state) &&
    !rateLimited &&
    !state.streak.probing &&
    width < slotsOf(state) &&
    inflight.size >= width &&
    counts(board).ready > 0;
  return narrow ? heardAt + WIDEN_AFTER_MS : Infinity;
}

/** Whether another slice may begin now, if there is work for it. */
export function mayDispatch(state: DatasetState): boolean {
  const { inflight, rateLimited, board, streak } = state;
  const width = widthOf(state);
  const limit =
    board.self || streak.probing ? 1 : rateLimited ? width : Math.max(WIDTH_MIN, Math.min(slotsOf(state), width));
  return !stopped(state) && inflight.size < limit;
}

/** What is held back for is over once the last of it is there; but while nobody passes, one slice is enough to ask. */
function widthOf(state: DatasetState): number {
  const { board, profile, width, rateLimited, lacks } = state;
  const slots = slotsOf(state);
  return !rateLimited && lacks === null && width < slots && isLast(board, profile, slots) ? slots : width;
}

function stopped({ paused, finish, draining, board }: DatasetState): boolean {
  return paused || finish || draining || board.halted;
}

function slotsOf({ slots, maxParallel, board }: DatasetState): number {
  // What reads itself is built in order, a slice at a time.
  if (board.self) return 1;
  return Math.max(1, Math.min(slots ?? UNCAPPED_SLOTS, maxParallel ?? Infinity));
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

function settle({ ref }: DatasetInput, state: DatasetState, slice: Slice, result: SliceResult): void {
  state.slots = result.slots ?? state.slots;
  state.rateLimited = result.rateLimited;
  // A rate makes slices wait by design, and the queue is where: enough of them that none of its partitions is empty.
  state.width = result.rateLimited ? RATED_WIDTH : adaptWidth(state.width, slotsOf(state), result);
  for (const outcome of inOrder(slice, result)) {
    if ('code' in outcome) fail(state, slice, outcome);
    else succeed(state, outcome);
  }
  giveBack(state, slice);
  if (result.yielded === 'paused' || result.yielded === 'cancelled') state.restUntil = Date.now() + REST_MS;
  // A call without a worker has its own words.
  if (result.held !== undefined || result.yielded !== 'no_worker') sayWhatLacks(state, ref.environment, result);
  // Whatever it rests for, what got through shows that there is a way.
  if (result.restMs !== undefined) state.restUntil = Date.now() + result.restMs;
  else if (result.done.length > 0) state.restUntil = 0;
  if (result.held !== undefined) state.width = 1;
  if (result.yielded === 'no_worker') {
    state.restUntil = Date.now() + LOOK_AGAIN_MS;
    state.width = 1;
  }
  if (result.yielded === 'fenced') fenced(state, slice);
}

/** What became of its batches as they came: told apart, a success between two failures would be none, and every second bad hour a streak. */
function inOrder({ batches }: Slice, { done, failed }: SliceResult): (BatchDone | SliceFailure)[] {
  const place = new Map(batches.map(({ span }, i) => [span[0], i] as const));
  const placeOf = ({ span }: BatchDone | SliceFailure): number => place.get(span[0]) ?? batches.length;
  return [...done, ...failed].sort((a, b) => placeOf(a) - placeOf(b));
}

function succeed(state: DatasetState, { span, rows, ms, skipped }: BatchDone): void {
  markDone(state.board, [span]);
  state.rows += rows;
  state.streak = NO_STREAK;
  if (!skipped) state.profile = observe(state.profile, { partitions: span[1] - span[0], ms });
}

/** Somebody took over what the backfill held. It must not go on, and must not look as if it had done what it did not do. */
function fenced(state: DatasetState, slice: Slice): void {
  halt(state.board);
  const [lo, hi] = slice.batches[0]?.span ?? [0, 1];
  state.haltedBy = { code: 'fenced', message: 'another backfill has taken over what this one held', span: [lo, hi] };
}

/** Where its slices stand in the queue: priority first, then the backfill's share by what waits for the dataset. */
function priorityOf({ ref, dataset, urgency }: DatasetInput, { priority }: DatasetState): Priority {
  return {
    priorityKey: priorityKey(priority, urgency.priority),
    fairnessKey: `${ref.backfillId}/${dataset}`.slice(-FAIRNESS_KEY_MAX),
    fairnessWeight: urgency.weight,
  };
}

/** What is still running of a slice that ended was not begun. */
function giveBack(state: DatasetState, slice: Slice): void {
  release(
    state.board,
    slice.batches.map(({ span }) => span),
  );
}

function fail(state: DatasetState, slice: Slice, failure: SliceFailure): void {
  const [lo, hi] = failure.span;
  const before = slice.batches.find(({ span }) => span[0] === lo && span[1] === hi)?.attempts ?? 0;
  const decision = decideFailure(
    { span: failure.span, code: failure.code, class: failure.class, attempts: before + 1 },
    Math.random(),
  );
  const failed = carryOut(state.board, state.requeue, decision, Date.now());
  const attempts = before + 1;
  for (const ordinal of ordinalsOf(failed)) {
    state.failures = addFailure(state.failures, state.board, {
      ordinal,
      code: failure.code,
      message: failure.message,
      attempts,
    });
  }
  if (decision.action === 'halt') state.haltedBy = { code: failure.code, message: failure.message, span: failure.span };
  state.streak = lengthen(state.streak, failure.code, countSpans(failed));
  if (state.board.halted || !isTooLong(state.streak)) return;
  halt(state.board);
  const message = `${streakWords(state.streak)}: ${failure.message}`.slice(0, MESSAGE_MAX);
  state.haltedBy = { code: failure.code, message, span: failure.span };
}

function lost(state: DatasetState, slice: Slice, error: unknown): void {
  const cause = error instanceof ActivityFailure && error.cause ? error.cause : error;
  const message = (cause instanceof Error ? cause.message : String(cause)).slice(0, 300);
  for (const { span } of slice.batches) {
    fail(state, slice, { span: [...span], code: 'worker_lost', class: 'transient', message, start: '', end: '' });
  }
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
