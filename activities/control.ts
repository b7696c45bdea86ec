import type { CallEnd } from '../src/contracts/call.js';
import type { AdoptRequest, LedgerChange } from '../src/contracts/ledger.js';
import type { BackfillRequest } from '../src/contracts/request.js';
import type { PlanDocument } from '../src/contracts/plan.js';
import type { BackfillStatus, DatasetStatus } from '../src/contracts/status.js';
import type { DatasetOrder, LoadedDataset, Opened, PlannedRow, SkipMessage } from '../src/contracts/messages.js';
import type { GovernedSite } from '../src/contracts/warehouse.js';
import type { z } from 'zod';

/** Names an execution: the workflow, and what users call it. */
export interface ExecutionRef {
  readonly project: string;
  readonly environment: string;
  readonly workflowId: string;
  readonly backfillId: string;
}

export interface ControlOrder extends ExecutionRef {
  readonly actor: string;
  readonly action: string;
  readonly reason?: string;
  readonly paused?: boolean;
  readonly cancelled?: boolean;
  readonly maxParallel?: number;
  readonly priority?: number;
}

/** What a governor workflow asks for, on the governor queue of one of the projects whose database it is. */
export interface GovernActivity {
  /**
   * Senses, judges and acts once a second, ten minutes at a time, or until this worker stops. `over`: this connection needs no governor of
   * that database any more.
   */
  govern: (order: { site: GovernedSite; database: string; holder: string }) => Promise<'again' | 'over'>;
}

/** What it asks for besides, on the control queue. */
export interface OrderActivity {
  /** Puts a person's word into force; null takes it back. */
  orderWarehouse: (order: {
    site: GovernedSite;
    database: string;
    slots: number | null;
    actor: string;
    reason?: string;
  }) => Promise<void>;
}

/** What the `plan` workflow asks for. */
export interface PlanActivities {
  planOnly: (request: BackfillRequest) => Promise<PlanDocument>;
}

/** What the `adopt` workflow asks for. */
export interface AdoptActivities {
  adoptOnly: (request: AdoptRequest) => Promise<LedgerChange>;
}

/** Activities of a project's control queue: planning and control, which need its files or secrets. Never rate-limited. */
export interface ControlActivities {
  /** Claims the id, plans, reserves, makes missing tables; or says who stands in the way. Fails with what is wrong with the request. */
  openBackfill: (order: {
    ref: ExecutionRef;
    request: BackfillRequest;
    again: boolean;
    /** The inputs of the failed partitions are built again, under the definitions of the plan before unless `current`. */
    upstream?: { dataset: string | null; current: boolean };
  }) => Promise<Opened>;
  /** What {@link openBackfill} left out of its answer, from dataset number `from` on, as much as fits into one. */
  plannedRows: (order: {
    ref: ExecutionRef;
    plan: string;
    from: number;
    late: readonly string[];
  }) => Promise<PlannedRow[]>;
  /** Sends an order to the datasets that still run: a signal of the backfill's own would be two events in its history for each of them. */
  tellDatasets: (order: { ref: ExecutionRef; names: readonly string[]; order: DatasetOrder }) => Promise<void>;
  /** What a dataset workflow starts from: its part of the plan, and what the ledger holds of it by now. */
  loadDataset: (order: { ref: ExecutionRef; plan: string; dataset: string; epoch: number }) => Promise<LoadedDataset>;
  /** Writes what the gate reads, and the journal. */
  control: (order: ControlOrder) => Promise<void>;
  /** Ordinals of a dataset's plan that a range names. */
  spanOf: (order: {
    ref: ExecutionRef;
    plan: string;
    range: z.output<typeof SkipMessage>;
  }) => Promise<readonly [number, number] | null>;
  /** Keeps what a person skips, and answers its ordinals in the plan: none where nothing of it is there. */
  keepSkip: (order: {
    ref: ExecutionRef;
    plan: string;
    skip: z.output<typeof SkipMessage>;
  }) => Promise<readonly (readonly [number, number])[]>;
  /** Keeps what batches of a dataset cost, for the next backfill. */
  saveProfile: (order: { ref: ExecutionRef; dataset: string; profile: unknown }) => Promise<void>;
  /** Writes down what became of a call. `fenced`: somebody else has taken it over. */
  endCall: (end: CallEnd) => Promise<{ fenced: boolean }>;
  /** Has Temporal cancel the workflow, so that it shows as what it is: without that, one that a message ended has failed for Temporal. */
  cancelExecution: (order: { ref: ExecutionRef }) => Promise<void>;
  /** Ends the reservation, so that no attempt can publish any more, and keeps the final document. */
  closeBackfill: (order: { ref: ExecutionRef; status: BackfillStatus }) => Promise<void>;
  /** More of the status that it was closed with: its datasets from number `from` on. */
  keepDatasets: (order: { ref: ExecutionRef; from: number; datasets: readonly DatasetStatus[] }) => Promise<void>;
}
