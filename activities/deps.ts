import type { Logger } from 'pino';
import type { BackfillRequest } from '../src/contracts/request.js';
import type { StoredDataset } from '../src/contracts/plan.js';
import type { PlanHead } from '../src/store/plans.js';
import type { Pool } from '../src/postgres/pool.js';
import type { Db } from '../src/store/store.js';
import type { Project } from '../src/project/project.js';
import type { GovernorNews } from '../src/contracts/warehouse.js';
import type { Connecting } from './connecting.js';
import type { GovernorGauges, Metrics } from './metrics.js';

/** What the worker wires into slice activities. */
export interface SliceDeps {
  readonly db: Db;
  /** Name of the connection that datasets are written to. */
  readonly warehouse: string;
  /** @throws RequestError when this worker's project has no such connection */
  readonly pool: (connection: string) => Pool;
  /** Slots of a pool of the project; null where it has no such pool any more. */
  readonly poolSlots: (pool: string) => number | null;
  /** Connections to read while one does not answer. */
  readonly alternates: (connection: string) => readonly string[];
  /** A dataset of a stored plan; plans are immutable, so it is cached. */
  readonly planDataset: (fingerprint: string, dataset: string) => Promise<{ head: PlanHead; dataset: StoredDataset }>;
  /** Whether a worker has asked Temporal for work of this task queue lately. */
  readonly isPolled: (taskQueue: string) => Promise<boolean>;
  /** Rows of a chunk; a partition with more is staged. */
  readonly chunkRows: number;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly connecting: Connecting;
}

/** What the worker wires into control activities. */
export interface ControlDeps {
  readonly db: Db;
  readonly log: Logger;
  readonly pool: (connection: string) => Pool;
  /** The project as this worker deploys it, or a registered definition by its hash. */
  readonly project: (hash: string | undefined) => Promise<Project>;
  /** It with other values of its flags. */
  readonly flagged: (project: Project, set: BackfillRequest['set']) => Promise<Project>;
  readonly now: () => number;
  /** What Temporal says of a workflow that holds a reservation. */
  readonly workflowState: (workflowId: string) => Promise<'open' | 'closed' | 'unknown'>;
  /** Identity of the client that started a workflow, as Temporal keeps it; null where it cannot be known. */
  readonly startedBy: (workflowId: string) => Promise<string | null>;
  /** Sends a signal to a workflow, unless it has ended. */
  readonly signal: (workflowId: string, name: string, message: unknown) => Promise<void>;
  /** Asks Temporal to cancel a workflow. */
  readonly cancelWorkflow: (workflowId: string) => Promise<void>;
  readonly searchAttributes: () => boolean;
  readonly governing: GovernDeps;
}

/** What governing needs of the worker besides. */
export interface GovernDeps {
  /** Sets how many slices a second Temporal hands out of a queue; undefined is no limit. */
  readonly setRate: (queue: string, rate: number | undefined, reason: string) => Promise<void>;
  /** Tells a governor workflow what stands. */
  readonly tell: (workflowId: string, news: GovernorNews) => Promise<void>;
  /** This worker drains: somebody else is to govern. */
  readonly stopping: AbortSignal;
  readonly gauges: GovernorGauges;
}
