import type { Board, EdgeState, News } from './board.js';
import { follow } from './board.js';
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
 * Brings the verdicts of an edge up to date with `done` and `bad`, and the partitions with them. The loops read arrays bare,
 * in bounds by construction: checked reads take four times as long, and this runs for each message over ten years of hours.
 */
function judgeEdge(board: Board, edge: EdgeState): boolean {
  const { done, failed, skipped } = prefixSums(edge);
  let changed = false;
  for (let ordinal = 0; ordinal < board.count; ordinal++) {
    const [lo, hi] = [edge.lo[ordinal] ?? 0, edge.hi[ordinal] ?? 0];
    let verdict: number = CODE.waiting;
    if (lo >= hi || among(done, lo, hi) === hi - lo) verdict = CODE.ready;
    else if (among(skipped, lo, hi) > 0) verdict = CODE.skipped;
    else if (among(failed, lo, hi) > 0) verdict = CODE.blocked;
    if (verdict === edge.verdict[ordinal]) continue;
    edge.verdict[ordinal] = verdict;
    changed = follow(board, ordinal) || changed;
  }
  return changed;
}

function among(sums: Int32Array, lo: number, hi: number): number {
  return (sums[hi] ?? 0) - (sums[lo] ?? 0);
}

/** Element `i` of each counts the upstream ordinals below `i` that are so. What is done is neither failed nor skipped. */
function prefixSums({ upstreamCount, done, bad }: EdgeState): Record<'done' | 'failed' | 'skipped', Int32Array> {
  const length = upstreamCount + 1;
  const sums = { done: new Int32Array(length), failed: new Int32Array(length), skipped: new Int32Array(length) };
  let [isDone, isFailed, isSkipped] = [0, 0, 0];
  for (let i = 0; i < upstreamCount; i++) {
    if (done[i] === 1) isDone++;
    else if (bad[i] === CODE.failed) isFailed++;
    else if (bad[i] === CODE.skipped) isSkipped++;
    sums.done[i + 1] = isDone;
    sums.failed[i + 1] = isFailed;
    sums.skipped[i + 1] = isSkipped;
  }
  return sums;
}
