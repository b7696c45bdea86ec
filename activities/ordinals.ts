import type { StoredDataset } from '../src/contracts/plan.js';
import { formatInstant, type Interval } from '../src/core/interval/interval.js';
import { partitionAt } from '../src/core/interval/runs.js';
import type { SqlInterval } from '../src/source/postgres/extract.js';
import { sqlInstant } from '../src/store/ledger.js';
import { runsOfJson } from '../src/planning/json.js';

/** The partition with this number of a dataset in its plan. */
export function intervalOf(dataset: StoredDataset, ordinal: number): Interval {
  const partition = partitionAt(runsOfJson(dataset.runs), ordinal);
  if (!partition) throw new Error(`${dataset.name} has no partition ${ordinal}`);
  return partition;
}

/** The partitions of a span, as SQL reads them. */
export function intervalsOf(dataset: StoredDataset, [lo, hi]: readonly [number, number]): SqlInterval[] {
  return Array.from({ length: hi - lo }, (_, i) => sqlOf(intervalOf(dataset, lo + i)));
}

export function sqlOf({ start, end }: Interval): SqlInterval {
  return { start: sqlInstant(start), end: sqlInstant(end) };
}

/** From the first partition's start to the last one's end, as a failure names it. */
export function failedInterval(
  dataset: StoredDataset,
  [lo, hi]: readonly [number, number],
): { start: string; end: string } {
  const runs = runsOfJson(dataset.runs);
  const start = partitionAt(runs, lo)?.start ?? -Infinity;
  const end = partitionAt(runs, hi - 1)?.end ?? Infinity;
  return { start: formatInstant(start), end: formatInstant(end) };
}
