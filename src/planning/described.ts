import type { ColumnSpec, StoredDataset } from '../contracts/plan.js';
import type { PlanWarning } from '../contracts/status.js';
import type { TargetState } from '../warehouse/postgres/target.js';

/** What planning learns of a dataset's statement: all but what its table lacks. */
export type Statement = Omit<Described, 'ddl' | 'enforcesKey' | 'table'>;

/** What planning learns of a dataset from the databases. */
export interface Described {
  readonly spec: StoredDataset['spec'];
  readonly columns: readonly ColumnSpec[];
  readonly time: StoredDataset['time'];
  readonly ddl: readonly string[];
  /** Whether no index of the table keeps its key unique, so that sluice must. */
  readonly enforcesKey: boolean;
  readonly warnings: readonly PlanWarning[];
  /** Its table as it is; absent for a call. */
  readonly table?: TargetState;
}
