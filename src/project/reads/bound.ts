import type { Axis } from '../../core/time/axis.js';
import { durationMs, ZERO, type Duration } from '../../core/time/duration.js';
import { changesClocks } from '../../core/time/zone.js';
import { isAligned, stepOf, type Bound } from './unit.js';

const HOUR = 3_600_000;

export function isZero({ months, days, ms }: Duration): boolean {
  return months === 0 && days === 0 && ms === 0;
}

export function negative({ months, days, ms }: Duration): Duration {
  return { months: 0 - months, days: 0 - days, ms: 0 - ms };
}

function parts({ months, days, ms }: Duration): number[] {
  return [months, days, ms];
}

/** Whether no part of a shift goes forwards. */
export function isBack(shift: Duration): boolean {
  return parts(shift).every((part) => part <= 0);
}

export function isAhead(shift: Duration): boolean {
  return parts(shift).every((part) => part >= 0);
}

/**
 * A bound, moved further. Undefined where two moves are not one of their sum: months end in different days, and where clocks change a day
 * forth does not undo a day back over a midnight that was left out.
 */
export function moved(bound: Bound, by: Duration, axis: Axis): Bound | undefined {
  const { shift } = bound;
  if (isZero(by)) return bound;
  const sum = { months: shift.months + by.months, days: shift.days + by.days, ms: shift.ms + by.ms };
  const both = [shift, by];
  const only = (part: keyof Duration): boolean =>
    both.every((one) => isZero({ ...one, [part]: 0 })) && (isBack(shift) === isBack(by) || part === 'ms');
  const months = only('months') && isAligned(bound, 'month', axis);
  const fixed = !changesClocks(axis.zone) && both.every((one) => one.months === 0);
  return isZero(shift) || fixed || only('ms') || only('days') || months ? { ...bound, shift: sum } : undefined;
}

/** How far before `:start` a bound may lie; undefined where that is not known. `rows`: the axis of whose rows are limited by it. */
export function lookbackOf(bound: Bound, axis: Axis, rows?: Axis): Duration | undefined {
  const { unit, shift } = bound;
  if (!isBack(shift)) return isAhead(shift) ? lookbackOf({ ...bound, shift: ZERO }, axis, rows) : undefined;
  if (unit !== null && !isAligned({ ...bound, unit: null, shift: ZERO }, unit, axis)) {
    // A row of the same unit lies in a partition that overlaps the interval, where partitions are no shorter than that.
    const same = rows?.zone === axis.zone && isAligned({ base: 'start', unit: null, shift }, unit, rows);
    const least = same ? bound : moved(bound, negative(stepOf(unit)), axis);
    return least && negative(least.shift);
  }
  return negative(bound.base === 'start' ? shift : fromStart(shift, axis));
}

/** A shift of `:end`, backwards, as one of `:start` that is not later. */
function fromStart(shift: Duration, axis: Axis): Duration {
  const length = lengthOf(axis);
  for (const part of ['months', 'days', 'ms'] as const)
    if (length[part] > 0 && isZero({ ...shift, [part]: 0 }))
      return { ...shift, [part]: Math.min(0, shift[part] + length[part]) };
  return shift;
}

/** The length of a partition, in the parts that it is exact in. */
export function lengthOf({ grain }: Axis): Duration {
  switch (grain) {
    case '5m':
      return { ...ZERO, ms: HOUR / 12 };
    case '15m':
      return { ...ZERO, ms: HOUR / 4 };
    case 'none':
      return ZERO;
    default:
      return stepOf(grain);
  }
}

export type Upper = 'within' | 'beyond' | 'unknown';

/** Whether what lies before a bound (or on it, unless `open`) is read by then: whether it lies before `:end`, in a partition that began before. */
export function upperOf(bound: Bound, open: boolean, axis: Axis, rows: Axis): Upper {
  const { base, unit, shift } = bound;
  const aligned = unit === null || isAligned({ base, unit: null, shift: ZERO }, unit, axis);
  if (isBack(shift)) {
    if (base === 'start' || !isZero(shift)) return 'within';
    return open ? 'within' : 'beyond';
  }
  if (!isAhead(shift)) return 'unknown';
  if (base === 'end') return 'beyond';
  if (!aligned) {
    const whole = isZero(differenceOf(shift, stepOf(unit)));
    return open && whole && rows.zone === axis.zone && isAligned({ base, unit: null, shift }, unit, rows)
      ? 'within'
      : 'beyond';
  }
  const left = differenceOf(fixed(lengthOf(axis), axis), fixed(shift, axis));
  if (isZero(left)) return open ? 'within' : 'beyond';
  if (isAhead(left)) return 'within';
  return isBack(left) ? 'beyond' : shortened(shift, axis);
}

/** Hours of a partition that is counted in days: a day has 23 hours at least, but for changes that are undone at once. */
function shortened({ months, days, ms }: Duration, axis: Axis): Upper {
  const length = durationMs(lengthOf(axis));
  if (months > 0) return 'unknown';
  return days * 24 * HOUR + ms < length - 72 * HOUR || (days === 0 && ms <= 20 * HOUR) ? 'within' : 'unknown';
}

/** Where clocks never change a day is 24 hours. */
export function fixed({ months, days, ms }: Duration, { zone }: Axis): Duration {
  return changesClocks(zone) ? { months, days, ms } : { months, days: 0, ms: ms + days * 24 * HOUR };
}

function differenceOf(a: Duration, b: Duration): Duration {
  return { months: a.months - b.months, days: a.days - b.days, ms: a.ms - b.ms };
}
