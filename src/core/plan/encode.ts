import type { Span } from './search.js';
import type { Mapping, StepRun } from './types.js';

/**
 * The spans that successive reader ordinals wait for, as two staircases. Apart, because their steps may come at different times:
 * of hours that look six hours back into days, `lo` moves at six in the morning and `hi` at midnight.
 */
export function encodeMapping(spans: readonly Span[]): Mapping {
  return { lo: staircase(spans.map(({ lo }) => lo)), hi: staircase(spans.map(({ hi }) => hi)) };
}

/** Run-length encodes a sequence, greedily. A run never goes down; of its landings only the last may be shorter than the others. */
function staircase(values: readonly number[]): StepRun[] {
  const runs: { count: number; at: number; step: number; every: number }[] = [];
  let landings = 0;
  let open = false;
  for (const { value, length } of landingsOf(values)) {
    const run = runs.at(-1);
    const step = run === undefined ? -1 : value - (run.at + (landings - 1) * run.step);
    if (run && open && step > 0 && (landings === 1 || step === run.step) && length <= run.every) {
      run.step = step;
      run.count += length;
      landings++;
      open = length === run.every;
    } else {
      runs.push({ count: length, at: value, step: 0, every: length });
      landings = 1;
      open = true;
    }
  }
  return runs;
}

function* landingsOf(values: readonly number[]): Generator<{ value: number; length: number }> {
  for (let lo = 0, hi = 0; lo < values.length; lo = hi) {
    const value = values[lo] ?? 0;
    while (hi < values.length && values[hi] === value) hi++;
    yield { value, length: hi - lo };
  }
}
