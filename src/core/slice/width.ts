/**
 * How many slices of one dataset are in flight at once.
 *
 * Datasets do not know of each other, and all share the workers. What is sent off too early waits in a queue with the size that it had
 * then, small, while more becomes ready behind it: five datasets with four slices each kept a queue of 2 s on four slots, and their slices
 * shrank to a batch each. So a slice that waited tells its dataset to hold back, and one that did not, that there is room.
 */
import type { Board } from './board.js';
import { counts } from './board.js';
import { SLICE_WORTH_MS } from './pick.js';
import type { Profile } from './profile.js';
import { estimateMs } from './profile.js';

/** A slice that waited longer than this part of its own run was sent off too early. */
const WAITED_PART = 0.5;
/** … unless it waited less than this: two busy cores take that long to hand over a task that nobody is ahead of. */
const WAITED_MIN_MS = 100;

/** Slices that ran this long without a word say nothing of who waits: one more is tried, so that hour-long statements do not leave slots empty. */
export const WIDEN_AFTER_MS = 2_000;

/**
 * One runs while the next is on its way, even where there is a single slot: else the dataset would stand still for each round trip of its
 * workflow, and a less urgent one would take its turn.
 */
export const WIDTH_MIN = 2;

/**
 * Whether what is ready is the last of a dataset, and little enough that each slot gets one slice of it: then holding back gains nothing, for nothing is queued
 * behind it, while two slices of eight partitions leave half of the slots idle at the end (0.5 s of 8 s, in `bench/pipelining.ts`).
 */
export function isLast(board: Board, profile: Profile, slots: number): boolean {
  const { waiting, ready } = counts(board);
  return waiting === 0 && profile.samples > 0 && estimateMs(profile, ready) <= slots * SLICE_WORTH_MS;
}

/** The width after one more slice, which waited `waitedMs` for a worker and then ran `ranMs`; never over `slots`. */
export function adaptWidth(
  width: number,
  slots: number,
  { waitedMs, ranMs }: { waitedMs: number; ranMs: number },
): number {
  const next = waitedMs > Math.max(WAITED_MIN_MS, WAITED_PART * ranMs) ? width - 1 : width + 1;
  return Math.max(WIDTH_MIN, Math.min(slots, next));
}
