/**
 * Windows of a budget: hours of the week in which another number of slots holds. Wall-clock times of each window's own zone; a border
 * that clocks skip is at the jump, one that they show twice is the first.
 */
import { localAt, firstAt } from '../time/zone.js';
import { DAY_MS, MINUTE_MS } from '../time/calendar.js';
import type { Instant } from '../interval/interval.js';

export interface Window {
  /** Weekdays on which it opens, 0 is Monday. */
  readonly days: readonly number[];
  /** Minutes of the day at which it opens, 0 to 1,439. */
  readonly from: number;
  /** Minutes, counted from the same midnight, at which it closes: over 1,440 is on the next day. At most a day long. */
  readonly to: number;
  readonly zone: string;
  /** 0 is a blackout. */
  readonly slots: number;
  readonly rate?: number;
}

/** At `at` the window in force becomes `window`; null: none. */
export interface Change {
  readonly at: Instant;
  readonly window: Window | null;
}

/** One opening of a window. */
interface Opening {
  readonly window: Window;
  readonly start: Instant;
  readonly end: Instant;
}

/** 1970-01-01 was a Thursday. */
const EPOCH_WEEKDAY = 3;
/** A window that a jump of the clocks swallows whole opens again within two weeks; one day more for zones. */
const LOOK_AHEAD_MS = 15 * DAY_MS;
/** Rules of today, over a whole year: zones that change their clocks do it in it. */
const YEAR: readonly [Instant, Instant] = [Date.UTC(2026, 0, 1), Date.UTC(2027, 0, 15)];

/** The window in force at `at`, or null. Where two hold, although no project may have that (a zone changed its rules), the lower slots count. */
export function windowAt(windows: readonly Window[], at: Instant): Window | null {
  const open = openings(windows, at, at + 1).map(({ window }) => window);
  return open.sort((a, b) => a.slots - b.slots)[0] ?? null;
}

/** When the window in force next becomes another one, and which; null where it never does. */
export function nextWindow(windows: readonly Window[], at: Instant): Change | null {
  const now = windowAt(windows, at);
  const borders = openings(windows, at, at + LOOK_AHEAD_MS).flatMap(({ start, end }) => [start, end]);
  for (const border of [...new Set(borders)].sort((a, b) => a - b)) {
    if (border <= at || border > at + LOOK_AHEAD_MS) continue;
    const window = windowAt(windows, border);
    if (window !== now) return { at: border, window };
  }
  return null;
}

/** Two windows that are open at the same time at some moment of a year, by their indexes, and the moment. */
export function overlapOf(windows: readonly Window[]): { first: number; second: number; at: Instant } | null {
  const sorted = openings(windows, ...YEAR).sort((a, b) => a.start - b.start);
  let widest: Opening | undefined;
  for (const opening of sorted) {
    if (widest && opening.start < widest.end) {
      const [first = 0, second = 0] = [windows.indexOf(widest.window), windows.indexOf(opening.window)].sort(
        (a, b) => a - b,
      );
      return { first, second, at: opening.start };
    }
    widest = opening;
  }
  return null;
}

/** All openings that share a moment with `[from, to)`. */
function openings(windows: readonly Window[], from: Instant, to: Instant): Opening[] {
  return windows.flatMap((window) => {
    const found: Opening[] = [];
    const last = midnight(window.zone, to) + DAY_MS;
    // A window that opened on the day before may still be open; clocks set back over midnight show a day that has begun already.
    for (let day = midnight(window.zone, from) - DAY_MS; day <= last; day += DAY_MS) {
      if (!window.days.includes(weekdayOf(day))) continue;
      const start = firstAt(window.zone, day + window.from * MINUTE_MS);
      const end = firstAt(window.zone, day + window.to * MINUTE_MS);
      if (start < end && start < to && end > from) found.push({ window, start, end });
    }
    return found;
  });
}

/** Local time of the midnight that starts the day of `at`. */
function midnight(zone: string, at: Instant): number {
  return Math.floor(localAt(zone, at) / DAY_MS) * DAY_MS;
}

function weekdayOf(local: number): number {
  return (Math.floor(local / DAY_MS) + EPOCH_WEEKDAY) % 7;
}
