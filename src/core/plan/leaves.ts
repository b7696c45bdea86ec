import { intervalsAt } from './borders.js';
import { forEachReader } from './reading.js';
import { ascending } from './search.js';
import { Obstacle, Published } from './track.js';
import type { Input, Track } from './track.js';
import type { PlanResult } from './types.js';

/**
 * Published partitions that read what is rebuilt, or what that leaves stale in turn, and are not rebuilt themselves: of
 * datasets that are not selected, and of selected ones where something forbids it (`exclude`).
 */
export function leavesStale(tracks: readonly Track[]): PlanResult['leavesStale'] {
  const stale = new Map<Track, readonly number[]>();
  for (const track of tracks) {
    const left = new Set<number>();
    const open = (index: number): boolean => track.published[index] !== Published.no && !track.reason[index];
    for (const input of track.inputs) {
      if (input.need.stale === 'ignore') continue;
      const changed = [...input.upstream.build, ...(stale.get(input.upstream) ?? [])].sort(ascending);
      forEachReader(track, input, changed, open, (index) => left.add(index));
      // Last of the inputs: what that leaves stale leaves more of it stale in turn.
      if (input.upstream === track) leaveAfterItself(track, input, open, left);
    }
    if (left.size > 0) stale.set(track, [...left].sort(ascending));
  }
  return [...stale].map(([{ node, borders, selected, obstacle }, indexes]) => ({
    dataset: node.name,
    outside: selected ? indexes.filter((index) => obstacle[index] === Obstacle.outside).length : 0,
    intervals: intervalsAt(borders, indexes),
    partitions: indexes.length,
  }));
}

function leaveAfterItself(track: Track, input: Input, open: (index: number) => boolean, left: Set<number>): void {
  for (let news = [...left]; news.length > 0;) {
    const more: number[] = [];
    const fresh = (index: number): boolean => open(index) && !left.has(index);
    forEachReader(track, input, news.sort(ascending), fresh, (index) => more.push(index));
    for (const index of more) left.add(index);
    news = more;
  }
}
