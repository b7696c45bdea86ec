import type { Instant, Interval } from '../interval/interval.js';
import { dateToLocal, DAY_MS, HOUR_MS, MINUTE_MS, monthOf, startOfMonth } from './calendar.js';
import { firstAt, instantOf } from './zone.js';

/**
 * Year, month, day; hour, minute, second, ms; zone. Fractions finer than a ms are not borders of anything, and cutting
 * them off would shorten a range in silence, so they do not match.
 */
const DATE = '(\\d{4})(?:-(\\d{2})(?:-(\\d{2})';
const CLOCK = '(\\d{2})(?::(\\d{2})(?::(\\d{2})(?:[.,](\\d{1,3})0*)?)?)?';
const ZONE = '(Z|[+-]\\d{2}(?::?\\d{2})?)';
const TIME = new RegExp(`^${DATE}(?:[T ]${CLOCK}${ZONE}?)?)?)?$`, 'i');

/**
 * Reads an ISO 8601 text as the time that it names: `start` is what it means as one end of a range, `[start, end)` as a whole.
 * A date is its local day in `zone`, `2013-03` that month, `2013` that year; a time is one ms. A time without a zone is
 * read in `zone`: shown twice there, it is the first; never shown, it is as far behind the jump. Undefined for anything
 * else, also 30 February.
 */
export function readTime(text: string, zone: string): Interval | undefined {
  const match = TIME.exec(text);
  if (!match) return undefined;
  const [, year = '', month, day, hour, minute, second, fraction, offset] = match;
  const [y, m, d] = [Number(year), Number(month ?? 1) - 1, Number(day ?? 1)];
  // PostgreSQL has no year 0.
  if (y === 0) return undefined;
  const start = dateToLocal(y, m, d);
  // A date that does not exist rolls over into the next month or year.
  if (dateToLocal(y, m, 1) !== startOfMonth(monthOf(start)) || m < 0 || m > 11) return undefined;
  if (hour === undefined) {
    if (month === undefined) return whole(zone, start, dateToLocal(y + 1, 0, 1));
    return whole(zone, start, day === undefined ? dateToLocal(y, m + 1, 1) : start + DAY_MS);
  }
  const clock = clockMs(hour, minute, second, fraction);
  const shift = offset === undefined ? undefined : offsetMs(offset);
  if (clock === undefined || (offset !== undefined && shift === undefined)) return undefined;
  const at = shift === undefined ? instantOf(zone, start + clock) : start + clock - shift;
  return { start: at, end: at + 1 };
}

/** A day that the zone left out (Apia, 2011-12-30) is no time. */
function whole(zone: string, startLocal: number, endLocal: number): Interval | undefined {
  const start: Instant = firstAt(zone, startLocal);
  const end: Instant = firstAt(zone, endLocal);
  return start < end ? { start, end } : undefined;
}

function clockMs(hour: string, minute = '0', second = '0', fraction = '0'): number | undefined {
  const [h, m, s] = [Number(hour), Number(minute), Number(second)];
  if (h > 23 || m > 59 || s > 59) return undefined;
  return h * HOUR_MS + m * MINUTE_MS + s * 1000 + Number(fraction.padEnd(3, '0'));
}

function offsetMs(offset: string): number | undefined {
  if (offset.toUpperCase() === 'Z') return 0;
  const digits = offset.replace(/\D/g, '');
  const [h, m] = [Number(digits.slice(0, 2)), Number(digits.slice(2) || 0)];
  if (h > 15 || m > 59) return undefined;
  return (offset.startsWith('-') ? -1 : 1) * (h * HOUR_MS + m * MINUTE_MS);
}
