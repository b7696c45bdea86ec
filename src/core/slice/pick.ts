/**
 * Which batches the next slice runs: what failed and is due first, each as it was; else fresh ones, sized by what batches cost.
 */
import type { Board } from './board.js';
import { markRunning } from './board.js';
import { batchSize, estimateMs } from './profile.js';
import type { Profile } from './profile.js';
import { inOrder, isNext } from './self.js';
import { REQUEUE_MAX, takeDue } from './requeue.js';
import type { Batch, Requeue } from './requeue.js';
import { at, countSpans } from './spans.js';
import type { Span } from './spans.js';
import { CODE } from './states.js';

/** A slice lasts about this long where other datasets wait for what it builds, … */
export const SLICE_READ_MS = 1_000;
/** … and this long where none does: fewer activities for the same work. */
export const SLICE_UNREAD_MS = 4_000;
/** A slice has at least this much work in it where as much is ready: an activity costs 50 to 150 ms of two busy cores, whatever is in it. */
export const SLICE_WORTH_MS = 600;
/**
 * Less than this is not shared out among slots: four slots would take a quarter of what is ready, then a quarter of the rest, and so on, each
 * for the price of an activity. Only where the costs are known, or one slice might take all of the slow ones.
 */
export const SLICE_LEAST_MS = 150;
const KNOWN_SAMPLES = 10;
/** Keeps what a slice is told, and what a failed one leaves to be tried again, within a few KB, however cheap its batches are. */
export const SLICE_BATCHES_MAX = 200;

export interface PickPolicy {
  readonly order: 'oldest' | 'newest';
  /** Slices of this dataset that may run at once; at least 1. */
  readonly slots: number;
  /** Partitions that may share a batch: 1 where each needs its own statement. */
  readonly perBatchMax: number;
  readonly profile: Profile;
  /** Whether another dataset of the plan reads this one. */
  readonly hasReaders: boolean;
  /** The server limits the queue's slices per second: with one batch in each, that is batches per second. */
  readonly rateLimited: boolean;
  /** Ordinals whose partition does not begin where the one before it ends: no batch reaches across. */
  readonly breaks: ReadonlySet<number>;
}

/** The batches that one activity execution runs, in this order. */
export interface Slice {
  readonly batches: readonly Batch[];
}

/**
 * Picks a slice and marks its partitions as running; what it takes from `requeue` is gone from there. Null if nothing can be
 * picked at `now` (ms since the epoch).
 */
export function pick(board: Board, requeue: Requeue, policy: PickPolicy, now: number): Slice | null {
  if (board.halted) return null;
  const batches = board.self ? pickInOrder(board, requeue, policy, now) : pickAny(board, requeue, policy, now);
  if (batches.length === 0) return null;
  markRunning(
    board,
    batches.map(({ span }) => span),
  );
  return { batches };
}

function pickAny(board: Board, requeue: Requeue, policy: PickPolicy, now: number): Batch[] {
  const due = takeDue(board, requeue, now, limits(policy, Infinity));
  if (due.length > 0 || requeue.length >= REQUEUE_MAX) return due;
  const ready = requeue.length === 0 ? at(board.totals, CODE.ready) : undefined;
  return pickFresh(withoutRequeued(board, requeue), policy, ready);
}

/** Where a dataset reads itself: nothing beside what runs, what failed before what is fresh, and the oldest first. */
function pickInOrder(board: Board, requeue: Requeue, policy: PickPolicy, now: number): Batch[] {
  if (at(board.totals, CODE.running) > 0) return [];
  requeue.sort((a, b) => a.span[0] - b.span[0]);
  for (let first = requeue[0]; first; first = requeue[0]) {
    const { notBefore } = first;
    if (notBefore > now && isNext(board, first.span[0])) {
      // Those behind it wait as long, or we would be woken for them in vain.
      requeue.forEach((one, i) => (requeue[i] = { ...one, notBefore: Math.max(one.notBefore, notBefore) }));
      return [];
    }
    requeue.shift();
    // What is not next any more, because something before it is to be built first, counts as fresh.
    const [batch] = isNext(board, first.span[0]) ? takeDue(board, [first], now, () => true) : [];
    if (batch) return [batch];
  }
  return pickFresh(inOrder(board), { ...policy, order: 'oldest' });
}

