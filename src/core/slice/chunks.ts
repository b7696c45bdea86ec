/**
 * How a large read is divided. A chunk is what a killed worker loses at most, and what waits for one turn at the gate.
 */

/** Rows of a chunk: some 4 s of COPY. Above it a partition is staged. */
export const CHUNK_ROWS = 1_000_000;
/** Each is a table of its own, and dropping them takes a lock for each. */
const CHUNKS_MAX = 256;
/** Whatever the slots: each holds a connection on either side, of the 64 that all slices of a worker have. */
const READERS_MAX = 4;

/** By which borders: pages of the table, values of its time column; null: it cannot be divided. */
export type ChunkAxis = 'pages' | 'time' | null;

export interface Divisible {
  /** Whether the source scans the table, rather than an index on its time. */
  readonly scans: boolean;
  /** Whether ranges of pages are read on their own. */
  readonly pages: boolean;
  /** Whether the table can be sampled for values of a time column. */
  readonly time: boolean;
}

export function chunkAxis({ scans, pages, time }: Divisible): ChunkAxis {
  if (scans) return pages ? 'pages' : null;
  return time ? 'time' : null;
}

export function chunkCount(rows: number, chunkRows = CHUNK_ROWS): number {
  return Math.min(CHUNKS_MAX, Math.max(1, Math.ceil(rows / chunkRows)));
}

/** `[low, high)` of each chunk between these ascending borders; null is open. Adjacent and complete, whatever the borders are. */
export function rangesBetween(borders: readonly string[]): { low: string | null; high: string | null }[] {
  const distinct = borders.filter((border, i) => border !== borders[i - 1]);
  return [null, ...distinct].map((low, i) => ({ low, high: distinct[i] ?? null }));
}

/** Page numbers that part a table of `pages` pages into `count` ranges. */
export function pageBorders(pages: number, count: number): string[] {
  return Array.from({ length: count - 1 }, (_, i) => Math.floor((pages * (i + 1)) / count))
    .filter((page) => page > 0)
    .map(String);
}

/** Readers of one staging: the slots that the dataset's other partitions have no use for. */
export function readerCount(slots: number, stagings: number, chunks: number): number {
  return Math.max(1, Math.min(READERS_MAX, chunks, Math.floor(slots / stagings)));
}
