import type { ColumnSpec, StoredDataset } from '../contracts/plan.js';
import type { PlanWarning } from '../contracts/status.js';

/** What planning learns of a dataset from the databases. */
export interface Described {
  readonly spec: StoredDataset['spec'];
  readonly columns: readonly ColumnSpec[];
  readonly time: StoredDataset['time'];
  readonly ddl: readonly string[];
  readonly warnings: readonly PlanWarning[];
}
