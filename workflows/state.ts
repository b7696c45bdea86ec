import { few } from '../src/contracts/parts.js';
import { typedIn } from '../src/contracts/typed.js';
import { LoadedDataset } from '../src/contracts/messages.js';
import type { SliceResult } from '../src/contracts/slice.js';
import { FAILURES_MAX, type BackfillStatus, type DatasetStatus } from '../src/contracts/status.js';
import { formatInstant } from '../src/core/interval/interval.js';
import { countRuns, partitionAt, runEnd, type Run } from '../src/core/interval/runs.js';
import { expandAll } from '../src/core/plan/decode.js';
import { counts, createBoard, markDone, settled, type Board, NO_VERSION } from '../src/core/slice/board.js';
import { fromCarry, toCarry } from '../src/core/slice/carry.js';
import { listFailures, type FailureRun } from '../src/core/slice/failures.js';
import { NO_PROFILE, type Profile } from '../src/core/slice/profile.js';
import { NO_STREAK, type Streak } from '../src/core/slice/streak.js';
import type { Requeue } from '../src/core/slice/requeue.js';
import { applyUpstream } from '../src/core/slice/upstream.js';
import type { DatasetCarry, DatasetInput, Halted } from './carry.js';
import { controlOf } from './proxies.js';

/** What a dataset workflow knows while it runs. Changed in place by the files beside this one. */
export interface DatasetState {
  readonly runs: readonly Run[];
  readonly kind: LoadedDataset['kind'];
  readonly perBatchMax: number;
  readonly breaks: ReadonlySet<number>;
  readonly board: Board;
  readonly requeue: Requeue;
  /** Attempts of the batches of each slice in flight, by slice number. */
  readonly inflight: Map<number, number>;
  failures: readonly FailureRun[];
  /** Partitions that failed alike, one after the other. */
  streak: Streak;
  /** The fatal error that stopped it. */
  haltedBy?: Halted;
  profile: Profile;
  /** The profile's being kept, once it is. */
  saved: Promise<void> | undefined;
  rows: number;
  slices: number;
  slots: number | null;
  /** Slices in flight at once, see `core/slice/width.ts`. */
  width: number;
  /** When a slice last began or ended, or the width last grew for want of that. */
  heardAt: number;
  toldAt: number;
  rateLimited: boolean;
  maxParallel: number | null;
  priority: number;
  paused: boolean;
  finish: boolean;
  draining: boolean;
  cancelled: boolean;
  /** The gate said no: nothing is dispatched before this instant, so that a closed gate is not asked again and again. */
  restUntil: number;
  /** Readers that a message has reached: one that is gone now has ended, and needs no more of them. */
  readonly reached: Set<string>;
  /** No worker takes its calls, or nobody passes the gate: what all of it waits for. */
  lacks: Lack | null;
  /** Something happened: look again. */
  wake: boolean;
  newsDue: boolean;
  /** News being sent. */
  telling: number;
  serial: number;
  /** The last round of orders that was heard of. */
  round: number;
  reported: number;
  reportedAt: number;
  /** A report is under way. */
  reporting: boolean;
  shown: string;
  count: () => {
    done: number;
    failed: number;
    blocked: number;
    skipped: number;
    running: number;
    ready: number;
    total: number;
  };
}

type Lack = NonNullable<BackfillStatus['waiting']>;

/** Somebody must start a worker for its calls; or, with null, one is there. */
export function lackWorker(
  state: DatasetState,
  called: { readonly activity: string; readonly taskQueue: string } | null,
): void {
  const { lacks } = state;
  state.lacks = called && {
    for: `a worker on task queue ${called.taskQueue} that takes calls of activity ${called.activity}`,
    since: lacks?.since ?? new Date().toISOString(),
    next: `start a worker for activity ${called.activity} on task queue ${called.taskQueue}`,
  };
  state.wake = true;
}

function waitsAtGate(environment: string, why: string, next: string, since = new Date().toISOString()): Lack {
  return { for: why, since, next: typedIn(environment, next) };
}

/** Nobody passes the gate or connects, or something else is read in a source's place; or neither: said while it lasts. */
export function sayWhatLacks(
  state: DatasetState,
  environment: string,
  { held, instead, restMs }: Pick<SliceResult, 'held' | 'instead' | 'restMs'>,
): void {
  const { lacks } = state;
  const why = held ?? instead;
  const next = held !== undefined && restMs === undefined ? 'sluice warehouse' : 'sluice doctor';
  state.lacks = why === undefined ? null : waitsAtGate(environment, why, next, lacks?.since);
  state.wake = true;
}

