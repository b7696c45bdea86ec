import { forEachReader, readSpan } from './reading.js';
import { reasonFor } from './asked.js';
import { ascending, at } from './search.js';
import { Obstacle, Published, Reason } from './track.js';
import type { Input, Track } from './track.js';
import type { PlanInput } from './types.js';

/** A partition that is needed, of an upstream that is not selected, and not in the ledger. */
export interface Uncovered {
  readonly upstream: Track;
  readonly reader: Track;
  readonly indexes: readonly number[];
}

/** What widening remembers of an edge. */
interface Edge {
  readonly input: Input;
  readonly reader: Track;
  /**
   * `j + skip[j]`: the first upstream partition from `j` on that this edge has not looked at (a union-find forest). Zeros to begin with, so
   * that what nobody looks at takes no memory: a thousand hourly datasets with twelve years behind them were 360 MB of it.
   */
  skip: Int32Array | undefined;
  readonly uncovered: number[];
  /** How much of the upstream's build list the ripple has been carried over. */
  rippled: number;
}

/**
 * Fills the build lists: what is asked; then, until nothing is added, what that reads and the ledger lacks (upstream), and
 * what is published and reads it (downstream). Both only ever add, so the end is the same whatever the order.
 */
export function* grow(
  tracks: readonly Track[],
  rebuild: PlanInput['rebuild'],
): Generator<undefined, Uncovered[], undefined> {
  const edges = tracks.map((reader) =>
    reader.inputs.map((input): Edge => ({ input, reader, skip: undefined, uncovered: [], rippled: 0 })),
  );
  const widened = tracks.map(() => 0);
  for (const track of tracks) if (track.selected) addAsked(track, rebuild);

  const pending = (): boolean => tracks.some((track, index) => track.build.length > at(widened, index));
  while (pending()) {
    for (const track of tracks.toReversed()) {
      // Once, or where it reads itself until that adds nothing.
      for (let from = at(widened, track.index); from < track.build.length; from = at(widened, track.index)) {
        widened[track.index] = track.build.length;
        for (const edge of edges[track.index] ?? []) widen(edge, track.build.slice(from));
        yield;
      }
    }
    for (const track of tracks) {
      if (!track.selected) continue;
      for (const edge of edges[track.index] ?? []) ripple(edge);
      yield;
    }
  }
  return edges
    .flat()
    .flatMap(({ input, reader, uncovered }) =>
      uncovered.length === 0 ? [] : [{ upstream: input.upstream, reader, indexes: uncovered.sort(ascending) }],
    );
}

function addAsked(track: Track, rebuild: PlanInput['rebuild']): void {
  for (let index = track.asked.lo; index < track.asked.hi; index++) {
    const reason = reasonFor(track.published[index], rebuild);
    if (reason !== Reason.none) add(track, index, reason);
  }
}

/** Takes a partition into the plan, where nothing is in the way. */
export function add(track: Track, index: number, reason: number): void {
  if (track.reason[index]) return;
  if (track.obstacle[index]) {
    track.leftOut.add(index);
    return;
  }
  track.reason[index] = reason;
  track.build.push(index);
}

/** Every upstream partition is looked at once per edge, however many readers share it. */
function widen(edge: Edge, added: readonly number[]): void {
  const { upstream } = edge.input;
  if (added.length === 0) return;
  const skip = (edge.skip ??= new Int32Array(upstream.count + 1));
  for (const index of added) {
    const { lo, hi } = readSpan(edge.reader, edge.input, index);
    for (let j = find(skip, lo); j < hi; j = find(skip, j)) {
      skip[j] = 1;
      if (upstream.published[j] === Published.no && !upstream.reason[j]) demand(edge, j);
    }
  }
}

function demand({ input: { upstream }, reader, uncovered }: Edge, index: number): void {
  if (!upstream.selected) {
    uncovered.push(index);
    return;
  }
  add(upstream, index, Reason.needed);
  upstream.neededBy[index] = reader.index;
}

function find(skip: Int32Array, from: number): number {
  let index = from;
  for (;;) {
    const step = skip[index] ?? 0;
    if (step === 0) return index;
    // Halves the way for who comes next.
    const next = index + step;
    skip[index] = step + (skip[next] ?? 0);
    index = next;
  }
}

function ripple(edge: Edge): void {
  const { input, reader } = edge;
  const { build } = input.upstream;
  if (input.need.stale === 'ignore') return;
  const open = (index: number): boolean =>
    reader.published[index] !== Published.no && !reader.reason[index] && reader.obstacle[index] !== Obstacle.outside;
  // Once, or where it reads itself until that adds nothing.
  do {
    // The window of a `grain: none` reader may have grown over what was built before: it looks at all of it again.
    const news = reader.timeless ? build : build.slice(edge.rippled);
    edge.rippled = build.length;
    forEachReader(reader, input, [...news].sort(ascending), open, (index) => {
      add(reader, index, Reason.ripple);
    });
  } while (edge.rippled < build.length);
}
