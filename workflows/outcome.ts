import { ActivityFailure } from '@temporalio/workflow';
import type { BatchDone, SliceFailure, SliceResult } from '../src/contracts/slice.js';
import { MESSAGE_MAX } from '../src/core/fault.js';
import { halt, markDone, release } from '../src/core/slice/board.js';
import { carryOut, decideFailure } from '../src/core/slice/failing.js';
import { addFailure } from '../src/core/slice/failures.js';
import type { Slice } from '../src/core/slice/pick.js';
import { observe } from '../src/core/slice/profile.js';
import { countSpans, ordinalsOf } from '../src/core/slice/spans.js';
import { isTooLong, lengthen, NO_STREAK, streakWords } from '../src/core/slice/streak.js';
import { adaptWidth, inCrowd } from '../src/core/slice/width.js';
import type { DatasetInput } from './carry.js';
import { sayWhatLacks } from './lacks.js';
import { slotsOf } from './room.js';
import type { DatasetState } from './state.js';

/** Slices in flight on a queue with a rate: several for each of the four partitions that a server gives a queue by default. */
const RATED_WIDTH = 20;

/** The gate closes before the message that says so arrives, or without one. */
const REST_MS = 1_000;

/** A call without a worker asks for one again, two calls at a time: some ten events in the history each time, a fresh history every half hour. */
const LOOK_AGAIN_MS = 5_000;

/** Takes in what became of a slice, and how many may be in flight from now on. */
export function settle({ ref }: DatasetInput, state: DatasetState, slice: Slice, result: SliceResult): void {
  state.slots = result.slots ?? state.slots;
  state.rateLimited = result.rateLimited;
  state.crowded = state.crowds && !result.rateLimited && inCrowd(state.crowded, result);
  // A rate makes slices wait by design, and the queue is where: enough of them that none of its partitions is empty.
  if (state.crowded) state.width = 1;
  else state.width = result.rateLimited ? RATED_WIDTH : adaptWidth(state.width, slotsOf(state), result);
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

/** What is still running of a slice that ended was not begun. */
export function giveBack(state: DatasetState, slice: Slice): void {
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

/** A slice that nobody says anything of: its batches failed together. */
export function lost(state: DatasetState, slice: Slice, error: unknown): void {
  const cause = error instanceof ActivityFailure && error.cause ? error.cause : error;
  const message = (cause instanceof Error ? cause.message : String(cause)).slice(0, 300);
  for (const { span } of slice.batches) {
    fail(state, slice, { span: [...span], code: 'worker_lost', class: 'transient', message, start: '', end: '' });
  }
}
