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

/** How long a slice waited for a worker, and ran then. */
interface Times {
  readonly waitedMs: number;
  readonly ranMs: number;
}

function hadToWait({ waitedMs, ranMs }: Times): boolean {
  return waitedMs > Math.max(WAITED_MIN_MS, WAITED_PART * ranMs);
}

/** Datasets to a slot from which a backfill is a crowd: whatever a dataset leaves room for is used by another. */
const CROWD_PER_SLOT = 8;
/** … of at least so many slots: a dataset may have fewer for itself than there are. */
const CROWD_SLOTS_MIN = 4;
/** A slice that waited this long, … */
const CROWDED_MS = 1_000;
/** … and so many times its own run, waited for the slices of very many others. */
const CROWDED_TIMES = 4;
/** In a crowd a slice waits longer than {@link WIDEN_AFTER_MS} before it runs at all. */
export const WIDEN_CROWDED_MS = 15_000;

/**
 * Whether `datasets` that share `slots` get in each other's way from the start: then each has one slice in flight. With more of them it is not built
 * sooner, but in smaller slices: 24 partitions in 13, and 1,000 such datasets in twelve minutes.
 */
export function isCrowd(datasets: number, slots: number): boolean {
  return datasets > CROWD_PER_SLOT * Math.max(CROWD_SLOTS_MIN, slots);
}

/** Whether a slice found such a crowd before it; whoever was in one is out of it by a slice that was worth its price and did not wait. */
export function inCrowd(before: boolean, times: Times): boolean {
  const { waitedMs, ranMs } = times;
  if (waitedMs > Math.max(CROWDED_MS, CROWDED_TIMES * ranMs)) return true;
  return before && (hadToWait(times) || ranMs < SLICE_WORTH_MS);
}

/**
 * Whether what is ready is the last of a dataset, and little enough that each slot gets one slice of it: then holding back gains nothing, for nothing is queued
 * behind it, while two slices of eight partitions leave half of the slots idle at the end (0.5 s of 8 s, in `bench/pipelining.ts`).
 */
export function isLast(board: Board, profile: Profile, slots: number): boolean {
  const { waiting, ready } = counts(board);
  return waiting === 0 && profile.samples > 0 && estimateMs(profile, ready) <= slots * SLICE_WORTH_MS;
}

/** The width after one more slice; never over `slots`. */
export function adaptWidth(width: number, slots: number, times: Times): number {
  const next = hadToWait(times) ? width - 1 : width + 1;
  return Math.max(WIDTH_MIN, Math.min(slots, next));
}
