import type { EpochUnit } from '../contracts/project.js';
import { quoteIdent, quoteLiteral } from './quote.js';

/** A column that holds a partition's time, and how its values are instants. */
export interface TimeColumn {
  readonly column: string;
  /** As `format_type` prints it: `timestamp with time zone`, `timestamp without time zone`, `date`, `bigint`, … */
  readonly type: string;
  /** For epochs. */
  readonly unit?: EpochUnit | undefined;
  /** Zone of a column that has none. */
  readonly timezone: string;
}

export const PER_SECOND: Readonly<Record<EpochUnit, number>> = { s: 1, ms: 1000, us: 1_000_000, ns: 1_000_000_000 };

/**
 * `expression` (a timestamptz) in the time column's own type. Predicates that compare a `timestamp` column with timestamptz lost
 * rows through an index at a DST gap; in its own type they cannot.
 */
export function boundOf({ type, unit, timezone }: TimeColumn, expression: string): string {
  if (unit !== undefined) return `(extract(epoch FROM ${expression}) * ${PER_SECOND[unit]})::bigint`;
  const local = `(${expression} AT TIME ZONE ${quoteLiteral(timezone)})`;
  if (type === 'date') return firstDate(expression, local, timezone);
  return isZoneless(type) ? local : expression;
}

/**
 * The first date that begins at `expression` or later. A date is the instant at which its day begins; cast alone, a border that is no
 * midnight in the column's zone would take the day before with it.
 */
function firstDate(expression: string, local: string, timezone: string): string {
  return `(${local}::date + ((${local}::date)::timestamp AT TIME ZONE ${quoteLiteral(timezone)} < ${expression})::int)`;
}

export function isZoneless(type: string): boolean {
  return /^timestamp(\(\d\))?( without time zone)?$/.test(type) || type === 'date';
}

/** Types that can be a time: with `unit`, whole numbers and numeric. */
export function canBeTime(type: string, unit: TimeColumn['unit']): boolean {
  if (unit !== undefined) return /^(bigint|integer|numeric(\(\d+(,\d+)?\))?|double precision)$/.test(type);
  return isZoneless(type) || /^timestamp(\(\d\))? with time zone$/.test(type);
}

/** `"t" >= start AND "t" < end`, with `start` and `end` SQL expressions of type timestamptz. */
export function within(time: TimeColumn, start: string, end: string, table?: string): string {
  const column = table === undefined ? quoteIdent(time.column) : `${table}.${quoteIdent(time.column)}`;
  return `${column} >= ${boundOf(time, start)} AND ${column} < ${boundOf(time, end)}`;
}

/** Nanoseconds since the epoch leave bigint, which {@link boundOf} brings them to, in 1677 and 2262. */
const NS_REACH = ['-9214560000000000000', '9214646400000000000'];
/** A day or more on either side of the years 1 to 9999, which a range can name. */
const REACH = [`0001-01-01 00:00:00+00 BC`, `10000-01-02 00:00:00+00`];
const REACH_SECONDS = [-62_167_219_200, 253_402_387_200];

/** Whether a row has a time that no partition will ever hold: infinity, which means an open end, NaN, and what is further than years have four digits. */
export function isBeyond({ column, type, unit }: Omit<TimeColumn, 'timezone'>, table: string): string {
  const value = `${table}.${quoteIdent(column)}`;
  const [low = '', high = ''] =
    unit === 'ns'
      ? NS_REACH
      : unit === undefined
        ? REACH.map((text) => `${quoteLiteral(text)}::${type}`)
        : REACH_SECONDS.map((seconds) => String(seconds * PER_SECOND[unit]));
  return `(${value} < ${low} OR ${value} >= ${high})`;
}

/** A value of the column as a timestamptz: what {@link boundOf} undoes. */
export function instantOf({ column, type, unit, timezone }: TimeColumn, table: string): string {
  const value = `${table}.${quoteIdent(column)}`;
  // To the microsecond, down: rounded up, the last nanosecond of a partition would be in the next.
  if (unit === 'ns') return `to_timestamp(floor(${value}::numeric / 1000)::double precision / 1000000)`;
  if (unit !== undefined) return `to_timestamp(${value}::double precision / ${PER_SECOND[unit]})`;
  return isZoneless(type) ? `(${value}::timestamp AT TIME ZONE ${quoteLiteral(timezone)})` : value;
}

/**
 * The number, from 1, of the partition that a row belongs to: of those that begin at `starts`, an SQL array of ascending timestamptz.
 * The bounds are brought into the column's own type once, and found by bisection: cheap beside an insert.
 */
export function partitionOf(time: TimeColumn, table: string, starts: string): string {
  const bounds = `SELECT array_agg(${boundOf(time, 's')} ORDER BY n) FROM unnest(${starts}) WITH ORDINALITY AS u(s, n)`;
  return `width_bucket(${table}.${quoteIdent(time.column)}, (${bounds}))`;
}

/** A timestamptz literal, for where nothing can be bound. */
export function instantLiteral(text: string): string {
  return `${quoteLiteral(text)}::timestamptz`;
}
