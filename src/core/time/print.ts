/**
 * Times as people read them, and as every verb reads them back: `parse(print(t)) = t` for whatever is printed here.
 *
 * A time is shown in its dataset's zone, without naming it. It carries its offset where the text alone would be read as another
 * time: when the clocks show it twice, and when what people type is read in another zone (the project's).
 */
import type { Instant, Interval } from '../interval/interval.js';
import { formatInstant } from '../interval/interval.js';
import type { Grain } from './axis.js';
import { partitionOf } from './axis.js';
import { MINUTE_MS } from './calendar.js';
import { YEAR_1 } from './range.js';
import { readTime } from './text.js';
import { instantOf, localAt, segmentAt } from './zone.js';

/** By which clock times are shown, and in which zone they are read back; the same zone unless said otherwise. */
export interface Clock {
  readonly zone: string;
  readonly typed?: string;
  readonly grain?: Grain;
}

/** The first instant of year 9999: what lies behind has no text of ours. */
const LAST_YEAR: Instant = Date.UTC(9999, 0);

/** `2026-11-30` where a local day starts, else `2026-11-30 14:00`, and `2026-10-25 02:00+01:00` where that is not clear. */
export function printTime(t: Instant, clock: Clock): string {
  return dateText(t, clock) ?? printClock(t, clock);
}

/** The same with the time of day, also where a day starts. */
export function printClock(t: Instant, { zone, typed = zone }: Clock): string {
  if (!isPrintable(t)) return formatInstant(t);
  const local = localAt(zone, t);
  const text = shortened(local);
  if (readTime(text, typed)?.start === t && !isShownTwice(typed, t)) return text;
  const offset = local - t;
  // An offset with seconds, as before there were zones, has no text.
  return offset % MINUTE_MS === 0 ? text + offsetText(offset) : `${shortened(t)}Z`;
}

/**
 * `all of it`; one partition as it is typed behind `--on` (`2026-11-30`, `2026-11`, `2026-11-30 14:00`); else `[from, to)`.
 * Without a grain only a whole day is known as one partition.
 */
export function printInterval({ start, end }: Interval, clock: Clock): string {
  if (start === -Infinity && end === Infinity) return 'all of it';
  return unitText({ start, end }, clock) ?? `[${printTime(start, clock)}, ${printTime(end, clock)})`;
}

function unitText({ start, end }: Interval, clock: Clock): string | undefined {
  const { zone, typed = zone, grain = 'day' } = clock;
  if (!isPrintable(start) || partitionOf({ grain, zone }, start).end !== end) return undefined;
  // Another zone's day may begin with it and be an hour longer.
  if (grain === 'day')
    return readTime(printTime(start, clock), typed)?.end === end ? printTime(start, clock) : printClock(start, clock);
  if (grain === 'hour' || grain === '15m' || grain === '5m') return printClock(start, clock);
  const text = shortened(localAt(zone, start)).slice(0, grain === 'year' ? 4 : 7);
  const read = grain === 'month' || grain === 'year' ? readTime(text, typed) : undefined;
  return read?.start === start && read.end === end ? text : undefined;
}

function dateText(t: Instant, { zone, typed = zone }: Clock): string | undefined {
  if (!isPrintable(t)) return undefined;
  const date = shortened(localAt(zone, t)).slice(0, 10);
  return readTime(date, typed)?.start === t ? date : undefined;
}

function isPrintable(t: Instant): boolean {
  return t >= YEAR_1 + 366 * 86_400_000 && t < LAST_YEAR;
}

/** `2026-11-30 14:00`, with seconds where there are any. */
function shortened(local: number): string {
  return new Date(local)
    .toISOString()
    .replace('T', ' ')
    .replace(/(?::00)?\.000Z$|Z$/, '');
}

/** Whether the wall clock shows this time a second time: when clocks go back. */
function isShownTwice(zone: string, t: Instant): boolean {
  const local = localAt(zone, t);
  if (instantOf(zone, local) !== t) return true;
  const next = segmentAt(zone, segmentAt(zone, t).end);
  return local - next.offset >= next.start;
}

function offsetText(offset: number): string {
  if (offset === 0) return 'Z';
  const minutes = Math.abs(offset) / MINUTE_MS;
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
