import { overlapping } from './borders.js';
import { add } from './grow.js';
import { forEachReader, readSpan } from './reading.js';
import { ascending } from './search.js';
import { Obstacle, Published, Reason, type Track } from './track.js';
import type { Reread } from './types.js';

/**
 * Adds to the plan what failed partitions read, up the graph, selected or not. What was done and reads that, directly or not, is no longer left out: the ripple builds it
 * again. After {@link markObstacles} and what is asked.
 */
export function reread(tracks: readonly Track[], { failed, may }: Reread): void {
  const read = inputsOf(tracks, failed);
  const anew = new Map<Track, number[]>();
  for (const track of tracks) {
    const changed = new Set<number>();
    for (const input of track.inputs) {
      if (input.need.stale === 'ignore' || !track.selected) continue;
      const open = (index: number): boolean => track.obstacle[index] === Obstacle.excluded;
      forEachReader(track, input, anew.get(input.upstream) ?? [], open, (index) => changed.add(index));
    }
    for (const index of changed) track.obstacle[index] = Obstacle.none;
    if (may.has(track.node.name)) {
      for (const index of [...(read.get(track) ?? [])].sort(ascending)) {
        if (track.published[index] === Published.no) continue;
        if (track.obstacle[index] === Obstacle.excluded) track.obstacle[index] = Obstacle.none;
        track.selected = true;
        changed.add(index);
        add(track, index, Reason.again);
      }
    }
    anew.set(track, [...changed].sort(ascending));
  }
}

/** What is read for what failed, directly or not. */
function inputsOf(tracks: readonly Track[], failed: Reread['failed']): ReadonlyMap<Track, ReadonlySet<number>> {
  const read = new Map<Track, Set<number>>(tracks.map((track) => [track, new Set()]));
  for (const track of tracks.toReversed()) {
    const wanted = new Set(read.get(track));
    for (const interval of failed.get(track.node.name) ?? []) {
      const { lo, hi } = track.timeless ? { lo: 0, hi: 1 } : overlapping(track.borders, interval);
      for (let index = lo; index < hi; index++) wanted.add(index);
    }
    for (const input of track.inputs) {
      if (input.upstream === track) continue;
      for (const index of wanted) {
        const { lo, hi } = readSpan(track, input, index);
        for (let one = lo; one < hi; one++) read.get(input.upstream)?.add(one);
      }
    }
  }
  return read;
}
