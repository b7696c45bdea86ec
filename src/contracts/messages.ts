import { z } from 'zod';
import { StoredProfile } from './profile.js';
import { BackfillStatus, DatasetStatus, PlanWarning } from './status.js';
import { SpanJson, SpansJson } from './slice.js';
import { RunJson, Edge } from './plan.js';
import { MAX_PARALLEL } from './request.js';

/** What a message holds goes on to an activity: with a text of 2 MB that would be more than Temporal carries, which ends the workflow. */
const name = z.string().max(63);
const time = z.string().max(100);
const who = { reason: z.string().max(4000).optional(), requestedBy: z.string().max(400).optional() };

/** Every message is one JSON object; each may say why and who. Unknown keys are refused. */
export const PauseMessage = z.strictObject(who);
export const ResumeMessage = z.strictObject(who);
export const CancelMessage = z.strictObject(who);
export const RetryMessage = z.strictObject({
  ...who,
  dataset: name.optional(),
  withCurrent: z.boolean().default(false),
  /** The source was mended: what the failed partitions read is built again, up the graph. */
  upstream: z.boolean().default(false),
});
export const SkipMessage = z.strictObject({
  ...who,
  dataset: name,
  from: time.optional(),
  to: time.optional(),
  on: time.optional(),
  /** Only what failed, of the range or of all. */
  failed: z.boolean().default(false),
  /** All that is left of the dataset: said, so that a range that was forgotten does not mean it. */
  all: z.boolean().default(false),
});
export const AdjustMessage = z
  .strictObject({
    ...who,
    priority: z.int().min(1).max(5).optional(),
    maxParallel: z.int().min(1).max(MAX_PARALLEL).optional(),
  })
  .refine(({ priority, maxParallel }) => priority !== undefined || maxParallel !== undefined, {
    message: 'nothing to adjust: give priority or maxParallel',
  });

export const MESSAGES = {
  pause: PauseMessage,
  resume: ResumeMessage,
  cancel: CancelMessage,
  retry: RetryMessage,
  skip: SkipMessage,
  adjust: AdjustMessage,
} as const;
export type MessageName = keyof typeof MESSAGES;
export type MessageOf<Name extends MessageName> = z.output<(typeof MESSAGES)[Name]>;
/** A message as a caller writes it. */
export type MessageInput<Name extends MessageName> = z.input<(typeof MESSAGES)[Name]>;

/** What the `status` query may be asked: the part that begins with dataset number `from`. */
export const StatusQuery = z.object({ from: z.int().min(0) });

/** What a dataset tells its readers; the whole of it each time, because signals may arrive out of order. */
export const NewsMessage = z.object({
  upstream: z.string(),
  version: z.int(),
  done: SpansJson,
  failed: SpansJson,
  skipped: SpansJson,
});
/** As it is sent. */
export type NewsMessage = z.input<typeof NewsMessage>;

/** What a dataset tells its backfill. */
export const Report = z.object({
  status: DatasetStatus,
  /** Nothing more can happen here without a person. */
  settled: z.boolean(),
  /** Counts up, so that an older report that comes late is dropped. */
  serial: z.int(),
  /** The last round of orders that it had heard of: a report from before one says nothing of what follows from it. */
  round: z.int(),
  /** What a person must do for it: start the worker of its calls. */
  waiting: BackfillStatus.shape.waiting,
});
export type Report = z.infer<typeof Report>;

/**
 * One JSON object each, from a backfill to its datasets. `retry` and `skip` go to all of them, whichever they name: each begins a
 * round, in which upstreams tell everything again.
 */
export const DatasetOrder = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('pause') }),
  z.object({ kind: z.literal('resume') }),
  z.object({ kind: z.literal('retry'), round: z.int(), dataset: z.string().nullable() }),
  z.object({
    kind: z.literal('skip'),
    round: z.int(),
    dataset: z.string(),
    span: SpanJson.readonly(),
    more: SpansJson.optional(),
  }),
  z.object({ kind: z.literal('adjust'), maxParallel: z.int().nullable(), priority: z.int() }),
  z.object({ kind: z.literal('finish') }),
]);
export type DatasetOrder = z.infer<typeof DatasetOrder>;

/** A dataset of a plan, as its backfill knows it. */
export const PlannedRow = z.object({
  name: z.string(),
  total: z.int(),
  needs: z.array(z.string()),
  readers: z.array(z.string()),
  owner: z.string().optional(),
  priority: z.int(),
  /** What it cost per partition so far, in ms; null where nobody knows. */
  partitionMs: z.number().nullable(),
  /** Of `total`: what this backfill has published before, and builds again. */
  again: z.int().optional(),
  what: z.string(),
});
export type PlannedRow = z.infer<typeof PlannedRow>;

/** What `openBackfill` answers: the plan is made, reserved and stored, or something stands in its way. */
export const Opened = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('open'),
    epoch: z.int(),
    plan: z.string(),
    warehouse: z.string(),
    /** Whether the search attributes are registered on this namespace; where not, memo fields of the same names. */
    searchAttributes: z.boolean(),
    /** Datasets that the plan builds, and the first of them: as many as fit into one answer. */
    count: z.int(),
    datasets: z.array(PlannedRow),
    /** Those that go first, for their freshness is at risk. */
    late: z.array(z.string()),
    warnings: z.array(PlanWarning),
  }),
  z.object({
    kind: z.literal('conflict'),
    holder: z.string(),
    what: z.string(),
    /** It is no backfill that stands in the way: somebody has a lock. */
    lock: z.boolean().optional(),
  }),
]);
export type Opened = z.infer<typeof Opened>;
export type OpenPlan = Extract<Opened, { kind: 'open' }>;

/** What a dataset workflow starts from, as it is sent. */
export const LoadedDataset = z.object({
  kind: z.enum(['extract', 'transform', 'call']),
  runs: z.array(RunJson),
  edges: z.array(Edge.extend({ upstreamCount: z.int() })),
  /** Published by this execution already. */
  done: SpansJson,
  rows: z.number(),
  /** The same of its upstreams, so that no lost signal can stall it. */
  upstreamDone: z.array(z.object({ upstream: z.string(), done: SpansJson })),
  /** Partitions that may share one batch. */
  perBatchMax: z.int(),
  slots: z.int().nullable(),
  rateLimited: z.boolean(),
  /** Why nobody passes the gate, if so. */
  held: z.string().nullable(),
  profile: StoredProfile.nullable(),
});
export type LoadedDataset = z.input<typeof LoadedDataset>;
