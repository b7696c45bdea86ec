import type { Mapping, StepRun } from './types.js';

/**
 * The ordinals `[lo, hi)` of the upstream that ordinal `ordinal` of the reader waits for; `lo = hi`: none.
 * RangeError for an ordinal that the mapping does not reach.
 */
export function expandMapping({ lo, hi }: Mapping, ordinal: number): readonly [lo: number, hi: number] {
  return [valueAt(lo, ordinal), valueAt(hi, ordinal)];
}

/** Every span of a mapping: reader ordinal `i` waits for `[lo[i], hi[i])`. */
export function expandAll({ lo, hi }: Mapping): { readonly lo: Int32Array; readonly hi: Int32Array } {
  return { lo: valuesOf(lo), hi: valuesOf(hi) };
}

function valueAt(runs: readonly StepRun[], index: number): number {
  let rest = index;
  for (const { count, at, step, every } of runs) {
    if (rest >= 0 && rest < count) return at + Math.floor(rest / every) * step;
    rest -= count;
  }
  throw new RangeError(`the mapping has no ordinal ${index}`);
}

function valuesOf(runs: readonly StepRun[]): Int32Array {
  const values = new Int32Array(reach(runs));
  let index = 0;
  for (const { count, at, step, every } of runs) {
    for (let i = 0; i < count; i++) values[index++] = at + Math.floor(i / every) * step;
  }
  return values;
}

/** Ordinals that a staircase reaches. */
export function reach(runs: readonly StepRun[]): number {
  return runs.reduce((sum, { count }) => sum + count, 0);
}

/** Its values one after the other, a call each: for a loop over all of them that keeps none. RangeError past its end. */
export function walk(runs: readonly StepRun[]): () => number {
  let [index, left, value, step, stair, every] = [0, 0, 0, 0, 0, 1];
  return () => {
    while (left === 0) {
      const run = runs[index++];
      if (!run) throw new RangeError('the mapping ends here');
      [left, value, step, stair, every] = [run.count, run.at, run.step, 0, run.every];
    }
    const answer = value;
    left--;
    if (++stair === every) [stair, value] = [0, value + step];
    return answer;
  };
}
