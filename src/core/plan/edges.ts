import { encodeMapping } from './encode.js';
import { touchedSpan } from './reading.js';
import { ascending } from './search.js';
import type { Track } from './track.js';
import type { PlannedDataset } from './types.js';

/** What the plan builds of a dataset. */
export interface Built {
  /** Ascending: partition `indexes[k]` has ordinal `k`. */
  readonly indexes: readonly number[];
  /** How many before a partition, or before the end, are built. */
  readonly rank: (index: number) => number;
}

export function builtOf({ build, reason }: Track): Built {
  const indexes = build.toSorted(ascending);
  const [first = 0, last = 0] = [indexes[0], indexes.at(-1)];
  // From the first to the last of them only: a day out of twelve years of hours is 24 numbers.
  const ranks = new Int32Array(last - first + 1);
  let before = 0;
  for (let index = first; index <= last; index++) {
    ranks[index - first] = before;
    if (reason[index]) before++;
  }
  return { indexes, rank: (index) => (index <= first ? 0 : (ranks[index - first] ?? indexes.length)) };
}

/**
 * What each partition that a dataset builds waits for: for every upstream in the plan, spans of its ordinals. Partitions in
 * between that the plan does not build are in the ledger already.
 */
export function edgesOf(reader: Track, builtBy: (track: Track) => Built): PlannedDataset['edges'] {
  const mine = builtBy(reader).indexes;
  if (mine.length === 0) return [];
  return reader.inputs.flatMap((input) => {
    const { indexes, rank } = builtBy(input.upstream);
    if (indexes.length === 0) return [];
    const waits = mine.map((index) => {
      const { lo, hi } = touchedSpan(reader, input, index);
      return { lo: rank(lo), hi: rank(hi) };
    });
    return [{ upstream: input.upstream.node.name, mapping: encodeMapping(waits) }];
  });
}
