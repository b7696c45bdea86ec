import type { Axis } from '../../core/time/axis.js';
import { ZERO, type Duration } from '../../core/time/duration.js';
import { UNITS } from '../coalesce/bucket.js';

/** Units of `date_trunc` that are followed. */
export const CUTS = ['minute', 'hour', 'day', 'week', 'month', 'quarter', 'year'] as const;
export type Unit = (typeof CUTS)[number];

/** A time told by the interval's own: `:start` or `:end`, cut to a unit, then moved. The parts of `shift` may be negative. */
export interface Bound {
  readonly base: 'start' | 'end';
  readonly unit: Unit | null;
  readonly shift: Duration;
}

const STEPS: Readonly<Record<Unit, Partial<Duration>>> = {
  minute: { ms: 60_000 },
  hour: { ms: 3_600_000 },
  day: { days: 1 },
  week: { days: 7 },
  month: { months: 1 },
  quarter: { months: 3 },
  year: { months: 12 },
};

export function stepOf(unit: Unit): Duration {
  return { ...ZERO, ...STEPS[unit] };
}

export function unitOf(text: string | undefined): Unit | undefined {
  return CUTS.find((unit) => unit === text?.toLowerCase());
}

/** Whether a bound is where a unit begins: it is cut to that, or to what begins with one, and moved by whole ones. */
export function isAligned({ unit, shift }: Bound, to: Unit, { grain }: Axis): boolean {
  const { months, days, ms } = shift;
  const begins = UNITS[unit === null || unit === 'minute' ? grain : unit];
  if (unit === 'minute' ? to !== 'minute' : !begins.includes(to)) return false;
  const step = stepOf(to);
  if (step.ms > 0) return ms % step.ms === 0;
  if (ms !== 0) return false;
  if (to === 'day') return true;
  if (to === 'week') return months === 0 && days % 7 === 0;
  return days === 0 && months % step.months === 0;
}
