import { z } from 'zod';
import { readSpans, type Packed } from '../core/slice/packed.js';
import type { Span } from '../core/slice/spans.js';

const ordinal = z.int().min(0);
/** `[lo, hi)` of ordinals: adjacent partitions of one dataset in one plan. */
export const SpanJson = z.tuple([ordinal, ordinal]);

/** Any number of them: packed where they are many. */
export const SpansJson = z.custom<Packed>().transform((told, context): readonly Span[] => {
  try {
    return readSpans(told);
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : 'no spans' });
    return z.NEVER;
  }
});

/** The argument of the `runSlice` activity. Ordinals and names only: what they mean is in the stored plan. */
export const SliceInput = z.object({
  project: z.string(),
  environment: z.string(),
  workflowId: z.string(),
  backfillId: z.string(),
  plan: z.string(),
  dataset: z.string(),
  epoch: z.int(),
  /** Counts up over the dataset workflow's whole chain: a higher one fences a lower one where they overlap. */
  slice: z.int(),
  /** Each is one transaction. */
  batches: z.array(SpanJson).min(1),
  /** It is known that nobody passes the gate: it need not be said again at once. */
  held: z.boolean().optional(),
});
export type SliceInput = z.infer<typeof SliceInput>;

export const FAULT_CLASSES = ['transient', 'load', 'fenced', 'key_moved', 'poison', 'fatal'] as const;

export const SliceFailure = z.object({
  span: SpanJson,
  code: z.string(),
  class: z.enum(FAULT_CLASSES),
  message: z.string(),
  /** The first failed partition's interval, and the last's end. */
  start: z.string(),
  end: z.string(),
});
export type SliceFailure = z.infer<typeof SliceFailure>;

export const BatchDone = z.object({ span: SpanJson, rows: z.number(), ms: z.number(), skipped: z.boolean() });
export type BatchDone = z.infer<typeof BatchDone>;

/** What a slice came to. Batches in neither list were not begun. */
export const SliceResult = z.object({
  done: z.array(BatchDone),
  failed: z.array(SliceFailure),
  /** Why it gave back the rest: its turn did not come, somebody paused or cancelled, its reservation is gone, or nobody takes its call. */
  yielded: z.enum(['gate', 'paused', 'cancelled', 'fenced', 'no_worker']).nullable(),
  /** Whether the slice queue has a rate: then a slice is one batch, so that the rate is in batches. */
  rateLimited: z.boolean(),
  /** How long it waited for a worker, and how long it ran. */
  waitedMs: z.number(),
  ranMs: z.number(),
  /** Slots in force on the warehouse. */
  slots: z.int().nullable(),
  /** Why nobody passes the gate, in words for a person. */
  held: z.string().optional(),
  /** What was read in the source's place, and why. */
  instead: z.string().optional(),
  /** A database does not answer: nothing of the dataset begins for so long. */
  restMs: z.number().optional(),
});
export type SliceResult = z.infer<typeof SliceResult>;
