/**
 * The board: one byte of state for each partition (ordinal) of one dataset in one plan.
 *
 * It lives inside the `dataset` workflow. Functions change the board in place, because ten years of hours are 87,600
 * partitions and a copy for each signal would be garbage; they read nothing but their arguments, so a replay repeats them.
 */
import { reach, walk } from '../plan/decode.js';
import type { Mapping } from '../plan/types.js';
import { at, checkSpan, ordinalsOf, spansOf, spansWhere } from './spans.js';
import type { Span } from './spans.js';
import { CODE, STATES, isLegal, stateName } from './states.js';
import type { State } from './states.js';

/** What each ordinal waits for at one upstream, as the plan has it: written out, ten years of hours would be 700 KB an edge. */
export interface UpstreamEdge {
  readonly upstream: string;
  readonly mapping: Mapping;
  /** Partitions of the upstream in this plan. */
  readonly upstreamCount: number;
}

/** An edge and what the upstream told so far. */
export interface EdgeState extends UpstreamEdge {
  /** Of the news whose failures and skips are in `bad`; {@link NO_VERSION} before the first. */
  version: number;
  /** Per upstream ordinal: 1 once it was told done, for ever. */
  readonly done: Uint8Array;
  /** Per upstream ordinal: the code of `failed` or `skipped` as last told, else 0. `done` outranks it. */
  readonly bad: Uint8Array;
  /** Per own ordinal: the code of `waiting`, `ready`, `blocked` or `skipped` that this edge alone would give. */
  readonly verdict: Uint8Array;
}

/** What each ordinal `i` reads of its own dataset: ordinals `[lo[i], hi[i])`, all below `i`; empty where it reads none of this plan. */
export interface SelfReads {
  readonly lo: Int32Array;
  readonly hi: Int32Array;
}

export interface SelfState extends SelfReads {
  /** Per ordinal: the code of `ready`, `blocked` or `skipped` that its own dataset alone would give. Waiting for one's turn is no state. */
  readonly verdict: Uint8Array;
}

export interface Board {
  readonly count: number;
  /** Per ordinal: a code of `states.ts`. Written by {@link move} alone. */
  readonly states: Uint8Array;
  /** Per ordinal: 1 where a person skipped this very partition, which no news takes back. */
  readonly skips: Uint8Array;
  /** Per state code: how many ordinals are in it. */
  readonly totals: Int32Array;
  readonly edges: readonly EdgeState[];
  /** Where the dataset reads itself. */
  readonly self: SelfState | null;
  /** Grows whenever what readers are told changes otherwise than by more being done. */
  version: number;
  /** A fatal error stopped the dataset: nothing is picked, and what is not begun counts as blocked. */
  halted: boolean;
}

/** Lower than any version. What is known from the ledger comes under it: partitions that are done, and nothing else. */
export const NO_VERSION = -1;

/**
 * A board on which nothing has happened: partitions without inputs are ready, the others wait.
 * Throws RangeError for a mapping of another length than `count`, or that points outside its upstream.
 */
export function createBoard(count: number, edges: readonly UpstreamEdge[], self: SelfReads | null = null): Board {
  if (self) checkSelf(self, count);
  const board: Board = {
    count,
    states: new Uint8Array(count),
    skips: new Uint8Array(count),
    totals: new Int32Array(STATES.length),
    edges: edges.map((edge) => ({
      ...edge,
      version: NO_VERSION,
      done: new Uint8Array(edge.upstreamCount),
      bad: new Uint8Array(edge.upstreamCount),
      verdict: firstVerdict(edge, count),
    })),
    self: self && { ...self, verdict: new Uint8Array(count).fill(CODE.ready) },
    version: 0,
    halted: false,
  };
  board.totals[CODE.waiting] = count;
  for (let ordinal = 0; ordinal < count; ordinal++) follow(board, ordinal);
  return board;
}

/** Before any news: what reads nothing of the upstream is ready. Throws RangeError as {@link createBoard} says. */
function firstVerdict({ upstream, mapping, upstreamCount }: UpstreamEdge, count: number): Uint8Array {
  if (reach(mapping.lo) !== count || reach(mapping.hi) !== count)
    throw new RangeError(`mapping to ${upstream}: not ${count} ordinals`);
  const [nextLo, nextHi] = [walk(mapping.lo), walk(mapping.hi)];
  const verdict = new Uint8Array(count).fill(CODE.ready);
  for (let i = 0; i < count; i++) {
    const [lo, hi] = [nextLo(), nextHi()];
    if (lo >= hi) continue;
    checkSpan([lo, hi], upstreamCount);
    verdict[i] = CODE.waiting;
  }
  return verdict;
}

function checkSelf({ lo, hi }: SelfReads, count: number): void {
  if (lo.length !== count || hi.length !== count) throw new RangeError(`mapping to itself: not ${count} ordinals`);
  for (let i = 0; i < count; i++) if (at(lo, i) < at(hi, i)) checkSpan([at(lo, i), at(hi, i)], i);
}

/** Where a reader puts a partition: the failed and the skipped ones are told by whole lists, so a change there is a new version. */
function told(board: Board, code: number): 'open' | 'done' | 'failed' | 'skipped' {
  if (code === CODE.done) return 'done';
  if (code === CODE.skipped) return 'skipped';
  if (code === CODE.failed || code === CODE.blocked) return 'failed';
  return board.halted && code !== CODE.running ? 'failed' : 'open';
}

