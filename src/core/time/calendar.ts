/** Calendar arithmetic on local time (wall clock, in ms as if it were UTC). Proleptic Gregorian, any year. */

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

/** Local midnight that starts a date; `month` counts from 0 and may lie outside 0–11, `day` from 1. */
export function dateToLocal(year: number, month: number, day: number): number {
  // Date.UTC reads the years 0–99 as 1900–1999.
  return new Date(0).setUTCFullYear(year, month, day);
}

/** Months since year 0, of the month that holds `local`. */
export function monthOf(local: number): number {
  const date = new Date(local);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}

/** Local midnight that starts month number `month` (months since year 0). */
export function startOfMonth(month: number): number {
  return dateToLocal(0, month, 1);
}

/** Adds calendar months; a day that the month lacks becomes its last (31 January + 1 month = 28 or 29 February). */
export function addMonths(local: number, months: number): number {
  if (months === 0) return local;
  const month = monthOf(local);
  const target = month + months;
  const within = local - startOfMonth(month);
  const timeOfDay = within % DAY_MS;
  const lastDay = startOfMonth(target + 1) - DAY_MS;
  return Math.min(startOfMonth(target) + within - timeOfDay, lastDay) + timeOfDay;
}
