/**
 * Which of a backfill's datasets goes first where there are fewer slots than work.
 *
 * The order is that of list scheduling by upward rank: what has the longest chain of work behind it. The queue keeps it as weights, not as
 * strict ranks, so that nothing starves; the weights of a backfill add up to one, so that two backfills of one priority share
 * evenly however many datasets they have.
 */

/** A dataset of a plan, as far as it matters here. */
export interface Ranked {
  readonly name: string;
  /** Datasets of the plan that read it. */
  readonly readers: readonly string[];
  /** 1 is first, 3 is usual, 5 is last. */
  readonly priority: number;
  /** All its work, in ms of one slot; undefined where it was never measured. */
  readonly costMs: number | undefined;
  readonly partitions: number;
}

export interface Urgency {
  /** 1 to 5: its own, or that of a more urgent reader. */
  readonly priority: number;
  /** Its part of what the backfill gets, over 0 and at most 1. */
  readonly weight: number;
}

/** A partition that was never measured counts as this, unless others of the plan were. */
const UNMEASURED_MS = 100;
/** The weight falls with this power of the rank: with the first, a source of five datasets in a chain got only a third. */
const STEEPNESS = 2;
/** The least that Temporal tells apart. */
const WEIGHT_MIN = 0.001;

/** @param datasets - upstream first, as a plan has them */
export function urgencies(datasets: readonly Ranked[]): Map<string, Urgency> {
  const usualMs = meanPartitionMs(datasets);
  const ranks = new Map<string, number>();
  const priorities = new Map<string, number>();
  for (const { name, readers, priority, costMs, partitions } of [...datasets].reverse()) {
    const behind = readers.map((reader) => ranks.get(reader) ?? 0);
    ranks.set(name, (costMs ?? usualMs * partitions) + Math.max(0, ...behind));
    priorities.set(name, Math.min(priority, ...readers.map((reader) => priorities.get(reader) ?? priority)));
  }
  const longest = Math.max(...ranks.values(), Number.MIN_VALUE);
  const raw = new Map([...ranks].map(([name, rank]) => [name, (rank / longest) ** STEEPNESS] as const));
  const sum = [...raw.values()].reduce((total, weight) => total + weight, 0);
  return new Map(
    datasets.map(({ name, priority }) => [
      name,
      {
        priority: priorities.get(name) ?? priority,
        weight: Math.max(WEIGHT_MIN, sum > 0 ? (raw.get(name) ?? 0) / sum : 1 / datasets.length),
      },
    ]),
  );
}

function meanPartitionMs(datasets: readonly Ranked[]): number {
  let [ms, partitions] = [0, 0];
  for (const { costMs, partitions: count } of datasets) {
    if (costMs === undefined) continue;
    ms += costMs;
    partitions += count;
  }
  return partitions > 0 ? ms / partitions : UNMEASURED_MS;
}

/** Temporal's key of a slice: the backfill's priority, moved by as much as the dataset's differs from the usual 3. */
export function priorityKey(backfill: number, dataset: number): number {
  return Math.min(5, Math.max(1, backfill + dataset - 3));
}

/**
 * Steps of a workflow that a person asks about, a backfill, a plan or a governor, go before those of datasets, which queue by the dozen while slices keep the cores busy: `status` of 50 datasets
 * 1,050 ms at the 95th percentile instead of 1,530 (`bench/size.ts 50 440`, five runs each).
 */
export const STEPS_FIRST = { priorityKey: 1 } as const;
/** Said, for a child has its parent's otherwise. */
export const STEPS_USUAL = { priorityKey: 3 } as const;