/** Puts one partition into another state. Throws if {@link TRANSITIONS} knows no such step: that is a bug, never data. */
export function move(board: Board, ordinal: number, to: number): void {
  const from = at(board.states, ordinal);
  if (!isLegal(from, to)) {
    throw new Error(`partition ${ordinal}: ${stateName(from)} cannot become ${stateName(to)}`);
  }
  const before = told(board, from);
  const after = told(board, to);
  if (before !== after && !(before === 'open' && after === 'done')) board.version++;
  board.states[ordinal] = to;
  board.totals[from] = at(board.totals, from) - 1;
  board.totals[to] = at(board.totals, to) + 1;
}

/** Puts a partition where its inputs say, unless its state is this dataset's own doing. True if that changed it. */
export function follow(board: Board, ordinal: number): boolean {
  const from = at(board.states, ordinal);
  if (from === CODE.running || from === CODE.done || from === CODE.failed) return false;
  const to = inputsSay(board, ordinal);
  if (from === to) return false;
  move(board, ordinal, to);
  return true;
}

/** Skipped wins over blocked: the person who skipped wants its readers left as they are, whatever else failed. */
function inputsSay(board: Board, ordinal: number): number {
  if (at(board.skips, ordinal) === 1) return CODE.skipped;
  let result: number = CODE.ready;
  for (const { verdict } of board.self ? [...board.edges, board.self] : board.edges) {
    const code = at(verdict, ordinal);
    if (code === CODE.skipped) return code;
    if (code === CODE.blocked || (code === CODE.waiting && result === CODE.ready)) result = code;
  }
  return result;
}

/** Picked into a slice. Throws unless all are ready. */
export function markRunning(board: Board, spans: readonly Span[]): void {
  for (const ordinal of ordinalsOf(spans)) move(board, ordinal, CODE.running);
}

/** Published. Telling it again changes nothing: a slice reports as it goes, and once more at its end. */
export function markDone(board: Board, spans: readonly Span[]): void {
  for (const ordinal of ordinalsOf(spans)) if (board.states[ordinal] !== CODE.done) move(board, ordinal, CODE.done);
}

/** Failed for good, until a person retries. Throws unless all are running. */
export function markFailed(board: Board, spans: readonly Span[]): void {
  for (const ordinal of ordinalsOf(spans)) move(board, ordinal, CODE.failed);
}

/** Gives back what of `spans` is still running; the rest was published meanwhile. Answers what was given back. */
export function release(board: Board, spans: readonly Span[]): Span[] {
  return moveWhere(board, spans, [CODE.running], CODE.ready);
}

/** A person asked for another try of what failed, in `spans` or everywhere. Answers what is ready again. */
export function retryFailed(board: Board, spans: readonly Span[] = [[0, board.count]]): Span[] {
  return moveWhere(board, spans, [CODE.failed], CODE.ready);
}

/** A person skipped these. What is done or running stays so. Answers what is newly skipped. */
export function skip(board: Board, span: Span): Span[] {
  checkSpan(span, board.count);
  const untouched: number[] = [CODE.done, CODE.running];
  for (const ordinal of ordinalsOf([span])) {
    if (!untouched.includes(at(board.states, ordinal))) board.skips[ordinal] = 1;
  }
  return moveWhere(board, [span], [CODE.waiting, CODE.ready, CODE.failed, CODE.blocked], CODE.skipped);
}

function moveWhere(board: Board, spans: readonly Span[], from: readonly number[], to: number): Span[] {
  return spans.flatMap((span) => {
    checkSpan(span, board.count);
    const moved = spansWhere(span[0], span[1], (ordinal) => from.includes(at(board.states, ordinal)));
    for (const ordinal of ordinalsOf(moved)) move(board, ordinal, to);
    return moved;
  });
}

/** A fatal error: nothing more is picked, and readers are told that what is not begun is blocked. */
export function halt(board: Board): void {
  if (board.halted) return;
  board.halted = true;
  board.version++;
}

/** The cause was mended: goes on where it stopped. */
export function resumeHalted(board: Board): void {
  if (!board.halted) return;
  board.halted = false;
  board.version++;
}

/** Partitions in each state. While halted, what is ready or waits counts as blocked. */
export function counts(board: Board): Record<State, number> {
  const [waiting, ready] = [at(board.totals, CODE.waiting), at(board.totals, CODE.ready)];
  return {
    waiting: board.halted ? 0 : waiting,
    ready: board.halted ? 0 : ready,
    running: at(board.totals, CODE.running),
    done: at(board.totals, CODE.done),
    failed: at(board.totals, CODE.failed),
    blocked: at(board.totals, CODE.blocked) + (board.halted ? waiting + ready : 0),
    skipped: at(board.totals, CODE.skipped),
  };
}

/**
 * Whether nothing more can happen without a person: nothing runs, is ready or waits. What waits has an input that is still
 * open, and an upstream that is settled tells all of its partitions done, failed or skipped: so no list of settled upstreams is needed.
 */
export function settled(board: Board): boolean {
  const { waiting, ready, running } = counts(board);
  return waiting + ready + running === 0;
}

/** What a dataset tells its readers: always everything, so that a lost or late message does no harm. */
export interface News {
  /** Of `failed` and `skipped`. `done` only grows, under any version. */
  readonly version: number;
  readonly done: readonly Span[];
  /** Failed and blocked alike. */
  readonly failed: readonly Span[];
  readonly skipped: readonly Span[];
}

/** The news of now. */
export function news(board: Board): News {
  return {
    version: board.version,
    done: spansOf(board.states, CODE.done),
    failed: spansWhere(0, board.count, (ordinal) => told(board, at(board.states, ordinal)) === 'failed'),
    skipped: spansOf(board.states, CODE.skipped),
  };
}
