import { inRange } from './asked.js';
import { overlapping } from './borders.js';
import { forEachReader, readSpan } from './reading.js';
import { firstWithin } from './search.js';
import { Obstacle, type Input, type Track } from './track.js';
import type { PlanInput } from './types.js';

/**
 * Marks what this plan cannot build, from upstream to downstream: what is not complete yet or excluded, and whatever reads
 * something that is neither published nor can be built. Done before anything is planned, so that planning only ever adds.
 */
export function markObstacles(
  tracks: readonly Track[],
  { exclude, range, only = false }: Pick<PlanInput, 'exclude' | 'range' | 'only'>,
  unread: ReadonlySet<string>,
): void {
  for (const track of tracks) {
    const { obstacle, published, node } = track;
    // Nothing below it has an obstacle: of twelve years of hours mostly the last one has.
    let first = track.complete;
    if (only && !track.timeless) {
      const { lo, hi } = inRange(track, range);
      obstacle.fill(Obstacle.outside, 0, lo);
      obstacle.fill(Obstacle.outside, hi);
      first = lo > 0 ? 0 : Math.min(first, hi);
    }
    for (const interval of exclude.get(node.name) ?? []) {
      const { lo, hi } = overlapping(track.borders, interval);
      obstacle.fill(Obstacle.excluded, lo, hi);
      first = Math.min(first, lo);
    }
    obstacle.fill(Obstacle.incomplete, track.complete);
    if (unread.has(node.name)) obstacle.fill(Obstacle.unread);
    first = Math.min(first, markReaders(track));
    const self = track.inputs.find(({ upstream }) => upstream === track);
    for (let index = self || unread.has(node.name) ? 0 : first; index < track.count; index++) {
      if (self && !obstacle[index]) markAfterItself(track, self, index);
      if (obstacle[index] && !published[index]) track.unavailable.push(index);
    }
  }
}

/** @returns the first that was marked */
function markReaders(track: Track): number {
  let first = Infinity;
  for (const input of track.inputs) {
    const { upstream } = input;
    if (upstream === track) continue;
    const open = (index: number): boolean => track.obstacle[index] === Obstacle.none;
    const pass = (index: number, read: number): void => {
      track.obstacle[index] = passedOn(upstream.obstacle[read]);
      first = Math.min(first, index);
    };
    forEachReader(track, input, upstream.unavailable, open, pass, readSpan);
  }
  return first;
}

/** All that is unavailable before `index` is known by now. */
function markAfterItself(track: Track, self: Input, index: number): void {
  const read = firstWithin(track.unavailable, readSpan(track, self, index));
  if (read !== undefined) track.obstacle[index] = passedOn(track.obstacle[read]);
}

function passedOn(obstacle: number | undefined): number {
  if (obstacle === Obstacle.excluded || obstacle === Obstacle.inputExcluded) return Obstacle.inputExcluded;
  if (obstacle === Obstacle.outside || obstacle === Obstacle.inputOutside) return Obstacle.inputOutside;
  if (obstacle === Obstacle.unread || obstacle === Obstacle.inputUnread) return Obstacle.inputUnread;
  return Obstacle.inputIncomplete;
}
