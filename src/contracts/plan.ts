import { z } from 'zod';
import { GRAINS } from '../core/time/axis.js';
import { EPOCH_UNITS, MOVES, PUBLISH } from './project.js';
import { PlanWarning } from './status.js';
import { ORDER, REBUILD } from './request.js';

const count = z.int().min(0);
/** JSON has no infinities: `null` stands for them in a run, which only `grain: none` has. */
export const RunJson = z.object({ start: z.number().nullable(), step: z.number().nullable(), count });
export type RunJson = z.infer<typeof RunJson>;

/** Adjacent partitions and why they are built: `missing`, `stale`, `asked for`, `needed by X`, `reads X 2013-03-10`. */
export const PlannedInterval = z.object({ start: z.string(), end: z.string(), why: z.string() });
export type PlannedInterval = z.infer<typeof PlannedInterval>;

/** `count` successive values: the i-th is `at + ⌊i / every⌋ · step`. */
const StepRun = z.object({ count: z.int().min(1), at: count, step: count, every: z.int().min(1) });

/**
 * Which ordinals of `upstream` (in this plan) each ordinal of the reader waits for: the i-th waits for `[lo, hi)`, each run-length encoded,
 * so that ten years of hours that read days, or all hours before them, are a few runs. An empty span waits for nothing. A dataset
 * that reads itself is its own upstream.
 */
export const Edge = z.object({
  upstream: z.string(),
  mapping: z.object({ lo: z.array(StepRun), hi: z.array(StepRun) }),
});
export type Edge = z.infer<typeof Edge>;

export const ColumnSpec = z.object({ name: z.string(), type: z.string() });
export type ColumnSpec = z.infer<typeof ColumnSpec>;
export const TableRef = z.object({ schema: z.string(), name: z.string() });

/** How a column of a table tells the partition of a row: `unit` for epochs, `timezone` for a column without a zone. */
export const RowTime = z.object({
  column: z.string(),
  type: z.string(),
  unit: z.enum(EPOCH_UNITS).optional(),
  timezone: z.string(),
});
export type RowTime = z.infer<typeof RowTime>;

/** A time that partitions with these shapes went by, and that the dataset goes by no more. Their rows are found by it. */
export const EarlierTime = z.object({ shapes: z.array(z.string()), time: RowTime });
export type EarlierTime = z.infer<typeof EarlierTime>;

/** How rows of an extract are read; identifiers are bare names, quoted only where SQL is written. */
export const ExtractSpec = z.object({
  kind: z.literal('extract'),
  connection: z.string(),
  /** SELECT over the source, with `$1` and `$2` at `params` if it takes them itself. */
  table: TableRef.optional(),
  query: z.string().optional(),
  params: z.array(z.object({ start: count, end: count, name: z.enum(['start', 'end']) })).default([]),
  time: z
    .object({
      column: z.string(),
      type: z.string(),
      unit: z.enum(EPOCH_UNITS).optional(),
      timezone: z.string().optional(),
    })
    .optional(),
  /** All partitions of the plan are read at once into staging, and published from there. */
  scan: z.literal('once').optional(),
  /** One per column of the target, in order: the expression that is read from the source. */
  columns: z.array(z.object({ name: z.string(), type: z.string(), cast: z.string().optional(), binary: z.boolean() })),
});
export type ExtractSpec = z.infer<typeof ExtractSpec>;

/** Whether one statement builds adjacent partitions of a transform; where not, `code` and `reason` say what speaks against it. */
export const Coalescing = z.object({ joined: z.boolean(), code: z.string(), reason: z.string() });
export type Coalescing = z.infer<typeof Coalescing>;

export const TransformSpec = z.object({
  kind: z.literal('transform'),
  /** The SELECT, every dataset replaced by its table; `$1` is `:start`, `$2` is `:end`. */
  sql: z.string(),
  usesStart: z.boolean(),
  usesEnd: z.boolean(),
  /** What `:start` and `:end` are for `grain: none`: from its upstreams' start to the first gap. */
  window: z.object({ start: z.string(), end: z.string() }).optional(),
  /** Absent for `grain: none`, which has one partition. */
  coalescing: Coalescing.optional(),
});
export type TransformSpec = z.infer<typeof TransformSpec>;

/** An activity of the user's own: nothing of it is SQL, and there is no table. */
export const CallSpec = z.object({
  kind: z.literal('call'),
  activity: z.string(),
  taskQueue: z.string(),
  timeoutMs: z.int(),
  heartbeatMs: z.int().optional(),
  /** As of a transform. */
  window: z.object({ start: z.string(), end: z.string() }).optional(),
});
export type CallSpec = z.infer<typeof CallSpec>;

/** What a plan builds outside of the range that was asked: what reads it, and what it reads that is not there. */
export const Outside = z.object({ readers: count, inputs: count });

/** Partitions that were asked about, are stale, and are not built, by why they are stale. */
export const NotAsked = z.object({ why: z.string(), partitions: count });

