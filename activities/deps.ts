import type { Logger } from 'pino';
import type { StoredDataset } from '../src/contracts/plan.js';
import type { PlanHead } from '../src/store/plans.js';
import type { Pool } from '../src/postgres/pool.js';
import type { Db } from '../src/store/store.js';

/** What the worker wires into slice activities. */
export interface SliceDeps {
  readonly db: Db;
  /** Name of the connection that datasets are written to. */
  readonly warehouse: string;
  /** @throws RequestError when this worker's project has no such connection */
  readonly pool: (connection: string) => Pool;
  /** A dataset of a stored plan; plans are immutable, so it is cached. */
  readonly planDataset: (fingerprint: string, dataset: string) => Promise<{ head: PlanHead; dataset: StoredDataset }>;
  readonly log: Logger;
}
