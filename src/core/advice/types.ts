/** What limits a backfill, and what would help: the words of `sluice advise`. Pure: facts in, recommendations out. */

/** Sluice itself keeps a key unique. What would let PostgreSQL do it: an index, and a column that the key lacks for it. */
export interface KeptUnique {
  readonly index: string;
  readonly addToKey: string | null;
}

/** A dataset of a backfill at work. */
export interface DatasetFacts {
  readonly name: string;
  /** Partitions that are still to be built. */
  readonly remaining: number;
  /** What one costs, in ms of one slot; null while nobody knows. */
  readonly partitionMs: number | null;
  /** Of one whose batches follow one another: how long nothing of it is at work between two partitions, in ms. */
  readonly gapMs: number;
  /** Why its batches come one after another, where they do. */
  readonly inOrder: 'reads_itself' | KeptUnique | null;
  readonly pool: { readonly name: string; readonly slots: number } | null;
  /** One statement could build adjacent partitions and its settings say never: what a partition then costs, as part of what it does now. */
  readonly joining: number | null;
  /** An index that its statement lacks, and what a partition then costs, as part of what it does now. */
  readonly index: { readonly statement: string; readonly part: number } | null;
}

/** A backfill as it was seen for some seconds. Numbers of slots and backends are means. */
export interface Facts {
  readonly id: string;
  /** The warehouse's connection. */
  readonly connection: string;
  /** Slots in force there, and why so many; null is no cap. */
  readonly slots: number | null;
  readonly cause: string;
  /** Of the budget, where a person has cut it. */
  readonly budget: number | null;
  /** Batches a second in force; null is no limit. */
  readonly rate: number | null;
  readonly maxParallel: number | null;
  /** The budget's `cores`: of the database, which it does not tell. */
  readonly cores: number | null;
  /** Slots that this backfill held, and others. */
  readonly atWork: number;
  readonly others: number;
  /** Backends on a CPU: of this backfill, and all others. */
  readonly cpu: { readonly ours: number; readonly others: number };
  /** Slices that wait for a worker; workers that ask for slices. */
  readonly queued: number;
  readonly workers: number;
  readonly batchesPerSecond: number;
  readonly datasets: readonly DatasetFacts[];
}

export const ADVICE_CODES = [
  'more_slots',
  'release',
  'max_parallel',
  'raise_rate',
  'add_workers',
  'pool_slots',
  'reads_itself',
  'serial_key',
  'join',
  'add_index',
] as const;
export type AdviceCode = (typeof ADVICE_CODES)[number];

/** One recommendation. Nobody acts on it but a person. */
export interface Advice {
  readonly code: AdviceCode;
  readonly dataset?: string;
  readonly message: string;
  /** The edit to make, or the command to type. */
  readonly next: string;
  /** By what factor the rest would be done sooner. */
  readonly gain: number;
}

/** What holds a backfill back now. */
export const LIMITS = [
  'slots',
  'max_parallel',
  'cpu',
  'rate',
  'workers',
  'in_order',
  'pool',
  'inputs',
  'nothing',
] as const;
export type LimitCode = (typeof LIMITS)[number];

/** The answer of `sluice advise`. */
export interface Advised {
  readonly limit: { readonly code: LimitCode; readonly dataset?: string; readonly message: string };
  /** How long the rest takes at this pace, in s; null while nobody knows. */
  readonly secondsLeft: number | null;
  /** The one that gains most first; three at most. */
  readonly advice: readonly Advice[];
}
