import type { Duration } from '../time/duration.js';

/** One edge of the graph, from reader to upstream, with its mapping. */
export interface Need {
  readonly dataset: string;
  /** Reads `[start − lookback, end)`. */
  readonly lookback?: Duration;
  /** Reads all before `end`. */
  readonly window?: 'all';
  /** A change there does not make the reader stale. */
  readonly stale?: 'ignore';
  /** That no more is read is its author's word: the SQL does not show it. */
  readonly word?: 'author';
}
