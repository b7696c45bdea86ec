/**
 * What continue-as-new carries of a board: plain JSON, in spans. Only facts go (done, failed, skipped here, what upstreams told); every
 * other state follows from them. Mappings stay behind: the plan has them, and they are the bulk.
 */
import type { Board, SelfReads, UpstreamEdge } from './board.js';
import { createBoard, follow, markDone, markFailed, markRunning } from './board.js';
import { followSelf } from './self.js';
import { packSpans, unpackSpans, type Packed } from './packed.js';
import { fillSpans, spansOf } from './spans.js';
import { CODE } from './states.js';
import { applyUpstream } from './upstream.js';

export interface BoardCarry {
  readonly count: number;
  readonly version: number;
  readonly halted: boolean;
  readonly done: Packed;
  readonly failed: Packed;
  /** Skipped by a person in this very dataset. */
  readonly skips: Packed;
  /** Per upstream, what it told, in the order of the edges. */
  readonly told: readonly Told[];
}

/** News of an upstream. */
interface Told {
  readonly upstream: string;
  readonly version: number;
  readonly done: Packed;
  readonly failed: Packed;
  readonly skipped: Packed;
}

/** Running partitions are carried as ready: drain first. */
export function toCarry(board: Board): BoardCarry {
  return {
    count: board.count,
    // A halted dataset tells what is ready as failed and what runs as open: turning one into the other is news.
    version: board.version + (board.halted && board.states.includes(CODE.running) ? 1 : 0),
    halted: board.halted,
    done: packSpans(spansOf(board.states, CODE.done)),
    failed: packSpans(spansOf(board.states, CODE.failed)),
    skips: packSpans(spansOf(board.skips, 1)),
    told: board.edges.map(({ upstream, version, done, bad }) => ({
      upstream,
      version,
      done: packSpans(spansOf(done, 1)),
      failed: packSpans(spansOf(bad, CODE.failed)),
      skipped: packSpans(spansOf(bad, CODE.skipped)),
    })),
  };
}

/** The board again, over the same plan. Throws if `count` or `edges` are those of another plan. */
export function fromCarry(
  carry: BoardCarry,
  count: number,
  edges: readonly UpstreamEdge[],
  self: SelfReads | null = null,
): Board {
  if (carry.count !== count || carry.told.length !== edges.length)
    throw new Error('the carried board is of another plan');
  const board = createBoard(count, edges, self);
  for (const { upstream, version, done, failed, skipped } of carry.told)
    applyUpstream(board, upstream, {
      version,
      done: unpackSpans(done),
      failed: unpackSpans(failed),
      skipped: unpackSpans(skipped),
    });
  // In this order: what is done or failed had all of its inputs done, so it is ready by now, whatever was skipped later.
  const failed = unpackSpans(carry.failed);
  markDone(board, unpackSpans(carry.done));
  markRunning(board, failed);
  markFailed(board, failed);
  fillSpans(board.skips, unpackSpans(carry.skips), 1);
  for (let ordinal = 0; ordinal < count; ordinal++) follow(board, ordinal);
  followSelf(board);
  board.halted = carry.halted;
  board.version = carry.version;
  return board;
}
