import type { Instant } from '../interval/interval.js';
import { addMonths, DAY_MS, HOUR_MS, MINUTE_MS } from './calendar.js';
import { instantOf, localAt } from './zone.js';

/**
 * A length of data time. Days and months are calendar units, added in a zone (a day may be 23 or 25 h); `ms` is exact.
 * Which fields are set follows what was written: `7d` is `{ months: 0, days: 7, ms: 0 }`, `1w` 7 days, `2h` 7,200,000 ms.
 */
export interface Duration {
  readonly months: number;
  readonly days: number;
  readonly ms: number;
}

export const ZERO: Duration = { months: 0, days: 0, ms: 0 };

const SHORT = shape('y', 'mo', 'w', 'd', '', 'h', 'm', 's');
const ISO = shape('Y', 'M', 'W', 'D', 'T', 'H', 'M', 'S');

/** Seven digits a unit: more is a typing mistake, and would leave the range of dates. */
function shape(...[y, mo, w, d, t, h, m, s]: string[]): RegExp {
  const part = (unit: string | undefined): string => `(?:(\\d{1,7})${unit})?`;
  const time = part(h) + part(m) + part(s);
  return new RegExp(`^${part(y)}${part(mo)}${part(w)}${part(d)}${t ? `(?:${t}(?=\\d)${time})?` : time}$`);
}

/** Reads `5m` (minutes), `2h`, `6d`, `1w`, `3mo`, `1y`, `30s`, sums from large to small (`1d12h`), ISO 8601 (`P6D`, `PT5M`), `0`. */
export function parseDuration(text: string): Duration | undefined {
  if (text === '0') return ZERO;
  const iso = text.startsWith('P');
  const body = iso ? text.slice(1) : text;
  const match = (iso ? ISO : SHORT).exec(body);
  if (!match || body === '') return undefined;
  const unit = (group: number): number => Number(match[group] ?? 0);
  return {
    months: unit(1) * 12 + unit(2),
    days: unit(3) * 7 + unit(4),
    ms: unit(5) * HOUR_MS + unit(6) * MINUTE_MS + unit(7) * 1000,
  };
}

/** The shortest text that {@link parseDuration} reads back as the same: `1y2mo`, `7d`, `1d12h`, `0`. Parts of a second are dropped. */
export function formatDuration({ months, days, ms }: Duration): string {
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(months / 12), 'y'],
    [months % 12, 'mo'],
    [days, 'd'],
    [Math.floor(ms / HOUR_MS), 'h'],
    [Math.floor((ms % HOUR_MS) / MINUTE_MS), 'm'],
    [Math.floor((ms % MINUTE_MS) / 1000), 's'],
  ];
  const text = parts.map(([count, unit]) => (count === 0 ? '' : `${count}${unit}`)).join('');
  return text === '' ? '0' : text;
}

/**
 * `t` plus (`sign` 1) or minus (−1) a duration: months, then days on the wall clock of `zone`, then exact ms. Like
 * PostgreSQL's `timestamptz ± interval`, but a wall-clock time that is shown twice is the first of the two, so that a
 * lookback is never too short. Infinities stay as they are. NaN beyond the range of dates (years ±271,821).
 */
export function addDuration(t: Instant, { months, days, ms }: Duration, zone: string, sign: 1 | -1): Instant {
  if (!Number.isFinite(t)) return t;
  if (months === 0 && days === 0) return t + sign * ms;
  const local = addMonths(localAt(zone, t), sign * months) + sign * days * DAY_MS;
  if (!(Math.abs(local) <= LOCAL_MAX)) return NaN;
  return instantOf(zone, local) + sign * ms;
}

/** Range of `Date`, less the pieces that {@link instantOf} may look ahead or back. */
const LOCAL_MAX = 8.64e15 - 8000 * DAY_MS;

/** Approximate length, for sorting and for bounds: a month counts as 30.436875 days. */
export function durationMs({ months, days, ms }: Duration): number {
  return months * 30.436875 * DAY_MS + days * DAY_MS + ms;
}