/** The board as the ledger has it by now, or as the execution before left it. */
export async function loadState(input: DatasetInput): Promise<DatasetState> {
  const { ref, plan, dataset, epoch, carry } = input;
  const loaded = LoadedDataset.parse(await controlOf(ref).loadDataset({ ref, plan, dataset, epoch }));
  const runs = loaded.runs.map(({ start, step, count }) => ({
    start: start ?? -Infinity,
    step: step ?? Infinity,
    count,
  }));
  const total = countRuns(runs);
  const own = loaded.edges.find(({ upstream }) => upstream === dataset);
  const self = own ? expandAll(own.mapping) : null;
  const others = loaded.edges.filter((edge) => edge !== own);
  const board = carry ? fromCarry(carry.board, total, others, self) : createBoard(total, others, self);
  for (const { upstream, done } of loaded.upstreamDone)
    applyUpstream(board, upstream, { version: NO_VERSION, done, failed: [], skipped: [] });
  if (!carry) adopt(board, loaded.done);
  return {
    runs,
    board,
    kind: loaded.kind,
    perBatchMax: loaded.perBatchMax,
    breaks: breaksOf(runs),
    requeue: [...(carry?.requeue ?? [])],
    inflight: new Map(),
    reached: new Set(carry?.reached ?? []),
    failures: carry?.failures ?? [],
    streak: carry?.streak ?? NO_STREAK,
    saved: undefined,
    ...(carry?.haltedBy ? { haltedBy: carry.haltedBy } : {}),
    profile: carry?.profile ?? loaded.profile ?? NO_PROFILE,
    rows: carry?.rows ?? loaded.rows,
    slices: carry?.slices ?? 0,
    width: loaded.slots ?? 1,
    heardAt: Date.now(),
    toldAt: 0,
    slots: loaded.slots,
    rateLimited: loaded.rateLimited,
    maxParallel: carry ? carry.maxParallel : input.maxParallel,
    priority: carry ? carry.priority : input.priority,
    paused: carry ? carry.paused : input.paused,
    finish: false,
    draining: false,
    cancelled: false,
    restUntil: 0,
    lacks: loaded.held === null ? null : waitsAtGate(ref.environment, loaded.held, 'sluice warehouse'),
    wake: false,
    newsDue: true,
    telling: 0,
    serial: carry?.serial ?? 0,
    round: carry?.round ?? input.round,
    reported: carry?.reported ?? 0,
    reportedAt: 0,
    reporting: false,
    shown: '',
    count: () => ({ ...counts(board), total }),
  };
}

/** What this execution published before: a workflow that was reset, or began again, does not do it twice. */
function adopt(board: Board, done: readonly (readonly [number, number])[]): void {
  markDone(board, done);
}

function breaksOf(runs: readonly Run[]): Set<number> {
  const breaks = new Set<number>();
  let ordinal = 0;
  let end: number | undefined;
  for (const run of runs) {
    if (end !== undefined && end !== run.start) breaks.add(ordinal);
    ordinal += run.count;
    end = runEnd(run);
  }
  return breaks;
}

export function carryOf(state: DatasetState): DatasetCarry {
  return {
    board: toCarry(state.board),
    requeue: [...state.requeue],
    reached: [...state.reached],
    failures: state.failures,
    streak: state.streak,
    profile: state.profile,
    rows: state.rows,
    slices: state.slices,
    serial: state.serial,
    reported: state.reported,
    paused: state.paused,
    maxParallel: state.maxParallel,
    priority: state.priority,
    round: state.round,
    ...(state.haltedBy ? { haltedBy: state.haltedBy } : {}),
  };
}

export function statusOf(input: DatasetInput, state: DatasetState | undefined): DatasetStatus {
  const { dataset: name, needs } = input;
  if (!state) {
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
  const { ready, ...count } = state.count();
  const listed = listFailures(state.failures, state.board);
  const waitingFor = waitsFor(input, state, ready);
  return {
    name,
    needs: [...needs],
    state: wordFor(state),
    rows: state.rows,
    total: count.total,
    done: count.done,
    failed: count.failed,
    blocked: count.blocked,
    skipped: count.skipped,
    running: count.running,
    failureCount: listed.total + (state.board.halted ? 1 : 0),
    failures: [...haltedRun(state), ...listed.failures]
      .slice(0, FAILURES_MAX)
      .map(({ lo, hi, code, message, attempts }) => ({
        start: formatInstant(partitionAt(state.runs, lo)?.start ?? -Infinity),
        end: formatInstant(partitionAt(state.runs, hi - 1)?.end ?? Infinity),
        code,
        message,
        attempts,
      })),
    ...(waitingFor === undefined ? {} : { waitingFor }),
  };
}

/** What holds the dataset comes first. */
function haltedRun({ board, haltedBy }: DatasetState): FailureRun[] {
  if (!board.halted || !haltedBy) return [];
  const { span, code, message } = haltedBy;
  return [{ lo: span[0], hi: span[1], code, message, attempts: 1 }];
}

function wordFor(state: DatasetState): DatasetStatus['state'] {
  const { done, skipped, failed, blocked, total, running } = state.count();
  if (done + skipped === total) return 'done';
  if (state.cancelled) return 'cancelled';
  if (state.board.halted) return 'held';
  if (settled(state.board) && running === 0) return 'failed';
  if (state.paused) return 'paused';
  return running + done + failed + blocked > 0 ? 'running' : 'waiting';
}

function waitsFor(input: DatasetInput, state: DatasetState, ready: number): string | undefined {
  const { running, done, skipped, failed, blocked, total } = state.count();
  if (done + skipped + failed + blocked === total) return undefined;
  if (state.lacks && !state.paused) return state.lacks.for;
  if (running > 0) return undefined;
  if (state.paused) return 'resume';
  if (ready > 0) return state.requeue.length > 0 ? 'its pause before another try' : 'its turn';
  return few(input.needs);
}
