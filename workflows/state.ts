import { LoadedDataset } from '../src/contracts/messages.js';
import type { DatasetStatus } from '../src/contracts/status.js';
import { countRuns, runEnd, type Run } from '../src/core/interval/runs.js';
import { expandAll } from '../src/core/plan/decode.js';
import { counts, createBoard, markDone, type Board, NO_VERSION } from '../src/core/slice/board.js';
import { reportsLittle } from '../src/core/slice/budget.js';
import { fromCarry, toCarry } from '../src/core/slice/carry.js';
import type { FailureRun } from '../src/core/slice/failures.js';
import { NO_PROFILE, type Profile } from '../src/core/slice/profile.js';
import { NO_STREAK, type Streak } from '../src/core/slice/streak.js';
import type { Requeue } from '../src/core/slice/requeue.js';
import { isCrowd } from '../src/core/slice/width.js';
import { applyUpstream } from '../src/core/slice/upstream.js';
import type { DatasetCarry, DatasetInput, Halted } from './carry.js';
import { changed } from './changes.js';
import { nextAtGate, waitsAtGate, type Lack } from './lacks.js';
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
  /** Whether it minds crowds: not where a slice is one call, nor in a history from before (`changes.ts`). */
  readonly crowds: boolean;
  /** Its slices wait for those of very many other datasets: one at a time is enough. */
  crowded: boolean;
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
  /** What is done is told a reader once, whether it has started or not. Not in a history from before (`changes.ts`). */
  readonly tellsOnce: boolean;
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
  /** What the backfill takes us to be, by {@link wordsOf}. */
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
  const recent = changed('very-many-datasets');
  const crowds = recent && loaded.kind !== 'call';
  const crowded = crowds && !loaded.rateLimited && isCrowd(input.crowd ?? 1, loaded.slots ?? Infinity);
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
    tellsOnce: recent,
    reached: new Set(carry?.reached ?? []),
    failures: carry?.failures ?? [],
    streak: carry?.streak ?? NO_STREAK,
    saved: undefined,
    ...(carry?.haltedBy ? { haltedBy: carry.haltedBy } : {}),
    profile: carry?.profile ?? loaded.profile ?? NO_PROFILE,
    rows: carry?.rows ?? loaded.rows,
    slices: carry?.slices ?? 0,
    crowds,
    crowded,
    width: crowded ? 1 : (loaded.slots ?? 1),
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
    lacks: loaded.held === null ? null : waitsAtGate(ref.environment, loaded.held, nextAtGate(loaded.held)),
    wake: false,
    newsDue: true,
    telling: 0,
    serial: carry?.serial ?? 0,
    round: carry?.round ?? input.round,
    reported: carry?.reported ?? 0,
    reportedAt: 0,
    reporting: false,
    // Of very many, one that cannot begin yet does not say so: each such message is four events of the backfill's history.
    shown: recent && !carry && reportsLittle(input.reports) ? wordsOf('waiting', false) : '',
    count: () => ({ ...counts(board), total }),
  };
}

/** What a report says apart from numbers: when that changes, it is sent at once. */
export function wordsOf(state: DatasetStatus['state'], settled: boolean, lack = ''): string {
  return `${state} ${settled} ${lack}`;
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
