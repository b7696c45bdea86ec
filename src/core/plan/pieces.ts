import type { Interval } from '../interval/interval.js';
import { partitionsOf } from '../interval/runs.js';
import { overlaps, subtract, type IntervalSet } from '../interval/set.js';
import { partitionsIn, type Axis, type Grain } from '../time/axis.js';

/**
 * A *piece* is a partition in PostgreSQL's sense: a table that holds one range of a partitioned table. Months for grains up to a week,
 * years for longer ones: thirty years of either are a few hundred pieces at most, which PostgreSQL plans over at no cost worth naming,
 * and a piece is what people detach and drop.
 */
export function pieceGrain(grain: Grain): 'month' | 'year' {
  return grain === 'month' || grain === 'quarter' || grain === 'year' ? 'year' : 'month';
}

/**
 * The pieces that a table lacks for `wanted`: whole units of `axis`, but for what existing pieces `cover` of them.
 * They are disjoint, and with `cover` they hold all of `wanted`.
 */
export function missingPieces(axis: Axis, wanted: IntervalSet, cover: IntervalSet): Interval[] {
  const gaps = subtract(wanted, cover);
  const units = new Map(
    gaps.flatMap((gap) => [...partitionsOf(partitionsIn(axis, gap))]).map((unit) => [unit.start, unit]),
  );
  return [...units.values()]
    .flatMap((unit) => subtract([unit], cover))
    .filter((piece) => gaps.some((gap) => overlaps(gap, piece)));
}
