/**
 * The one interval type: half-open `[start, end)` of data time.
 *
 * Instants are milliseconds since the epoch, or ±Infinity (`grain: none` is `[-Infinity, Infinity)`). Milliseconds are
 * enough because only borders are instants here, and borders are whole minutes; data keeps its microseconds in SQL.
 */
export type Instant = number;

/** Half-open `[start, end)`, never empty: `start < end`. */
export interface Interval {
  readonly start: Instant;
  readonly end: Instant;
}

/** All of time: the interval of a dataset with `grain: none`. */
export const FOREVER: Interval = { start: -Infinity, end: Infinity };

/** An instant as PostgreSQL and our JSON write it: `2013-01-01T00:00:00Z`, `-infinity`, `infinity`. */
export function formatInstant(instant: Instant): string {
  if (instant === Infinity) return 'infinity';
  if (instant === -Infinity) return '-infinity';
  return new Date(instant).toISOString().replace('.000Z', 'Z');
}

/** The inverse of {@link formatInstant}; throws RangeError on anything else. */
export function parseInstant(text: string): Instant {
  if (text === 'infinity') return Infinity;
  if (text === '-infinity') return -Infinity;
  const instant = /Z$/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(instant)) throw new RangeError(`not an instant in UTC: ${JSON.stringify(text)}`);
  return instant;
}

/** `2013-01-01T00:00:00Z … 2013-01-02T00:00:00Z`, for messages. */
export function formatInterval({ start, end }: Interval): string {
  return start === -Infinity && end === Infinity ? 'all of it' : `${formatInstant(start)} … ${formatInstant(end)}`;
}
