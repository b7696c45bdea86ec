import { z } from 'zod';

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
