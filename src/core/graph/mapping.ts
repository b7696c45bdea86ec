import type { Instant, Interval } from '../interval/interval.js';
import { FOREVER } from '../interval/interval.js';
import type { Axis } from '../time/axis.js';
import { ceilTo, floorTo, nextBorder } from '../time/axis.js';
import { DAY_MS } from '../time/calendar.js';
import type { Duration } from '../time/duration.js';
import { addDuration } from '../time/duration.js';
import { segmentAt } from '../time/zone.js';
import type { Need } from './need.js';

/**
 * Mappings, both ways. Forwards is exact; backwards may name a reader's partition too many, never one too few, so whoever
 * must know exactly tests its answer with `readInterval`.
 *
 * A dataset that reads itself never reads the partition that is being built, so it has functions of its own.
 */

/**
 * What a reader's partition reads of an upstream's time axis; the upstream's partitions that overlap it count. Identity
 * `[start, end)`, lookback `[start − lookback, end)`, counted in the reader's zone, `window: all` `[-Infinity, end)`.
 */
export function readInterval(need: Need, readerAxis: Axis, partition: Interval): Interval {
  return { start: readStart(need, readerAxis, partition.start), end: partition.end };
}

/** The reader's time, in whole partitions, that may read `changed` of the upstream. */
export function readersInterval(need: Need, readerAxis: Axis, changed: Interval): Interval {
  if (readerAxis.grain === 'none') return FOREVER;
  return { start: floorTo(readerAxis, changed.start), end: readersEnd(need, readerAxis, changed.end) };
}

/**
 * What a partition reads of its own dataset: the partition before it, or `[start − lookback, start)`, or all before it.
 * Undefined for `grain: none`, which has no partition before.
 */
export function readIntervalOfSelf(need: Need, axis: Axis, partition: Interval): Interval | undefined {
  if (axis.grain === 'none') return undefined;
  const { start } = partition;
  const plain = need.window === undefined && need.lookback === undefined;
  const from = plain ? floorTo(axis, start - 1) : readStart(need, axis, start);
  return from < start ? { start: from, end: start } : undefined;
}

/** The time, in whole partitions, of the same dataset that may read `changed` of it. Undefined for `grain: none`. */
export function readersIntervalOfSelf(need: Need, axis: Axis, changed: Interval): Interval | undefined {
  if (axis.grain === 'none') return undefined;
  const plain = need.window === undefined && need.lookback === undefined;
  const end = plain ? nextBorder(axis, ceilTo(axis, changed.end)) : readersEnd(need, axis, changed.end);
  const start = changed.start === -Infinity ? -Infinity : nextBorder(axis, changed.start);
  return start < end ? { start, end } : undefined;
}

function readStart({ window, lookback }: Need, axis: Axis, start: Instant): Instant {
  if (window === 'all') return -Infinity;
  return lookback === undefined ? start : addDuration(start, lookback, axis.zone, -1);
}

/** The end of the last partition that reads anything before `changedEnd`. */
function readersEnd(need: Need, axis: Axis, changedEnd: Instant): Instant {
  const { window, lookback } = need;
  if (window === 'all') return Infinity;
  if (lookback === undefined || changedEnd === Infinity) return ceilTo(axis, changedEnd);
  // Down from a bound that is safe to the partition that reads: 31 March − 1 month = 28 February, but 28 February + 1 month
  // = 28 March, so adding does not undo subtracting.
  for (let end = ceilTo(axis, readersBound(lookback, axis.zone, changedEnd)); ;) {
    const start = floorTo(axis, end - 1);
    if (readStart(need, axis, start) < changedEnd) return end;
    end = start;
  }
}

/** An instant from which on every `start − lookback` is at or after `changedEnd`. */
function readersBound({ months, days, ms }: Duration, zone: string, changedEnd: Instant): Instant {
  // Undone in the opposite order: days and hours first.
  const undone = addDuration(
    addDuration(changedEnd, { months: 0, days: 0, ms }, zone, 1),
    { months: 0, days, ms: 0 },
    zone,
    1,
  );
  const bound = addDuration(undone, { months, days: 0, ms: 0 }, zone, 1);
  if (months === 0 && days === 0) return bound;
  const { start, end } = segmentAt(zone, changedEnd);
  const calm = start + CLOCKS_MS <= changedEnd && bound + CLOCKS_MS <= end;
  // Months end in 28 to 31 days.
  return bound + (months > 0 ? 3 * DAY_MS : 0) + (calm ? 0 : CLOCKS_MS);
}

/** Clocks never moved further in one go, or in two neighbouring goes, than this (Apia: 24 h). */
const CLOCKS_MS = 2 * DAY_MS;
