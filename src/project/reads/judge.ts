import type { Axis } from '../../core/time/axis.js';
import { durationMs, ZERO, type Duration } from '../../core/time/duration.js';
import { changesClocks } from '../../core/time/zone.js';
import { isLong } from '../coalesce/bucket.js';
import { as } from '../coalesce/tree.js';
import type { Node } from '../sql/parser.js';
import { isAhead, lookbackOf, upperOf } from './bound.js';
import { END, START, type Clock, type Value } from './value.js';
import { Walk, type Occurrence, type Rows } from './walk.js';

/**
 * What a query reads of an upstream, in one place:
 * - `interval`, `lookback`: nothing outside of the interval, or of that and so much before it
 * - `all`: all before the end of the interval, or without any limit of time (`endless`)
 * - `ahead`: what comes after the end
 * - `unknown`: its limits are not understood
 */
export type Reading =
  | { readonly kind: 'interval' }
  | { readonly kind: 'lookback'; readonly lookback: Duration }
  | { readonly kind: 'all'; readonly endless: boolean }
  | { readonly kind: 'ahead' }
  | { readonly kind: 'unknown' };

/** A partitioned dataset that is read. */
export interface Upstream {
  readonly name: string;
  readonly axis: Axis;
  readonly time: string;
  readonly clock: Clock | undefined;
}

export interface Asked {
  /** `{ SelectStmt: … }`, with `$1` for `:start` and `$2` for `:end`. */
  readonly tree: Node;
  readonly axis: Axis;
  /** The result column of the partition's time. */
  readonly time: string;
  /** A view has no `:start` and `:end`: whoever reads it limits its time. */
  readonly view: boolean;
  /** The upstream that a table's name means. */
  readonly upstreamOf: (schema: string | undefined, name: string) => Upstream | undefined;
}

export interface Read {
  /** By dataset, one for each place. */
  readonly readings: ReadonlyMap<string, readonly Reading[]>;
  /** By which clock its own time is told. */
  readonly clock: Clock | undefined;
}

/** What a partitioned transform reads of each partitioned upstream: a whitelist, in doubt `unknown`. */
export function readingsOf({ tree, axis, time, view, upstreamOf }: Asked): Read {
  const select = as(tree, 'SelectStmt');
  const upstreams = new Map<string, Upstream>();
  const walk = new Walk(axis, (table): Rows | undefined => {
    const schema = typeof table['schemaname'] === 'string' ? table['schemaname'] : undefined;
    const upstream = upstreamOf(schema, String(table['relname']));
    if (!upstream) return undefined;
    upstreams.set(upstream.name, upstream);
    const clock = seenFrom(axis, upstream);
    const { name: dataset, time: column } = upstream;
    return clock === undefined ? { dataset } : { dataset, time: { column, value: { clock } } };
  });
  const interval: Value = { clock: 'zoned', lo: START, hi: END, open: true };
  const results = select && walk.judge(select, view ? new Map([[time, interval]]) : new Map());
  const readings = new Map<string, Reading[]>();
  for (const found of walk.occurrences) {
    const upstream = upstreams.get(found.rows.dataset);
    if (!upstream) continue;
    const list = readings.get(upstream.name) ?? [];
    list.push(readingOf(found, axis, upstream.axis));
    readings.set(upstream.name, list);
  }
  return { readings, clock: results?.get(time)?.clock };
}

/** The clock of an upstream's time, for a reader's session: a wall clock of its own zone is the session's where the zones are one. */
function seenFrom({ zone }: Axis, { axis, clock }: Upstream): Clock | undefined {
  if (clock === 'zoned' || typeof clock === 'number') return clock;
  if (clock !== undefined && clock !== 'local') return clock === `wall:${zone}` ? 'local' : clock;
  if (!isLong(axis.grain) && changesClocks(axis.zone)) return 'zoned';
  return axis.zone === zone ? 'local' : undefined;
}

function readingOf({ value, mayLimit }: Occurrence, axis: Axis, rows: Axis): Reading {
  const { lo, hi, open = false } = value ?? {};
  const upper = hi ? upperOf(hi, open, axis, rows) : undefined;
  const lookback = lo && lookbackOf(lo, axis, rows);
  if (upper === 'beyond') return { kind: 'ahead' };
  if (lo?.base === 'end' && isAhead(lo.shift)) return { kind: 'ahead' };
  if (upper === 'within' && lookback)
    return durationMs(lookback) === 0 ? { kind: 'interval' } : { kind: 'lookback', lookback };
  if (mayLimit || upper === 'unknown' || (lo && !lookback)) return { kind: 'unknown' };
  if (lookback) return { kind: 'ahead' };
  return { kind: 'all', endless: upper === undefined };
}

/** Whether what is said of an upstream covers what is read in one place. */
export function covers(
  said: { readonly lookback?: Duration | undefined; readonly window?: 'all' | 'interval' | undefined },
  reading: Reading,
  zone: string,
): boolean {
  if (reading.kind === 'ahead') return false;
  if (reading.kind === 'interval' || said.window === 'all') return true;
  if (reading.kind === 'lookback') return isAtLeast(said.lookback ?? ZERO, reading.lookback, zone);
  return reading.kind === 'unknown' && (said.lookback !== undefined || said.window !== undefined);
}

/** Whether one length back is as far as another wherever both begin. */
function isAtLeast(a: Duration, b: Duration, zone: string): boolean {
  if (a.months >= b.months && a.days >= b.days && a.ms >= b.ms) return true;
  return least(a, zone) >= most(b, zone);
}

const HOUR = 3_600_000;

/** Months of 28 to 31 days; where clocks change, a day or more may be some hours shorter or longer. */
function least({ months, days, ms }: Duration, zone: string): number {
  const whole = months * 28 + Math.floor(months / 12) * 29 + days;
  return whole * 24 * HOUR + ms - (whole > 0 && changesClocks(zone) ? 48 * HOUR : 0);
}

function most({ months, days, ms }: Duration, zone: string): number {
  const whole = (months % 12) * 31 + Math.floor(months / 12) * 366 + days;
  return whole * 24 * HOUR + ms + (whole > 0 && changesClocks(zone) ? 48 * HOUR : 0);
}
