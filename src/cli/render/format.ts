/** Numbers, durations, instants and bars, as people read them. */
import type { Instant } from '../../core/interval/interval.js';
import type { Clock } from '../../core/time/print.js';
import { printClock, printInterval, printTime } from '../../core/time/print.js';
import { localAt } from '../../core/time/zone.js';
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

/** Whether one of these is told by the minute: then all beside it are, so that they can be compared. */
export function isSlow(rates: readonly (number | undefined)[]): boolean {
  return rates.some((rate) => rate !== undefined && rate > 0 && rate < 0.95);
}

/** Partitions per second as `12/s`, `1.2/s` or, when slow, `7.5/min`; `–` while unknown. */
export function formatRate(perSecond: number | undefined, perMinute = isSlow([perSecond])): string {
  if (perSecond === undefined || !Number.isFinite(perSecond)) return '–';
  if (perMinute)
    return perSecond < 1.5
      ? `${trimZero((perSecond * 60).toFixed(1))}/min`
      : `${formatCount(Math.round(perSecond * 60))}/min`;
  if (perSecond === 0) return '0/s';
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

/** An instant of a document: ISO 8601 or an infinity; undefined for what is none. */
function instantIn(text: string): Instant | undefined {
  if (text === 'infinity' || text === '-infinity') return text === 'infinity' ? Infinity : -Infinity;
  const instant = Date.parse(text);
  return Number.isNaN(instant) ? undefined : instant;
}

/** An instant of a document by a clock: `2013-03-10`, `2013-03-10 05:00`; what is no instant stays as it is. */
export function formatTime(iso: string, clock: Clock = UTC): string {
  const instant = instantIn(iso);
  return instant === undefined ? iso : printTime(instant, clock);
}

/** When something happened, to the minute: `2026-03-01 12:02`, at midnight too. */
export function formatMoment(iso: string, zone = 'UTC'): string {
  const instant = instantIn(iso);
  return instant === undefined ? iso : printClock(Math.floor(instant / 60_000) * 60_000, { zone });
}

/** The time of day of an instant, to the second: `12:03:05`. */
export function formatClock(atMs: number, zone = 'UTC'): string {
  return new Date(localAt(zone, atMs)).toISOString().slice(11, 19);
}

/** An interval of a document, see `printInterval`. */
export function formatSpan({ start, end }: { start: string; end: string }, clock: Clock = UTC): string {
  const [from, to] = [instantIn(start), instantIn(end)];
  return from === undefined || to === undefined ? `[${start}, ${end})` : printInterval({ start: from, end: to }, clock);
}

const UTC: Clock = { zone: 'UTC' };

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
