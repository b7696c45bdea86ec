import type { Axis } from '../../core/time/axis.js';
import { durationMs, ZERO, type Duration } from '../../core/time/duration.js';
import { changesClocks } from '../../core/time/zone.js';
import { isZero, lookbackOf, moved, negative, upperOf } from './bound.js';
import { isAligned, stepOf, type Bound, type Unit } from './unit.js';

/**
 * By which clock a value tells a time: an instant, the wall clock of the reader's zone (the session's, so that PostgreSQL compares the two
 * rightly), the wall clock of another zone, or units a second since 1970.
 */
export type Clock = 'zoned' | 'local' | `wall:${string}` | number;

/** What is known of a value of time: it is null, or lies between. */
export interface Value {
  readonly clock: Clock;
  readonly lo?: Bound;
  readonly hi?: Bound;
  /** Whether it lies before `hi`, not on it. */
  readonly open?: boolean;
}

/** Whether PostgreSQL compares two clocks as the times that they tell. */
export function comparable(a: Clock, b: Clock): boolean {
  return a === b || (isPlain(a) && isPlain(b));
}

export function isPlain(clock: Clock): boolean {
  return clock === 'zoned' || clock === 'local';
}

export function exactly(bound: Bound, clock: Clock): Value {
  return { clock, lo: bound, hi: bound };
}

/** Whether a value is one of the interval's own borders, moved or cut. */
export function isExact({ lo, hi, open = false }: Value): boolean {
  return lo !== undefined && hi !== undefined && !open && same(lo, hi);
}

/** A value made of its known ends. */
export function between(clock: Clock, lo: Bound | undefined, hi: Bound | undefined, open: boolean): Value {
  return { clock, ...(lo && { lo }), ...(hi && { hi, open }) };
}

export function shifted(value: Value, by: Duration, axis: Axis): Value {
  const { clock, lo, hi, open = false } = value;
  // Moved by calendar units two times may become one.
  const apart = by.months === 0 && (by.days === 0 || !changesClocks(axis.zone));
  return between(clock, lo && moved(lo, by, axis), hi && moved(hi, by, axis), open && apart);
}

/** `date_trunc(unit, value)`. */
export function cut(value: Value, unit: Unit, axis: Axis): Value {
  const { clock, lo, hi, open = false } = value;
  const least = lo && (cutBound(lo, unit, axis) ?? moved(lo, negative(stepOf(unit)), axis));
  if (hi && !open) return between(clock, least, cutBound(hi, unit, axis) ?? hi, false);
  return between(clock, least, hi, open);
}

function cutBound(bound: Bound, unit: Unit, axis: Axis): Bound | undefined {
  if (isAligned(bound, unit, axis)) return bound;
  // A time cut to a unit, of what was moved by whole ones of it, is what was cut before it was moved.
  const whole = bound.unit === null && isAligned({ ...bound, unit }, unit, axis);
  return whole ? { ...bound, unit } : undefined;
}

/** What a value is if its `date_trunc` to a unit lies between. */
export function uncut(value: Value, unit: Unit, axis: Axis): Value {
  const { clock, lo, hi, open = false } = value;
  if (!hi || (open && isAligned(hi, unit, axis))) return value;
  return between(clock, lo, moved(hi, stepOf(unit), axis), true);
}

/** How far back a lower end lies, as a number to compare by. */
function backOf(bound: Bound | undefined, axis: Axis): number {
  const back = bound && lookbackOf(bound, axis);
  return back ? durationMs(back) : Infinity;
}

/** Both are known of one value: of each end the one that says more. */
export function both(a: Value, b: Value, axis: Axis): Value {
  const [low, lo] = [backOf(a.lo, axis), backOf(b.lo, axis)];
  const least = lo < low || (!a.lo && b.lo) ? b.lo : a.lo;
  const isBetter = b.hi && (!a.hi || rank(b, axis) < rank(a, axis));
  const upper = isBetter ? b : a;
  return between(a.clock, least, upper.hi, upper.open ?? false);
}

function rank({ hi, open = false }: Value, axis: Axis): number {
  return hi ? ['within', 'unknown', 'beyond'].indexOf(upperOf(hi, open, axis, axis)) : 3;
}

/** One of the two is known of a value: what holds in either case. */
export function either(a: Value, b: Value, axis: Axis): Value {
  if (!comparable(a.clock, b.clock)) return { clock: a.clock };
  const clock = a.clock === b.clock ? a.clock : 'local';
  return { ...between(clock, eitherLo(a.lo, b.lo, axis), undefined, false), ...eitherHi(a, b, axis) };
}

function same(a: Bound, b: Bound): boolean {
  const { months, days, ms } = a.shift;
  return (
    a.base === b.base &&
    a.unit === b.unit &&
    isZero({ months: months - b.shift.months, days: days - b.shift.days, ms: ms - b.shift.ms })
  );
}

function eitherLo(a: Bound | undefined, b: Bound | undefined, axis: Axis): Bound | undefined {
  if (!a || !b) return undefined;
  if (same(a, b)) return a;
  const [one, other] = [lookbackOf(a, axis), lookbackOf(b, axis)];
  if (!one || !other) return undefined;
  const most = (part: keyof Duration): number => 0 - Math.max(one[part], other[part]);
  return { base: 'start', unit: null, shift: { months: most('months'), days: most('days'), ms: most('ms') } };
}

function eitherHi(a: Value, b: Value, axis: Axis): { hi?: Bound; open?: boolean } {
  if (!a.hi || !b.hi) return {};
  if (same(a.hi, b.hi)) return { hi: a.hi, open: (a.open ?? false) && (b.open ?? false) };
  return rank(a, axis) === 0 && rank(b, axis) === 0 ? { hi: END, open: true } : {};
}

export const START: Bound = { base: 'start', unit: null, shift: ZERO };
export const END: Bound = { base: 'end', unit: null, shift: ZERO };
