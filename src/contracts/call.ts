import { z } from 'zod';
import { SliceInput, SliceResult } from './slice.js';

/** What a user's activity is called with: one JSON object, and the only argument. Public. */
export const CallInput = z.object({
  dataset: z.string(),
  /** `[start, end)`, ISO 8601 in UTC; `-infinity` and `infinity` where `grain: none` knows no better. */
  interval: z.object({ start: z.string(), end: z.string() }),
  environment: z.string(),
  backfill: z.string(),
  /** Definition version of the dataset. */
  version: z.string(),
  /** The same for every try of this interval of this version by this backfill, and for nothing else. */
  idempotencyKey: z.string(),
});
export type CallInput = z.infer<typeof CallInput>;

/** A call whose turn has come: what the dataset's workflow schedules. */
export const CallOrder = z.object({
  activity: z.string(),
  taskQueue: z.string(),
  timeoutMs: z.int(),
  heartbeatMs: z.int().optional(),
  /** Of `beginCall`: names the lease under which the call is made. */
  attempt: z.int(),
  input: CallInput,
});
export type CallOrder = z.infer<typeof CallOrder>;

/** What `beginCall` answers: the call to make, or without one what became of the slice. */
export const CallBegun = SliceResult.extend({
  call: CallOrder.nullable(),
  /** Nobody polls the task queue: what to start. */
  lacks: z.object({ activity: z.string(), taskQueue: z.string() }).nullable(),
});
export type CallBegun = z.infer<typeof CallBegun>;

/** The argument of `endCall`: `failed` with its fault, `unbegun` where no worker took the call. */
export const CallEnd = SliceInput.extend({
  attempt: z.int(),
  outcome: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('done'), digest: z.string() }),
    z.object({ kind: z.literal('unbegun') }),
    z.object({
      kind: z.literal('failed'),
      code: z.string(),
      class: z.enum(['transient', 'poison']),
      message: z.string(),
    }),
  ]),
});
export type CallEnd = z.infer<typeof CallEnd>;
