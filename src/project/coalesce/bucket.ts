import type { Grain } from '../../core/time/axis.js';
import { nodesOf } from '../sql/parser.js';
import { functionName, isAggregate } from './functions.js';
import type { Objections } from './refusal.js';
import { as, castTo, columnOf, textOf } from './tree.js';

/**
 * A table in a FROM, under its alias. Where it is limited, each of its rows belongs to one partition, and a *bucket* is a column whose
 * value lies within that partition: equal buckets tell equal partitions.
 */
export interface Item {
  readonly alias: string;
  readonly limited: boolean;
  readonly buckets: ReadonlySet<string>;
}

/** Units of `date_trunc` whose spans lie within one partition of a grain: a week may span two months. */
const FINE = ['microseconds', 'milliseconds', 'second', 'minute'];
export const UNITS: Readonly<Record<Grain, readonly string[]>> = {
  '5m': FINE,
  '15m': FINE,
  hour: [...FINE, 'hour'],
  day: [...FINE, 'hour', 'day'],
  week: [...FINE, 'hour', 'day', 'week'],
  month: [...FINE, 'hour', 'day', 'month'],
  quarter: [...FINE, 'hour', 'day', 'month', 'quarter'],
  year: [...FINE, 'hour', 'day', 'month', 'quarter', 'year'],
  none: [],
};
const LOCAL_TYPES = ['date', 'timestamp', 'timestamptz'];

/** Whether wall-clock time orders its partitions: two hours bear one name when clocks go back, two days never do. */
export function isLong(grain: Grain): boolean {
  return !['5m', '15m', 'hour', 'none'].includes(grain);
}

/** Whether a cast keeps a time in its partition. */
export function keepsPartition(type: string | undefined, grain: Grain): boolean {
  return isLong(grain) && type !== undefined && LOCAL_TYPES.includes(type);
}

/** Where an expression stands. */
export interface Place {
  readonly items: readonly Item[];
  readonly grain: Grain;
  readonly objections: Objections;
  /** Whether its query is grouped by a bucket: then the least and the greatest bucket of a group are buckets, too. */
  readonly grouped: boolean;
}

/** Whether an expression's value lies within the partition that its row belongs to. */
export function isBucket(expression: unknown, place: Place): boolean {
  const names = columnOf(expression);
  if (names) return itemOf(names, place.items)?.buckets.has(names.at(-1) ?? '') ?? false;
  const cast = as(expression, 'TypeCast');
  if (cast) return keepsPartition(castTo(cast), place.grain) && isBucket(cast['arg'], place);
  const call = as(expression, 'FuncCall');
  if (!call || 'over' in call || 'agg_filter' in call) return false;
  const args = nodesOf(call['args']);
  const name = functionName(call);
  if (name === 'date_trunc' && args.length === 2) {
    const unit = textOf(args[0])?.toLowerCase() ?? '';
    return (UNITS[place.grain].includes(unit) || !place.objections.holds('unit')) && isBucket(args[1], place);
  }
  return (name === 'min' || name === 'max') && isAggregate(call) && place.grouped && isBucket(args[0], place);
}

/**
 * The table that a column is of. A bare name is that of the only table, or of the one known to have such a column: if another had it too,
 * PostgreSQL would call it ambiguous.
 */
export function itemOf(names: readonly string[], items: readonly Item[]): Item | undefined {
  const [first = '', second] = names;
  if (names.length === 2 && second !== undefined) return items.find(({ alias }) => alias === first);
  if (names.length !== 1) return undefined;
  return items.length === 1 ? items[0] : items.find(({ buckets }) => buckets.has(first));
}
