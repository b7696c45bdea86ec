import type { Board } from './board.js';
import { at, spansWhere } from './spans.js';
import type { Span } from './spans.js';
import { CODE } from './states.js';

/** A batch as it is picked: adjacent ready partitions for one transaction. */
export interface Batch {
  readonly span: Span;
  /** Times that exactly this batch was tried before. */
  readonly attempts: number;
}

/** A batch that failed and is to be tried again, as it is. Its partitions are ready meanwhile, and nothing else takes them. */
export interface Requeued extends Batch {
  /** Not before this instant: ms since the epoch. */
  readonly notBefore: number;
}

/** Those waiting, in the order in which they came. Plain JSON, changed in place; continue-as-new carries it as it is. */
export type Requeue = Requeued[];

/**
 * With this many batches waiting, nothing fresh is begun: so much does not fail by itself, and the list must fit into the
 * carry. (62 bytes each; what runs meanwhile in six slots may add 1,200: 87 KB of 100.)
 */
export const REQUEUE_MAX = 200;

/** When the first of them is due: ms since the epoch; undefined if there is none. What a workflow sleeps until. */
export function nextDue(requeue: Requeue): number | undefined {
  return requeue.reduce<number | undefined>(
    (first, { notBefore }) => (first === undefined || notBefore < first ? notBefore : first),
    undefined,
  );
}

/**
 * Takes the first batches out of the list that are due at `now`, as long as `fits` says yes. Of each, what is still ready: a
 * person may have skipped part of it, or a late report have told it done.
 */
export function takeDue(board: Board, requeue: Requeue, now: number, fits: (batch: Batch) => boolean): Batch[] {
  const taken: Batch[] = [];
  const kept: Requeue = [];
  let full = false;
  for (const entry of requeue) {
    if (entry.notBefore > now || full) {
      kept.push(entry);
      continue;
    }
    for (const span of readyIn(board, entry.span)) {
      const batch: Batch = { span, attempts: entry.attempts };
      full = full || !fits(batch);
      if (full) kept.push({ ...entry, span });
      else taken.push(batch);
    }
  }
  requeue.splice(0, requeue.length, ...kept);
  return taken;
}

function readyIn(board: Board, [lo, hi]: Span): Span[] {
  return spansWhere(lo, hi, (ordinal) => at(board.states, ordinal) === CODE.ready);
}
