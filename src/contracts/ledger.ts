import { z } from 'zod';
import { NAME } from './request.js';

/** Why partitions are stale that can be taken as built by today's definition (`adopt --stale`). */
export const TakenCause = z.enum(['definition', 'columns', 'inputs', 'moved', 'unseen']);
export type TakenCause = z.infer<typeof TakenCause>;

const count = z.int().min(0);

/** What `adopt` or `forget` did to the ledger. */
export const LedgerChange = z.object({
  dataset: z.string(),
  partitions: count,
  rows: count,
  /** With `adopt --stale`: partitions by the cause for which they were stale. */
  causes: z.partialRecord(TakenCause, count).optional(),
  /** What was left out, what was checked or is still to do, in sentences. */
  notes: z.array(z.string()).readonly(),
});
export type LedgerChange = Readonly<z.infer<typeof LedgerChange>>;

const name = z.string().regex(NAME, 'not a name: letters, digits, _ and -, at most 63');
const time = z.string().max(100).optional();

/** Input of the `adopt` workflow: as the command line has it. Unknown keys are refused. */
export const AdoptRequest = z.strictObject({
  project: name,
  environment: name.default('default'),
  dataset: z.string().min(1).max(400),
  from: time,
  to: time,
  last: time,
  on: time,
  /** What is stale there counts as built by today's definition; needs a reason. */
  stale: z.boolean().default(false),
  reason: z.string().max(4000).optional(),
  requestedBy: z.string().max(400).optional(),
});
/** A request with its defaults filled in. */
export type AdoptRequest = z.output<typeof AdoptRequest>;
/** A request as a caller writes it. */
export type AdoptInput = z.input<typeof AdoptRequest>;
