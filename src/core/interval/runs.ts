import type { Instant, Interval } from './interval.js';

/**
 * `count` adjacent partitions, each `step` ms long, from `start`.
 *
 * Borders are computed once, in the plan, and travel as runs: ten years of hours are a handful of them, while a list would
 * be 87,600 numbers. A day of 23 or 25 h is a run of its own. `grain: none` is the run `{ start: -Infinity, step: Infinity, count: 1 }`
 * (in JSON `null` stands for both infinities, see `contracts/plan.ts`).
 */
export interface Run {
  readonly start: Instant;
  readonly step: number;
  readonly count: number;
}

export function runEnd(run: Run): Instant {
  return run.start === -Infinity ? Infinity : run.start + run.step * run.count;
}

/** Partitions in all. */
export function countRuns(runs: readonly Run[]): number {
  return runs.reduce((sum, run) => sum + run.count, 0);
}

/** The interval of partition number `ordinal`, counted over all runs from 0; undefined past the end. */
export function partitionAt(runs: readonly Run[], ordinal: number): Interval | undefined {
  let rest = ordinal;
  for (const run of runs) {
    if (rest >= 0 && rest < run.count) {
      if (run.start === -Infinity) return { start: -Infinity, end: Infinity };
      return { start: run.start + rest * run.step, end: run.start + (rest + 1) * run.step };
    }
    rest -= run.count;
  }
  return undefined;
}

/** Every partition, in order. */
export function* partitionsOf(runs: readonly Run[]): Generator<Interval> {
  for (const run of runs) {
    if (run.start === -Infinity) yield { start: -Infinity, end: Infinity };
    else
      for (let i = 0; i < run.count; i++)
        yield { start: run.start + i * run.step, end: run.start + (i + 1) * run.step };
  }
}

/**
 * Which partitions intervals cover whole, as spans `[lo, hi)` of their numbers. The intervals are ascending and disjoint.
 */
export function ordinalsCovered(runs: readonly Run[], intervals: readonly Interval[]): [lo: number, hi: number][] {
  const spans: [number, number][] = [];
  let [first, next] = [0, 0];
  for (const run of runs) {
    for (let one = intervals[next]; one && one.start < runEnd(run); one = intervals[++next]) {
      const [lo, hi] = run.start === -Infinity ? wholeWithin(one) : within(run, one);
      const last = spans.at(-1);
      if (lo < hi && last?.[1] === first + lo) last[1] = first + hi;
      else if (lo < hi) spans.push([first + lo, first + hi]);
      // What reaches further has more to say of the next run.
      if (one.end > runEnd(run)) break;
    }
    first += run.count;
  }
  return spans;
}

function within({ start, step, count }: Run, one: Interval): [number, number] {
  return [
    Math.max(0, Math.ceil((one.start - start) / step)),
    Math.min(count, Math.max(0, Math.floor((one.end - start) / step))),
  ];
}

function wholeWithin({ start, end }: Interval): [number, number] {
  return [0, start === -Infinity && end === Infinity ? 1 : 0];
}

/** Puts `run` behind `runs`, into the last of them where it goes on with the same step. Changes `runs`. */
export function appendRun(runs: Run[], run: Run): void {
  const last = runs.at(-1);
  if (last && last.start !== -Infinity && last.step === run.step && runEnd(last) === run.start) {
    runs[runs.length - 1] = { ...last, count: last.count + run.count };
  } else {
    runs.push(run);
  }
}

/** The runs of partitions given in ascending order; what {@link partitionsOf} yields gives the runs back. */
export function runsOf(partitions: Iterable<Interval>): Run[] {
  const runs: Run[] = [];
  for (const { start, end } of partitions) {
    appendRun(runs, { start, step: start === -Infinity ? Infinity : end - start, count: 1 });
  }
  return runs;
}
