import { counts } from '../src/core/slice/board.js';
import { isLast, WIDEN_AFTER_MS, WIDEN_CROWDED_MS, WIDTH_MIN } from '../src/core/slice/width.js';
import type { DatasetState } from './state.js';

/** Slices of one dataset in flight where the warehouse has no cap of slots: enough for a few workers. */
const UNCAPPED_SLOTS = 16;

/** When one more slice may be in flight although none has ended: never, unless only the width holds back what is ready. */
export function widensAt(state: DatasetState): number {
  const { board, inflight, rateLimited, heardAt, crowded } = state;
  const width = widthOf(state);
  const narrow =
    !stopped(state) &&
    !rateLimited &&
    !state.streak.probing &&
    width < slotsOf(state) &&
    inflight.size >= width &&
    counts(board).ready > 0;
  return narrow ? heardAt + (crowded ? WIDEN_CROWDED_MS : WIDEN_AFTER_MS) : Infinity;
}

/** Whether another slice may begin now, if there is work for it. */
export function mayDispatch(state: DatasetState): boolean {
  const { inflight, rateLimited, board, streak, crowded } = state;
  const width = widthOf(state);
  const least = crowded ? 1 : WIDTH_MIN;
  const limit =
    board.self || streak.probing ? 1 : rateLimited ? width : Math.max(least, Math.min(slotsOf(state), width));
  return !stopped(state) && inflight.size < limit;
}

/** What is held back for is over once the last of it is there; but while nobody passes, one slice is enough to ask. */
export function widthOf(state: DatasetState): number {
  const { board, profile, width, rateLimited, lacks, crowded } = state;
  const slots = slotsOf(state);
  return !rateLimited && !crowded && lacks === null && width < slots && isLast(board, profile, slots) ? slots : width;
}

function stopped({ paused, finish, draining, board }: DatasetState): boolean {
  return paused || finish || draining || board.halted;
}

/** The most that the warehouse's slots, its pool and the backfill leave to a dataset. */
export function slotsOf({ slots, maxParallel, board }: DatasetState): number {
  // What reads itself is built in order, a slice at a time.
  if (board.self) return 1;
  return Math.max(1, Math.min(slots ?? UNCAPPED_SLOTS, maxParallel ?? Infinity));
}
