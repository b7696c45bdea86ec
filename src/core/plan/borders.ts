import type { Instant, Interval } from '../interval/interval.js';
import { partitionsOf } from '../interval/runs.js';
import type { Run } from '../interval/runs.js';
import { ceilTo, floorTo, partitionsIn } from '../time/axis.js';
import type { Axis } from '../time/axis.js';
import { at, lowerBound, seek, stretches } from './search.js';
import type { Span } from './search.js';
import type { PlanNode } from './types.js';

/**
 * A dataset's partitions as their borders, ascending: partition `i` is `[borders[i], borders[i + 1])`, partition 0 begins
 * at the dataset's start. Ten years of hours are 700 KB, and datasets with one axis share one table.
 */
export type Borders = Float64Array;

const FOREVER_BORDERS: Borders = Float64Array.of(-Infinity, Infinity);

/** Borders of every node, in order, each from its start to the end of the partition that `now` is in. */
export function bordersOf(nodes: readonly PlanNode[], now: Instant): Borders[] {
  const tables = new Map<string, Borders>();
  for (const { axis, start } of nodes) {
    if (axis.grain === 'none') continue;
    const table = tables.get(keyOf(axis));
    if (table === undefined || start < at(table, 0)) tables.set(keyOf(axis), borderTable(axis, start, now));
  }
  return nodes.map(({ axis, start }) => {
    if (axis.grain === 'none') return FOREVER_BORDERS;
    const table = tables.get(keyOf(axis)) ?? FOREVER_BORDERS;
    // What begins in the future has no partitions yet: its table is its start alone.
    return start >= at(table, table.length - 1) ? Float64Array.of(start) : table.subarray(lowerBound(table, start));
  });
}

function keyOf({ grain, zone }: Axis): string {
  return `${grain} ${zone}`;
}

function borderTable(axis: Axis, start: Instant, now: Instant): Borders {
  const from = floorTo(axis, start);
  const until = ceilTo(axis, now);
  if (from >= until) return Float64Array.of(from);
  const borders = [from];
  for (const partition of partitionsOf(partitionsIn(axis, { start: from, end: until }))) borders.push(partition.end);
  return Float64Array.from(borders);
}

/**
 * The partitions that overlap `[start, end)`; none where it lies before the first or after the last. `near`: where to begin
 * to look.
 */
export function overlapping(borders: Borders, { start, end }: Interval, near: Span = NOWHERE): Span {
  const firstAtStart = seek(borders, start, near.lo);
  const startsThere = borders[firstAtStart] === start;
  const lo = startsThere ? firstAtStart : Math.max(0, firstAtStart - 1);
  const hi = Math.min(seek(borders, end, near.hi), borders.length - 1);
  return { lo, hi: Math.max(lo, hi) };
}

const NOWHERE: Span = { lo: 0, hi: 0 };

/** Partition `index` as an interval. */
export function intervalAt(borders: Borders, index: number): Interval {
  return { start: at(borders, index), end: at(borders, index + 1) };
}

/** Partitions `indexes` (ascending) as intervals, adjacent ones joined. */
export function intervalsAt(borders: Borders, indexes: readonly number[]): Interval[] {
  return stretches(indexes).map(({ lo, hi }) => ({ start: at(borders, lo), end: at(borders, hi) }));
}

/** Partitions `indexes` (ascending) as runs. */
export function runsAt(borders: Borders, indexes: readonly number[]): Run[] {
  const runs: Run[] = [];
  for (const { lo, hi } of stretches(indexes)) {
    for (let index = lo; index < hi;) {
      const first = index;
      const step = lengthOf(borders, first);
      while (index < hi && lengthOf(borders, index) === step) index++;
      runs.push({ start: at(borders, first), step, count: index - first });
    }
  }
  return runs;
}

function lengthOf(borders: Borders, index: number): number {
  return (borders[index + 1] ?? NaN) - (borders[index] ?? NaN);
}
