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
  const values = new Int32Array(runs.reduce((sum, { count }) => sum + count, 0));
  let index = 0;
  for (const { count, at, step, every } of runs) {
    for (let i = 0; i < count; i++) values[index++] = at + Math.floor(i / every) * step;
  }
  return values;
}