function pickFresh(states: Uint8Array, policy: PickPolicy, known?: number): Batch[] {
  const ready = known ?? states.filter((code) => code === CODE.ready).length;
  const slots = Math.max(1, policy.slots);
  // Nothing takes what another slot could do at the same time.
  const most = Math.max(Math.ceil(ready / slots), atLeast(policy.profile));
  const size = Math.min(batchSize(policy.profile, policy.perBatchMax), most);
  // A quarter of its share of what is ready, or more of that share if the slice would otherwise cost more to start than to run.
  const share = Math.max(
    Math.ceil(ready / (4 * slots)),
    Math.min(partitionsWithin(policy.profile, size, SLICE_WORTH_MS), most),
  );
  const fits = limits(policy, Math.max(size, share));
  const batches: Batch[] = [];
  for (let span = next(states, policy, size, null); span; span = next(states, policy, size, span)) {
    const batch: Batch = { span, attempts: 0 };
    if (!fits(batch)) break;
    batches.push(batch);
  }
  return batches;
}

/** Partitions that are not worth sharing out. */
function atLeast({ fixedMs, perPartitionMs, samples }: Profile): number {
  if (samples < KNOWN_SAMPLES || perPartitionMs <= 0) return 1;
  return Math.max(1, Math.floor((SLICE_LEAST_MS - fixedMs) / perPartitionMs));
}

/** Partitions that batches of `size` finish in `ms`; one batch while nothing is known. */
function partitionsWithin(profile: Profile, size: number, ms: number): number {
  const each = estimateMs(profile, size);
  return each > 0 ? size * Math.ceil(ms / each) : size;
}

/** The states, with the ready partitions that belong to a waiting batch hidden. A copy of some 100 KB at most, in microseconds. */
function withoutRequeued(board: Board, requeue: Requeue): Uint8Array {
  if (requeue.length === 0) return board.states;
  const states = board.states.slice();
  for (const { span } of requeue) states.fill(CODE.waiting, span[0], span[1]);
  return states;
}

/** The batch of at most `size` that comes after `last` in the policy's order; null at the end. */
function next(states: Uint8Array, { order, breaks }: PickPolicy, size: number, last: Span | null): Span | null {
  if (order === 'oldest') {
    const lo = states.indexOf(CODE.ready, last ? last[1] : 0);
    if (lo < 0) return null;
    let hi = lo + 1;
    while (hi - lo < size && states[hi] === CODE.ready && !breaks.has(hi)) hi++;
    return [lo, hi];
  }
  // lastIndexOf counts a negative start from the end, so the ordinal before 0 needs its own answer.
  const end = last ? last[0] : states.length;
  const newest = end === 0 ? -1 : states.lastIndexOf(CODE.ready, end - 1);
  if (newest < 0) return null;
  let lo = newest;
  while (newest + 1 - lo < size && states[lo - 1] === CODE.ready && !breaks.has(lo)) lo--;
  return [lo, newest + 1];
}

/**
 * Asked batch by batch whether it still fits into the slice; the first one always does. A slice is no longer than
 * all that was measured before it, so that an unknown dataset begins with one batch and at least doubles from there.
 */
function limits(policy: PickPolicy, partitionsMax: number): (batch: Batch) => boolean {
  const batchesMax = policy.rateLimited ? 1 : Math.min(SLICE_BATCHES_MAX, Math.max(1, policy.profile.samples));
  const targetMs = policy.hasReaders ? SLICE_READ_MS : SLICE_UNREAD_MS;
  let [batches, partitions, ms] = [0, 0, 0];
  return ({ span }) => {
    const size = countSpans([span]);
    batches += 1;
    partitions += size;
    ms += estimateMs(policy.profile, size);
    return batches === 1 || (batches <= batchesMax && partitions <= partitionsMax && ms <= targetMs);
  };
}
