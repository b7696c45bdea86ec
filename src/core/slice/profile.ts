/**
 * What a batch costs: `fixedMs + perPartitionMs · partitions`, learnt from the batches that finished.
 *
 * A least-squares line through exponentially weighted sums, which are all that is kept. Where no line can be told (all batches of
 * one size, or noise that makes it fall), the last shape is scaled to what is measured, and what it calls fixed fades: a wrong
 * belief in a fixed part would keep batches long for ever, while a wrong disbelief is soon corrected by the smaller ones.
 */

/** Weight of a batch against the one after it: ten batches are remembered, so sizes follow a change within a slice or two. */
const DECAY = 0.9;
/** A batch that differs from what was expected by more than this factor, … */
const SURPRISE = 3;
/** … leaves only this much of what was remembered: the cost may have changed, or a first batch paid for cold caches. */
const SURPRISED_WEIGHT = 0.3;
/** And no batch counts as more than this many times what was expected: it may be a mere stall (a lock, a checkpoint). */
const SURPRISE_MAX = 4;
/**
 * Sizes must spread at least this much around their mean (variance over mean²) before a line is fitted to them. With 0.01 noise of ± 25 % passed for a slope: of
 * 20,000 random costs two settled at batches of over a second, with 0.03 none.
 */
const SPREAD_MIN = 0.03;
/** Of the fixed part, kept for each batch that says nothing about it. */
const FIXED_FADE = 0.95;
/** Sizes up to this are tried even if the first batches are slow, because only they can tell that the time is fixed. */
const TRIED_ANYWAY = 4;

/** A batch aims at this: the hand on the warehouse is lifted twice a second. */
export const BATCH_AIM_MS = 500;
/** No batch is made to last longer. */
export const BATCH_MAX_MS = 2_000;

/** Up to this many partitions share a transaction; {@link batchSize} decides how many really do. */
export const BATCH_PARTITIONS_MAX = 366;

/** Plain JSON. Times in ms. */
export interface Profile {
  readonly fixedMs: number;
  readonly perPartitionMs: number;
  /** Batches observed. */
  readonly samples: number;
  /** Partitions in the largest batch lately; forgotten slowly. Sizes grow from here, twofold at a time. */
  readonly reached: number;
  /** Weighted sums of 1, x, y, x², x·y, where x is partitions and y is ms. */
  readonly sums: readonly [w: number, x: number, y: number, xx: number, xy: number];
}

export const NO_PROFILE: Profile = { fixedMs: 0, perPartitionMs: 0, samples: 0, reached: 0, sums: [0, 0, 0, 0, 0] };

/** A batch that was published. */
export interface Observation {
  /** At least 1. */
  readonly partitions: number;
  readonly ms: number;
}

/** What a batch of `partitions` is expected to last, in ms; 0 while nothing is known. */
export function estimateMs(profile: Profile, partitions: number): number {
  return profile.fixedMs + profile.perPartitionMs * partitions;
}

/** The profile with one more batch in it. */
export function observe(profile: Profile, { partitions: x, ms }: Observation): Profile {
  // Nothing takes no time: a clock too coarse for a batch must not make sizes infinite.
  const measured = Math.max(ms, 0.1);
  const expected = profile.samples === 0 ? measured : Math.max(0.1, estimateMs(profile, x));
  const surprising = measured > SURPRISE * expected || measured * SURPRISE < expected;
  const keep = surprising ? SURPRISED_WEIGHT : DECAY;
  const y = Math.min(measured, SURPRISE_MAX * expected);
  const [w, sx, sy, sxx, sxy] = profile.sums;
  const sums = [w * keep + 1, sx * keep + x, sy * keep + y, sxx * keep + x * x, sxy * keep + x * y] as const;
  return {
    ...fit(profile, sums),
    samples: profile.samples + 1,
    reached: Math.max(x, profile.reached * DECAY),
    sums,
  };
}

function fit(profile: Profile, [w, sx, sy, sxx, sxy]: Profile['sums']): Pick<Profile, 'fixedMs' | 'perPartitionMs'> {
  const [x, y] = [sx / w, sy / w];
  const variance = sxx / w - x * x;
  const slope = variance >= SPREAD_MIN * x * x ? (sxy / w - x * y) / variance : 0;
  if (slope > 0) {
    // Steeper than through the origin would be a fixed part below nothing.
    const perPartitionMs = Math.min(slope, y / x);
    return { fixedMs: Math.max(0, y - perPartitionMs * x), perPartitionMs };
  }
  // At first the shape is all per partition: the guess that keeps batches small.
  const expected = estimateMs(profile, x);
  const fixedMs = expected > 0 ? (FIXED_FADE * y * profile.fixedMs) / expected : 0;
  return { fixedMs, perPartitionMs: Math.max(0, y - fixedMs) / x };
}

/**
 * Partitions to put into one batch, from 1 to `perBatchMax`.
 *
 * A batch aims at {@link BATCH_AIM_MS}. Where most of that is fixed, smaller batches would only pay it more often: then its partitions may take
 * as long as the fixed part, up to {@link BATCH_MAX_MS} in all. (A fixed part near that limit can't be helped; the
 * partitions then still get the aim.) Unmeasured it is 1, and it at most doubles what was tried lately.
 */
export function batchSize(profile: Profile, perBatchMax: number): number {
  const { fixedMs, perPartitionMs, reached } = profile;
  const forPartitions =
    fixedMs < BATCH_AIM_MS / 2
      ? BATCH_AIM_MS - fixedMs
      : Math.min(fixedMs, Math.max(BATCH_MAX_MS - fixedMs, BATCH_AIM_MS));
  const affordable = perPartitionMs > 0 ? forPartitions / perPartitionMs : Infinity;
  const twice = 2 * Math.floor(reached);
  const trial = twice <= TRIED_ANYWAY && estimateMs(profile, twice) <= BATCH_MAX_MS ? twice : 1;
  return Math.max(1, Math.floor(Math.min(Math.max(affordable, trial), 2 * reached, perBatchMax)));
}
