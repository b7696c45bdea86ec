import { encodeMapping } from './encode.js';
import { readSpan } from './reading.js';
import { ascending } from './search.js';
import type { Track } from './track.js';
import type { PlannedDataset } from './types.js';

/** What the plan builds of a dataset. */
export interface Built {
  /** Ascending: partition `indexes[k]` has ordinal `k`. */
  readonly indexes: readonly number[];
  /** Of each partition and of the end: how many before it are built. */
  readonly rank: Int32Array;
}

export function builtOf({ build, reason, count }: Track): Built {
  const rank = new Int32Array(count + 1);
  let before = 0;
  for (let index = 0; index < count; index++) {
    rank[index] = before;
    if (reason[index]) before++;
  }
  rank[count] = before;
  return { indexes: build.toSorted(ascending), rank };
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
      const { lo, hi } = readSpan(reader, input, index);
      return { lo: rank[lo] ?? 0, hi: rank[hi] ?? 0 };
    });
    return [{ upstream: input.upstream.node.name, mapping: encodeMapping(waits) }];
  });
}
