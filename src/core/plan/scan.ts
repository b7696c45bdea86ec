/** Whether an extract's partitions are read one by one, or all of them by one scan of the source. */

/** A source with fewer rows is scanned in less time than it takes to stage it. */
export const SCAN_ROWS = 1_000_000;

/** What the source's planner says of a read. */
export interface ReadEstimate {
  readonly rows: number;
  readonly cost: number;
  /** Whether a table is scanned from end to end. */
  readonly scans: boolean;
}

/** Whether the source lacks an index on the time column: `one` partition costs a scan of a large table. */
export function lacksIndex(one: ReadEstimate, all: ReadEstimate): boolean {
  return one.scans && all.rows >= SCAN_ROWS;
}

/** Whether reading `partitions` one by one costs the source twice a read of all at once. */
export function scansOnce(one: ReadEstimate, all: ReadEstimate, partitions: number): boolean {
  return lacksIndex(one, all) && partitions * one.cost >= 2 * all.cost;
}
