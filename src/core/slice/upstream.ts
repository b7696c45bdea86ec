import type { Board, EdgeState, News } from './board.js';
import { follow } from './board.js';
import { walk } from '../plan/decode.js';
import { fillSpans } from './spans.js';
import { CODE } from './states.js';

/**
 * Takes in what an upstream told. News may be lost, doubled or out of order: what is done is joined, and the failed and
 * skipped ones replace those known only if their version is higher. Costs the partitions of both, whatever the width of the mapping.
 *
 * @returns whether any partition here changed its state.
 * @throws Error if there is no edge to `upstream`; RangeError for ordinals that it does not have.
 */
export function applyUpstream(board: Board, upstream: string, told: News): boolean {
  const edge = board.edges.find((candidate) => candidate.upstream === upstream);
  if (!edge) throw new Error(`news from ${upstream}, which is not read here`);
  fillSpans(edge.done, told.done, 1);
  if (told.version > edge.version) {
    edge.version = told.version;
    edge.bad.fill(0);
    fillSpans(edge.bad, told.failed, CODE.failed);
    fillSpans(edge.bad, told.skipped, CODE.skipped);
  }
  return judgeEdge(board, edge);
}

/** Versions of one round: more than a dataset can use up, and 2^53 holds nine million rounds of them. */
const ROUND_VERSIONS = 1_000_000_000;

/**
 * A person's order (retry, skip) begins a round: every upstream tells all it knows again, and what one of them said of failures
 * before that no longer counts. So nobody calls itself settled on news that the order made old.
 */
export function beginRound(board: Board, round: number): void {
  const floor = round * ROUND_VERSIONS;
  board.version = Math.max(board.version + 1, floor);
  for (const edge of board.edges) {
    if (edge.version >= floor) continue;
    edge.version = floor - 1;
    // What was skipped stays: an upstream that has ended says nothing any more, and never ends with failures.
    edge.bad.forEach((code, i) => {
      if (code === CODE.failed) edge.bad[i] = 0;
    });
    judgeEdge(board, edge);
  }
}

/** A version above all that an upstream can have told in this round: for news on behalf of one that is gone. */
export function lastVersionOf(round: number): number {
  return (round + 1) * ROUND_VERSIONS - 1;
}

/**
 * Brings the verdicts of an edge up to date with `done` and `bad`, and the partitions with them. What an ordinal reads begins and ends no
 * earlier than what the one before it reads, so a window that moves along counts it: sums over the whole upstream were 1 MB of garbage
 * for each message over ten years of hours, and the loop reads arrays bare, in bounds by construction, for the same reason.
 */
function judgeEdge(board: Board, edge: EdgeState): boolean {
  const [nextLo, nextHi] = [walk(edge.mapping.lo), walk(edge.mapping.hi)];
  const window = countingWindow(edge);
  let changed = false;
  for (let ordinal = 0; ordinal < board.count; ordinal++) {
    const verdict = window(nextLo(), nextHi());
    if (verdict === edge.verdict[ordinal]) continue;
    edge.verdict[ordinal] = verdict;
    changed = follow(board, ordinal) || changed;
  }
  return changed;
}

/** Answers what the upstream's ordinals `[lo, hi)` come to. Costs what the window moves by: asked in order, the upstream once in all. */
function countingWindow({ done, bad }: EdgeState): (lo: number, hi: number) => number {
  let [from, to, isDone, isFailed, isSkipped] = [0, 0, 0, 0, 0];
  // What is done is neither failed nor skipped.
  const count = (i: number, by: 1 | -1): void => {
    if (done[i] === 1) isDone += by;
    else if (bad[i] === CODE.failed) isFailed += by;
    else if (bad[i] === CODE.skipped) isSkipped += by;
  };
  return (lo, hi) => {
    if (lo >= hi) return CODE.ready;
    if (lo >= to || hi <= from) [from, to, isDone, isFailed, isSkipped] = [lo, lo, 0, 0, 0];
    while (from > lo) count(--from, 1);
    while (to < hi) count(to++, 1);
    while (from < lo) count(from++, -1);
    while (to > hi) count(--to, -1);
    if (isDone === hi - lo) return CODE.ready;
    if (isSkipped > 0) return CODE.skipped;
    return isFailed > 0 ? CODE.blocked : CODE.waiting;
  };
}
