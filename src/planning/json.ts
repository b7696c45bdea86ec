import type { RunJson } from '../contracts/plan.js';
import type { Run } from '../core/interval/runs.js';

/** JSON has no infinities; only `grain: none` has them, in both fields. */
export function runToJson({ start, step, count }: Run): RunJson {
  return { start: Number.isFinite(start) ? start : null, step: Number.isFinite(step) ? step : null, count };
}

export function runsOfJson(runs: readonly RunJson[]): Run[] {
  return runs.map(({ start, step, count }) => ({ start: start ?? -Infinity, step: step ?? Infinity, count }));
}
