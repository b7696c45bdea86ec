import type { Interval } from './interval.js';

/**
 * Sets of time. A *set* is an array of intervals, ascending, disjoint, and not touching: {@link normalize} makes one, every
 * function here gives one back, and all but `normalize` and `union` expect one. All are linear, `contains` and `overlapping` are logarithmic.
 */
export type IntervalSet = readonly Interval[];

/** Any intervals, in any order, overlapping or touching or empty, as a set. */
export function normalize(intervals: Iterable<Interval>): Interval[] {
  const sorted = [...intervals].filter(({ start, end }) => start < end).sort((a, b) => compare(a.start, b.start));
  const set: Interval[] = [];
  for (const { start, end } of sorted) {
    const last = set.at(-1);
    if (!last || last.end < start) set.push({ start, end });
    else if (last.end < end) set[set.length - 1] = { start: last.start, end };
  }
  return set;
}

/** Time in any of the sets. */
export function union(...sets: readonly IntervalSet[]): Interval[] {
  return normalize(sets.flat());
}

/** Time in both. */
export function intersect(a: IntervalSet, b: IntervalSet): Interval[] {
  const set: Interval[] = [];
  for (let i = 0, j = 0; ;) {
    const left = a[i];
    const right = b[j];
    if (!left || !right) return set;
    const start = Math.max(left.start, right.start);
    const end = Math.min(left.end, right.end);
    if (start < end) set.push({ start, end });
    if (left.end < right.end) i++;
    else j++;
  }
}

/** Time in `a` and not in `b`: the gaps, where `b` is a coverage. */
export function subtract(a: IntervalSet, b: IntervalSet): Interval[] {
  return intersect(a, complement(b));
}

/** Whether two intervals share time; touching is not sharing. */
export function overlaps(a: Interval, b: Interval): boolean {
  return a.start < b.end && b.start < a.end;
}

/** Whether all of `interval` lies in the set. */
export function contains(set: IntervalSet, { start, end }: Interval): boolean {
  const candidate = set[firstEndingAfter(set, start)];
  return candidate !== undefined && candidate.start <= start && end <= candidate.end;
}

/** The members of the set that share time with `interval`, whole. */
export function overlapping(set: IntervalSet, { start, end }: Interval): IntervalSet {
  const from = firstEndingAfter(set, start);
  let to = from;
  while ((set[to]?.start ?? Infinity) < end) to++;
  return set.slice(from, to);
}

function firstEndingAfter(set: IntervalSet, start: Interval['start']): number {
  let lo = 0;
  let hi = set.length;
  while (lo < hi) {
    const middle = (lo + hi) >> 1;
    if ((set[middle]?.end ?? Infinity) <= start) lo = middle + 1;
    else hi = middle;
  }
  return lo;
}

/** Length in ms. */
export function totalMs(set: IntervalSet): number {
  return set.reduce((sum, { start, end }) => sum + (end - start), 0);
}

function complement(set: IntervalSet): Interval[] {
  const gaps: Interval[] = [];
  let from = -Infinity;
  for (const { start, end } of set) {
    if (from < start) gaps.push({ start: from, end: start });
    from = end;
  }
  if (from < Infinity) gaps.push({ start: from, end: Infinity });
  return gaps;
}

/** Subtracting would give NaN for two equal infinities. */
function compare(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
