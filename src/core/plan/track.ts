import type { Need } from '../graph/need.js';
import type { Instant } from '../interval/interval.js';
import { partitionsOf } from '../interval/runs.js';
import { floorTo, nextBorder } from '../time/axis.js';
import { addDuration } from '../time/duration.js';
import { bordersOf } from './borders.js';
import type { Borders } from './borders.js';
import { lowerBound } from './search.js';
import type { Span } from './search.js';
import type { LedgerRun, PlanInput, PlanNode } from './types.js';

/**
 * What the ledger says of a partition. `unseen` and `aged`: published, and missing again: it has inputs that it never read, or is older
 * than its `refresh` says.
 */
export const Published = {
  no: 0,
  fresh: 1,
  definition: 2,
  inputs: 3,
  moved: 4,
  unseen: 5,
  aged: 6,
  columns: 7,
} as const;

/** Why a partition is in the plan, in the order in which one reason goes before another. */
export const Reason = {
  none: 0,
  missing: 1,
  unseen: 2,
  aged: 3,
  definition: 4,
  columns: 5,
  inputs: 6,
  moved: 7,
  asked: 8,
  needed: 9,
  ripple: 10,
  again: 11,
} as const;

/**
 * Why a partition cannot be built by this plan. `input…`: something that it reads is neither published nor can be built, in
 * the end for that reason. `unread`: a `grain: none` transform whose upstreams cover nothing from their start. `outside`: of the range, which
 * is a bound.
 */
export const Obstacle = {
  none: 0,
  incomplete: 1,
  excluded: 2,
  inputIncomplete: 3,
  inputExcluded: 4,
  unread: 5,
  inputUnread: 6,
  outside: 7,
  inputOutside: 8,
} as const;

/** An edge, seen from its reader. */
export interface Input {
  readonly need: Need;
  readonly upstream: Track;
  /** What was read last: the next partition reads near by. Makes searching fast and changes no answer. */
  near: Span;
}

/** One dataset while the plan is made. Arrays are indexed by partition, from the dataset's start. */
export interface Track {
  readonly node: PlanNode;
  /** Place in topological order. */
  readonly index: number;
  /** Or joined, because something of it is read again. */
  selected: boolean;
  readonly timeless: boolean;
  readonly borders: Borders;
  /** Partitions from `start` to the one that `now` is in. */
  readonly count: number;
  /** Partitions below this index are complete: their end plus `readyAfter` has passed. */
  readonly complete: number;
  /** What it reads; last, where it reads itself, the track itself. */
  readonly inputs: readonly Input[];
  readonly published: Uint8Array;
  readonly obstacle: Uint8Array;
  /** Ascending: neither published nor possible to build. */
  readonly unavailable: number[];
  asked: Span;
  readonly reason: Uint8Array;
  /** Place of the reader that needs it, where the reason is `needed`. */
  readonly neededBy: Uint16Array;
  /** What is to be built, in the order in which it was found. */
  readonly build: number[];
  /** Wanted, but an obstacle is in the way. */
  readonly leftOut: Set<number>;
  /** Everything below is published or to be built. */
  covered: number;
}

/** Working state for every dataset of the project, in topological order. */
export function tracksOf(input: PlanInput): Track[] {
  const borders = bordersOf(input.nodes, input.now);
  const byName = new Map<string, Track>();
  return input.nodes.map((node, index) => {
    const inputs = node.needs.flatMap((need) => {
      const upstream = byName.get(need.dataset);
      return upstream === undefined ? [] : [{ need, upstream, near: { lo: 0, hi: 0 } }];
    });
    const track = trackOf(input, node, index, borders[index] ?? new Float64Array(1), inputs);
    const self = node.needs.find(({ dataset }) => dataset === node.name);
    if (self !== undefined && !track.timeless) inputs.push({ need: self, upstream: track, near: { lo: 0, hi: 0 } });
    byName.set(node.name, track);
    return track;
  });
}

function trackOf(input: PlanInput, node: PlanNode, index: number, borders: Borders, inputs: Input[]): Track {
  const count = borders.length - 1;
  const timeless = node.axis.grain === 'none';
  return {
    node,
    index,
    selected: input.selected.has(node.name),
    timeless,
    borders,
    count,
    complete: timeless ? 1 : Math.min(count, lowerBound(borders, completeUntil(node, input.now))),
    inputs,
    published: publishedOf(node, borders, input.ledger.get(node.name) ?? [], input.now),
    obstacle: new Uint8Array(count),
    unavailable: [],
    asked: { lo: 0, hi: 0 },
    reason: new Uint8Array(count),
    neededBy: new Uint16Array(count),
    build: [],
    leftOut: new Set(),
    covered: 0,
  };
}

/** The last border whose `readyAfter` has passed. Walks from a guess, because calendar steps back and forth need not meet. */
export function completeUntil({ axis, readyAfter }: PlanNode, now: Instant): Instant {
  const ready = (border: Instant): boolean => addDuration(border, readyAfter, axis.zone, 1) <= now;
  let border = floorTo(axis, addDuration(now, readyAfter, axis.zone, -1));
  while (!ready(border)) border = floorTo(axis, border - 1);
  for (let next = nextBorder(axis, border); ready(next); next = nextBorder(axis, next)) border = next;
  return border;
}

/** A ledger row counts only for a partition with exactly its borders: after a change of grain the older rows cover nothing. */
function publishedOf(node: PlanNode, borders: Borders, ledger: readonly LedgerRun[], now: Instant): Uint8Array {
  const published = new Uint8Array(borders.length - 1);
  for (const run of ledger) {
    let index = lowerBound(borders, run.start);
    const verdict = verdictOf(node, run, now);
    for (const { start, end } of partitionsOf([run])) {
      while (index < published.length && (borders[index] ?? NaN) < start) index++;
      if (index >= published.length) break;
      if (borders[index] === start && borders[index + 1] === end) published[index] = verdict;
    }
  }
  return published;
}

function verdictOf(node: PlanNode, { stale, publishedAt }: LedgerRun, now: Instant): number {
  // By a clock that was wrong: rows that came after are in it no more than if nobody had published it.
  if (stale === 'early') return Published.no;
  if (isAged(node, publishedAt, now)) return Published.aged;
  return stale === null ? Published.fresh : Published[stale];
}

/** Whether what was published then is to be built again for its age alone: `refresh`, of `grain: none` only. */
export function isAged({ axis, refresh }: PlanNode, publishedAt: Instant, now: Instant): boolean {
  if (axis.grain !== 'none' || refresh === 'never') return false;
  return refresh === 'always' || addDuration(publishedAt, refresh, axis.zone, 1) <= now;
}
