import type { BackfillStatus } from '../contracts/status.js';
import type { Instant, Interval } from '../core/interval/interval.js';
import type { LedgerRun } from '../core/plan/types.js';
import type { WhyDataset } from './why-inputs.js';

/** A partition, how it stands and because of what; `inputs` are the causes of the cause. The document of `why --json`. */
export interface Cause {
  readonly dataset: string;
  readonly interval: { readonly start: string; readonly end: string };
  readonly state: 'published' | 'stale' | 'missing' | 'waiting' | 'running' | 'failed' | 'blocked' | 'paused' | 'held';
  /** Sentences. */
  readonly cause: string;
  /** The command that helps, if one does. */
  readonly next?: string;
  readonly inputs: readonly Cause[];
}

/** A row of the ledger. */
export interface PublishedPartition extends Interval {
  readonly backfillId: string;
  readonly version: string;
  readonly rows: number;
  readonly publishedAt: string;
  /** The tables that it was built from, by dataset; null: not kept yet. */
  readonly inputs?: Readonly<Record<string, string>> | null;
}

/** What a running backfill holds of a dataset. */
export interface HeldInterval extends Interval {
  readonly dataset: string;
  readonly backfillId: string;
  /** Undefined where nobody answers for it. */
  readonly status: BackfillStatus | undefined;
}

/** A failure that the warehouse remembers. */
export interface KeptFailure extends Interval {
  readonly dataset: string;
  readonly backfillId: string;
  readonly code: string;
  readonly message: string;
  readonly failedAt: string;
}

/** An input that changed in content since a partition read it. */
export interface ChangedInput {
  readonly reader: string;
  readonly readerStart: Instant;
  readonly dataset: string;
  readonly partition: Interval;
}

/** All that a verdict goes by, gathered beforehand. */
export interface WhyFacts {
  readonly now: Instant;
  /** Zone in which `--on` without one is read. */
  readonly timezone: string;
  readonly environment: string;
  /** Whose ledger has a dataset: what is deferred is another's. */
  readonly environmentOf?: (dataset: string) => string;
  /** The tables that a dataset reads now, by dataset. */
  readonly tablesOf?: (dataset: WhyDataset) => Readonly<Record<string, string>>;
  /** What is to be said of datasets whose target is another table than that of which the ledger speaks. */
  readonly moves?: ReadonlyMap<string, string>;
  readonly datasets: ReadonlyMap<string, WhyDataset>;
  readonly verdicts: ReadonlyMap<string, readonly LedgerRun[]>;
  /** By dataset, then by start. */
  readonly published: ReadonlyMap<string, ReadonlyMap<Instant, PublishedPartition>>;
  readonly changed: readonly ChangedInput[];
  readonly held: readonly HeldInterval[];
  /** Newest first. */
  readonly failures: readonly KeptFailure[];
}

/** What is said of a partition, without its name. */
export type Verdict = Omit<Cause, 'dataset' | 'interval'>;
