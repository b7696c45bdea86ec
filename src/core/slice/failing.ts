import { GAVE_WAY, type FaultClass } from '../fault.js';
import { ATTEMPTS_MAX, backoffMs } from '../retry.js';
import type { Board } from './board.js';
import { halt, markFailed, release } from './board.js';
import type { Requeue } from './requeue.js';
import { spansWhere } from './spans.js';
import type { Span } from './spans.js';
import { CODE } from './states.js';

/** A batch that failed. */
export interface FailedBatch {
  readonly span: Span;
  /** Of the fault: `division_by_zero`. */
  readonly code: string;
  readonly class: FaultClass;
  /** Times that this batch was tried, this one included: at least 1. */
  readonly attempts: number;
}

/** What becomes of it. */
export type Decision =
  /** The same batch again, after a pause. */
  | { readonly action: 'retry'; readonly span: Span; readonly attempts: number; readonly delayMs: number }
  /** Each half as a batch of its own, at once. `attempts`: what they count as tried. */
  | { readonly action: 'bisect'; readonly halves: readonly [Span, Span]; readonly attempts: number }
  /** This partition fails, and nothing else. */
  | { readonly action: 'fail'; readonly span: Span; readonly code: string; readonly attempts: number }
  /** All partitions would fail alike: the dataset is held. */
  | { readonly action: 'halt'; readonly span: Span; readonly code: string }
  /** Another execution took the dataset over: this one ends. */
  | { readonly action: 'stop'; readonly span: Span; readonly code: string };

/** Tries left to the halves of a batch that used up its own: enough to outlive a hiccup, few enough to end soon. */
const HALF_ATTEMPTS = 2;

/**
 * What to do about a failed batch.
 * @param random - from [0, 1), for the jitter of the pause.
 */
export function decideFailure({ span, code, class: kind, attempts }: FailedBatch, random: number): Decision {
  switch (kind) {
    case 'fatal':
      return { action: 'halt', span, code };
    case 'fenced':
      return { action: 'stop', span, code };
    case 'poison':
      return bisect(span, 0) ?? { action: 'fail', span, code, attempts };
    case 'transient':
    case 'load':
    case 'key_moved':
      // Not counted: the gate decides when it may try again, and who is polite for an hour has not failed.
      if (code === GAVE_WAY) return { action: 'retry', span, attempts: attempts - 1, delayMs: backoffMs(1, random) };
      if (attempts < ATTEMPTS_MAX) return { action: 'retry', span, attempts, delayMs: backoffMs(attempts, random) };
      return bisect(span, ATTEMPTS_MAX - HALF_ATTEMPTS) ?? { action: 'fail', span, code, attempts };
  }
}

function bisect([lo, hi]: Span, attempts: number): Decision | undefined {
  if (hi - lo < 2) return undefined;
  const middle = lo + Math.ceil((hi - lo) / 2);
  return {
    action: 'bisect',
    halves: [
      [lo, middle],
      [middle, hi],
    ],
    attempts,
  };
}

/**
 * Carries a decision out on the board and the list of waiting batches. Of the batch only what still runs: a late report may
 * have told part of it done. Answers the partitions that failed; ending the dataset after `stop` is the caller's.
 */
export function carryOut(board: Board, requeue: Requeue, decision: Decision, now: number): Span[] {
  switch (decision.action) {
    case 'retry':
      release(board, [decision.span]);
      requeue.push({ span: decision.span, attempts: decision.attempts, notBefore: now + decision.delayMs });
      return [];
    case 'bisect':
      release(board, decision.halves);
      for (const span of decision.halves) requeue.push({ span, attempts: decision.attempts, notBefore: now });
      return [];
    case 'fail': {
      const [lo, hi] = decision.span;
      const failed = spansWhere(lo, hi, (ordinal) => board.states[ordinal] === CODE.running);
      markFailed(board, failed);
      return failed;
    }
    case 'halt':
      release(board, [decision.span]);
      halt(board);
      return [];
    case 'stop':
      release(board, [decision.span]);
      return [];
  }
}
