/** Numbers, durations, instants and bars, as people read them. */
import { formatCount } from '../../core/words.js';
import type { Line } from './text.js';

export { formatCount, plural } from '../../core/words.js';

const UNITS = [
  { size: 1e12, suffix: 'T' },
  { size: 1e9, suffix: 'B' },
  { size: 1e6, suffix: 'M' },
  { size: 1e3, suffix: 'k' },
] as const;

/** `12,345` below 100,000, above it `123k`, `1.2M`, `3.4B`: rounded down, so that nothing looks done before it is. */
export function formatShort(count: number): string {
  if (count < 100_000) return formatCount(count);
  const unit = UNITS.find(({ size }) => count >= size);
  if (unit === undefined) return formatCount(count);
  const value = count / unit.size;
  return `${value < 100 ? (Math.floor(value * 10) / 10).toFixed(1) : formatCount(Math.floor(value))}${unit.suffix}`;
}

/** Partitions per second as `12/s`, `1.2/s` or, when slow, `7.5/min`; `–` while unknown. */
export function formatRate(perSecond: number | undefined): string {
  if (perSecond === undefined || !Number.isFinite(perSecond)) return '–';
  if (perSecond === 0) return '0/s';
  if (perSecond < 0.95) return `${trimZero((perSecond * 60).toFixed(1))}/min`;
  return perSecond < 9.95 ? `${perSecond.toFixed(1)}/s` : `${formatCount(perSecond)}/s`;
}

function trimZero(text: string): string {
  return text.replace(/\.0$/, '');
}

/** Milliseconds as `0s`, `5s`, `1m 05s`, `2h 03m`, `3d 04h`; negative ones, from clocks that disagree, as `0s`. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${two(seconds % 60)}s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h ${two(Math.floor(seconds / 60) % 60)}m`;
  return `${formatCount(Math.floor(seconds / 86_400))}d ${two(Math.floor(seconds / 3600) % 24)}h`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

/** `37%`, rounded down: 100% is all of it. */
export function formatPercent(part: number, whole: number): string {
  return whole <= 0 ? '–' : `${Math.floor((100 * Math.min(part, whole)) / whole)}%`;
}

const WALL = new Map<string, Intl.DateTimeFormat>();

function wallFormat(zone: string): Intl.DateTimeFormat {
  const known = WALL.get(zone);
  if (known) return known;
  const made = new Intl.DateTimeFormat('en-CA', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'longOffset',
  });
  WALL.set(zone, made);
  return made;
}

interface Wall {
  readonly date: string;
  /** `00:00`, with seconds only where there are any. */
  readonly time: string;
  /** `Z`, `-05:00`. */
  readonly offset: string;
}

/** Date and time of day in a zone; undefined for what is no instant (`-infinity` too). */
function wallOf(iso: string, zone: string): Wall | undefined {
  const instant = Date.parse(iso);
  if (Number.isNaN(instant)) return undefined;
  const parts = new Map(
    wallFormat(zone)
      .formatToParts(instant)
      .map(({ type, value }) => [type, value]),
  );
  const get = (type: Intl.DateTimeFormatPartTypes): string => parts.get(type) ?? '';
  const seconds = get('second') === '00' ? '' : `:${get('second')}`;
  return {
    date: `${get('year').padStart(4, '0')}-${get('month')}-${get('day')}`,
    time: `${get('hour')}:${get('minute')}${seconds}`,
    offset: get('timeZoneName').replace(/^GMT(?:[+-]00:00)?/, '') || 'Z',
  };
}

/** An ISO instant in a zone: `2013-03-10` at midnight there, else `2013-03-10 05:00Z`; what is no instant stays as it is. */
export function formatTime(iso: string, zone = 'UTC'): string {
  const wall = wallOf(iso, zone);
  if (wall === undefined) return iso;
  return wall.time === '00:00' ? wall.date : `${wall.date} ${wall.time}${wall.offset}`;
}

/** When something happened, to the minute: `2026-03-01 12:02Z`, at midnight too. */
export function formatMoment(iso: string): string {
  const wall = wallOf(iso, 'UTC');
  return wall === undefined ? iso : `${wall.date} ${wall.time.slice(0, 5)}${wall.offset}`;
}

/** The time of day of an instant, to the second: `12:03:05Z`. */
export function formatClock(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(11, 19)}Z`;
}

/** A half-open interval: `2013-03-10` for one day, else `[2013-03-10, 2013-03-12)`; `all of it` for `grain: none`. */
export function formatSpan({ start, end }: { start: string; end: string }, zone = 'UTC'): string {
  if (start === '-infinity' && end === 'infinity') return 'all of it';
  const [from, to] = [wallOf(start, zone), wallOf(end, zone)];
  if (from === undefined || to === undefined) return `[${start}, ${end})`;
  if (from.time === '00:00' && to.time === '00:00' && nextDate(from.date) === to.date) return from.date;
  const sameDay = from.date === to.date && from.offset === to.offset;
  return `[${formatTime(start, zone)}, ${sameDay ? `${to.time}${to.offset}` : formatTime(end, zone)})`;
}

function nextDate(date: string): string | undefined {
  const next = Date.parse(`${date}T00:00:00Z`) + 86_400_000;
  return Number.isNaN(next) ? undefined : new Date(next).toISOString().slice(0, 10);
}

export interface BarCounts {
  readonly total: number;
  readonly done: number;
  readonly failed: number;
  readonly blocked: number;
  readonly skipped: number;
}

/**
 * A bar of `width` columns: `█` done, `x` failed, `▒` blocked, `-` skipped, `░` still to do. Each kind has its own sign, so
 * it reads without colour. Whatever there is shows, be it one failed partition, or one left to do, among thousands.
 */
export function formatBar({ total, done, failed, blocked, skipped }: BarCounts, width: number): Line {
  const todo = Math.max(total - done - failed - blocked - skipped, 0);
  const [good, bad, stuck, left, rest] = shares([done, failed, blocked, skipped, todo], width);
  return [
    { text: '█'.repeat(good ?? 0), style: 'good' },
    { text: 'x'.repeat(bad ?? 0), style: 'bad' },
    { text: '▒'.repeat(stuck ?? 0), style: 'warn' },
    { text: '-'.repeat(left ?? 0), style: 'faint' },
    { text: '░'.repeat(rest ?? 0), style: 'faint' },
  ];
}

/** `width` columns dealt out by count, one at least to each count that is not 0; the largest takes what rounding leaves or lacks. */
function shares(counts: readonly number[], width: number): number[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return counts.map((_, index) => (index === counts.length - 1 ? width : 0));
  const columns = counts.map((count) => (count === 0 ? 0 : Math.max(1, Math.floor((count / total) * width))));
  const off = width - columns.reduce((sum, column) => sum + column, 0);
  for (let i = 0; i < Math.abs(off); i++) {
    const largest = columns.indexOf(Math.max(...columns));
    columns[largest] = (columns[largest] ?? 0) + Math.sign(off);
  }
  return columns;
}
