import { z } from 'zod';

export const BACKFILL_STATES = [
  'planning',
  'awaiting_approval',
  'running',
  'paused',
  'held',
  'completed',
  'failed',
  'cancelled',
] as const;
export const BackfillState = z.enum(BACKFILL_STATES);
export type BackfillState = z.infer<typeof BackfillState>;

/** States in which a backfill has ended. */
export const ENDED: readonly BackfillState[] = ['completed', 'failed', 'cancelled'];

/** Ended, or held for a person: nothing goes on by itself. */
export function isAtRest({ state }: { readonly state: BackfillState }): boolean {
  return state === 'held' || ENDED.includes(state);
}

/** `waiting`: for its inputs · `running` · `held`: stopped by a fatal error or by failures · `done` · `failed`: nothing more can run. */
export const DatasetState = z.enum(['waiting', 'running', 'paused', 'held', 'done', 'failed', 'cancelled']);
export type DatasetState = z.infer<typeof DatasetState>;

const count = z.int().min(0);

/** Partitions that failed alike: adjacent, with one code. */
export const Failure = z.object({
  start: z.string(),
  end: z.string(),
  code: z.string(),
  message: z.string(),
  attempts: count,
});
export type Failure = z.infer<typeof Failure>;

/** At most this many failures are listed for a dataset; `failureCount` says how many there are. */
export const FAILURES_MAX = 20;

export const DatasetStatus = z.object({
  name: z.string(),
  state: DatasetState,
  total: count,
  done: count,
  failed: count,
  blocked: count,
  skipped: count,
  /** Batches being worked on or queued. */
  running: count.default(0),
  rows: count,
  failureCount: count,
  failures: z.array(Failure).max(FAILURES_MAX),
  /** What it waits for, in words; absent when it waits for nothing. */
  waitingFor: z.string().optional(),
  needs: z.array(z.string()).default([]),
});
export type DatasetStatus = z.infer<typeof DatasetStatus>;

/** A dataset of which nothing is known yet. */
export function unheardOf(name: string, needs: readonly string[]): DatasetStatus {
  return {
    name,
    needs: [...needs],
    state: 'waiting',
    total: 0,
    done: 0,
    failed: 0,
    blocked: 0,
    skipped: 0,
    running: 0,
    rows: 0,
    failureCount: 0,
    failures: [],
  };
}

/** As it stands once its backfill is over: nothing runs, and it waits for nothing. */
export function overOf({ waitingFor: _, ...one }: DatasetStatus): DatasetStatus {
  const isOpen = one.state === 'waiting' || one.state === 'running' || one.state === 'paused';
  return { ...one, running: 0, state: isOpen ? 'cancelled' : one.state };
}

export const PlanWarning = z.object({
  dataset: z.string(),
  code: z.string(),
  rows: count.optional(),
  message: z.string(),
});
export type PlanWarning = z.infer<typeof PlanWarning>;

/** Code of the warning that says what `--last` came to; its `dataset` is one of those that it is about. */
export const LAST_MEANS = 'last_means';

/** Who asked for a backfill, for what, and why. */
export const Asked = z.object({
  by: z.string().optional(),
  reason: z.string().optional(),
  ticket: z.string().optional(),
  /** Selection and range in words: `carrier_day 2013-03-10`. */
  what: z.string(),
});
export type Asked = z.infer<typeof Asked>;

/** The document of `status --json` and of the `status` query. */
export const BackfillStatus = z.object({
  id: z.string(),
  project: z.string(),
  environment: z.string(),
  state: BackfillState,
  /** Why it is in this state; why it was started is in `asked`. */
  reason: z.string(),
  /** Who paused, resumed or cancelled it: then `reason` is in that person's words. */
  by: z.string().optional(),
  asked: Asked.optional(),
  /** Code of the refusal of a request that was wrong, or in another's way: it built nothing. */
  refused: z.string().optional(),
  startedAt: z.string(),
  endedAt: z.string().nullable(),
  partitions: z.object({ total: count, done: count, failed: count, blocked: count, skipped: count }),
  rows: count,
  /** What it waits for that a person must do, and what to type; null when it waits for nothing. */
  waiting: z
    .object({
      for: z.string(),
      since: z.string(),
      next: z.string(),
      /** Other commands, and when each is the one to type. */
      or: z.array(z.object({ when: z.string(), next: z.string() })).optional(),
    })
    .nullable()
    .default(null),
  warnings: z.array(PlanWarning),
  datasets: z.array(DatasetStatus),
  /** Datasets that are not in this document, which would be too long with them: see `parts.ts`. */
  leftOut: count.optional(),
  /** The plan being carried out; absent while planning. */
  plan: z.string().optional(),
  priority: z.int().optional(),
  maxParallel: z.int().optional(),
});
export type BackfillStatus = z.infer<typeof BackfillStatus>;
