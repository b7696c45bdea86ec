import type { MappingRunOut } from './types.js';

/**
 * The ordinals `[lo, hi)` of the upstream that ordinal `ordinal` of the reader waits for; `lo = hi`: none.
 * RangeError for an ordinal that the mapping does not reach.
 */
export function expandMapping(mapping: readonly MappingRunOut[], ordinal: number): readonly [lo: number, hi: number] {
  let rest = ordinal;
  for (const { count, lo, hi, step } of mapping) {
    if (rest >= 0 && rest < count) return [lo + rest * step, hi + rest * step];
    rest -= count;
  }
  throw new RangeError(`the mapping has no ordinal ${ordinal}`);
}

/** Every span of a mapping: reader ordinal `i` waits for `[lo[i], hi[i])`. */
export function expandAll(mapping: readonly MappingRunOut[]): { readonly lo: Int32Array; readonly hi: Int32Array } {
  const total = mapping.reduce((sum, { count }) => sum + count, 0);
  const lo = new Int32Array(total);
  const hi = new Int32Array(total);
  let ordinal = 0;
  for (const run of mapping) {
    for (let i = 0; i < run.count; i++, ordinal++) {
      lo[ordinal] = run.lo + i * run.step;
      hi[ordinal] = run.hi + i * run.step;
    }
  }
  return { lo, hi };
}