/** All that a slice needs to know of a dataset: immutable, stored in the warehouse, named by the plan's fingerprint. */
export const StoredDataset = z.object({
  name: z.string(),
  kind: z.enum(['extract', 'transform', 'call']),
  grain: z.enum(GRAINS),
  zone: z.string(),
  version: z.string(),
  owner: z.string().optional(),
  priority: z.int(),
  pool: z.string().optional(),
  /** Every dataset it reads, also those outside the plan. */
  needs: z.array(z.string()),
  /** Tables of the datasets that it reads, by dataset: kept with each partition. Absent: the plan is older than that. */
  inputs: z.record(z.string(), z.string()).optional(),
  edges: z.array(Edge),
  runs: z.array(RunJson),
  /** First and last instant asked of it. */
  from: z.string(),
  to: z.string(),
  missing: count,
  stale: count,
  upToDate: count,
  outside: Outside.optional(),
  notAsked: z.array(NotAsked).optional(),
  intervals: z.array(PlannedInterval),
  target: TableRef,
  time: z.object({ column: z.string(), type: z.string() }).nullable(),
  key: z.array(z.string()),
  publish: z.enum(PUBLISH),
  moves: z.enum(MOVES),
  /** Whether sluice itself keeps `key` unique, a batch at a time: no index of its partitioned table does. */
  enforcesKey: z.boolean().optional(),
  columns: z.array(ColumnSpec),
  /** Names its columns and its time in the ledger, see `sluice.shapes`; absent for a call. */
  shape: z.string().optional(),
  earlier: z.array(EarlierTime).optional(),
  /** Columns whose values are kept nowhere but in the table. */
  mask: z.array(z.string()),
  /** DDL still to run before the first batch, in order: shown in the plan, run once by `prepareDataset`. */
  ddl: z.array(z.string()),
  spec: z.discriminatedUnion('kind', [ExtractSpec, TransformSpec, CallSpec]),
});
export type StoredDataset = z.infer<typeof StoredDataset>;

/** The zone of the session that builds it: an extract's bounds are instants, and its text is read by the other side. */
export function sessionZone({ kind, zone }: Pick<StoredDataset, 'kind' | 'zone'>): string {
  return kind === 'extract' ? 'UTC' : zone;
}

export function readsItself({ name, edges }: Pick<StoredDataset, 'name' | 'edges'>): boolean {
  return edges.some(({ upstream }) => upstream === name);
}

/** Code of the warning of a plan whose range is a bound. */
export const LEFT_STALE = 'left_stale';

export const LeavesStale = z.object({
  dataset: z.string(),
  /** How many they are; a plan of before 0.2 does not say. */
  partitions: count.optional(),
  intervals: z.array(z.object({ start: z.string(), end: z.string() })),
  command: z.string(),
});
export type LeavesStale = z.infer<typeof LeavesStale>;

/** A dataset that the environment has not built, and reads where the one of `defer:` did. */
export const DeferredDataset = z.object({ dataset: z.string(), environment: z.string(), table: TableRef });
export type DeferredDataset = z.infer<typeof DeferredDataset>;

export const StoredPlan = z.object({
  project: z.string(),
  environment: z.string(),
  definition: z.string(),
  warehouse: z.string(),
  fingerprint: z.string(),
  request: z.record(z.string(), z.unknown()),
  rebuild: z.enum(REBUILD),
  order: z.enum(ORDER),
  overwrite: z.boolean(),
  datasets: z.array(StoredDataset),
  deferred: z.array(DeferredDataset).optional(),
  leavesStale: z.array(LeavesStale),
  warnings: z.array(PlanWarning),
});
export type StoredPlan = z.infer<typeof StoredPlan>;

/** The document of `plan --json`. */
export const PlanDocument = z.object({
  project: z.string(),
  environment: z.string(),
  request: z.record(z.string(), z.unknown()),
  fingerprint: z.string(),
  definition: z.string(),
  datasets: z.array(
    z.object({
      name: z.string(),
      kind: z.enum(['extract', 'transform', 'call']),
      grain: z.enum(GRAINS),
      needs: z.array(z.string()),
      from: z.string(),
      to: z.string(),
      build: count,
      missing: count,
      stale: count,
      upToDate: count,
      /** Only where something is built there. */
      outside: Outside.optional(),
      /** Only where there is some. */
      notAsked: z.array(NotAsked).optional(),
      intervals: z.array(PlannedInterval),
      ddl: z.array(z.string()),
      /** Of a partitioned transform that this plan builds. */
      coalescing: Coalescing.optional(),
    }),
  ),
  /** Only where something is read in another environment. */
  deferred: z.array(DeferredDataset).optional(),
  leavesStale: z.array(LeavesStale),
  warnings: z.array(PlanWarning),
  /** What to type next, when this plan builds nothing but something is stale. */
  next: z.string().optional(),
});
export type PlanDocument = z.infer<typeof PlanDocument>;
