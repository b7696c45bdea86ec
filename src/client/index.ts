/** `import { BackfillClient } from 'sluice/client'`: everything that another service needs. */
export { BackfillClient, type Adoption, type BackfillClientOptions, type Request } from './client.js';
export {
  BackfillCancelledError,
  BackfillError,
  BackfillFailedError,
  BackfillIdTakenError,
  BackfillNotFoundError,
  BackfillSystemError,
  MessageRefusedError,
  RequestRefusedError,
} from './errors.js';
export type { BackfillState, BackfillStatus, DatasetStatus, Failure } from '../contracts/status.js';
export type { PlanDocument } from '../contracts/plan.js';
export type { LedgerChange } from '../contracts/ledger.js';
