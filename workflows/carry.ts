import type { Urgency } from '../src/core/graph/urgency.js';
import type { BoardCarry } from '../src/core/slice/carry.js';
import type { FailureRun } from '../src/core/slice/failures.js';
import type { Profile } from '../src/core/slice/profile.js';
import type { Streak } from '../src/core/slice/streak.js';
import type { Requeued } from '../src/core/slice/requeue.js';
import type { ExecutionRef } from '../activities/control.js';

/** What a dataset workflow is started with. Plain JSON. */
export interface DatasetInput {
  readonly ref: ExecutionRef;
  readonly plan: string;
  readonly dataset: string;
  readonly warehouse: string;
  readonly epoch: number;
  readonly order: 'oldest' | 'newest';
  /** Datasets of the plan that read this one, and that this one reads. */
  readonly readers: readonly string[];
  readonly needs: readonly string[];
  readonly maxParallel: number | null;
  /** The backfill's. */
  readonly priority: number;
  readonly urgency: Urgency;
  /** Progress reports that it may send. */
  readonly reports: number;
  /** Datasets that the backfill builds. */
  readonly crowd?: number;
  readonly paused: boolean;
  /** Rounds of orders before it began. */
  readonly round: number;
  readonly searchAttributes: boolean;
  /** From the execution before, where this one continues it. */
  readonly carry?: DatasetCarry;
}

/** What continue-as-new carries: plain JSON, no Map, no typed array; a test sends it round through JSON. */
export interface DatasetCarry {
  readonly board: BoardCarry;
  readonly requeue: readonly Requeued[];
  readonly failures: readonly FailureRun[];
  readonly streak: Streak;
  readonly profile: Profile;
  readonly rows: number;
  /** Slices so far: their numbers fence one another, so they never begin again. */
  readonly slices: number;
  readonly serial: number;
  readonly reported: number;
  readonly paused: boolean;
  readonly maxParallel: number | null;
  readonly priority: number;
  /** Readers that a message has reached. */
  readonly reached?: readonly string[];
  readonly round: number;
  /** The fatal error that stopped it. */
  readonly haltedBy?: Halted;
}

export interface Halted {
  readonly code: string;
  readonly message: string;
  readonly span: readonly [number, number];
}

/** Workflow id of a dataset's child. */
export function childId(ref: ExecutionRef, dataset: string): string {
  return `${ref.workflowId}/${dataset}`;
}
