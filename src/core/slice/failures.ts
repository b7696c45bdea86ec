import type { Board } from './board.js';
import { at, spansWhere } from './spans.js';
import { CODE } from './states.js';

/** Partitions `[lo, hi)` that failed alike. */
export interface FailureRun {
  readonly lo: number;
  readonly hi: number;
  readonly code: string;
  /** Of the first of them: others may name another row. */
  readonly message: string;
  /** The most that any of them took. */
  readonly attempts: number;
}

export interface PartitionFailure {
  readonly ordinal: number;
  readonly code: string;
  readonly message: string;
  readonly attempts: number;
}

/** Runs that are kept: enough to fill the list again after some are mended, and small in the carry (500 characters of message each). */
const KEPT_MAX = 60;
/** Runs that a status lists; as `FAILURES_MAX` of the contract. */
const LISTED_MAX = 20;

/**
 * The failures with one more in them, ascending, adjacent ones of one code joined. Forgets what has not failed any more, and the last ones beyond
 * a limit: the board still knows that they failed.
 */
export function addFailure(runs: readonly FailureRun[], board: Board, failure: PartitionFailure): FailureRun[] {
  const { ordinal, ...rest } = failure;
  const others = stillFailed(runs, board).flatMap((run) => [
    { ...run, hi: Math.min(run.hi, ordinal) },
    { ...run, lo: Math.max(run.lo, ordinal + 1) },
  ]);
  const all = [...others.filter(({ lo, hi }) => lo < hi), { lo: ordinal, hi: ordinal + 1, ...rest }];
  return joined(all).slice(0, KEPT_MAX);
}

/** What to show: the first runs of failed partitions, and how many partitions have failed in all. */
export function listFailures(runs: readonly FailureRun[], board: Board): { failures: FailureRun[]; total: number } {
  return { failures: joined(stillFailed(runs, board)).slice(0, LISTED_MAX), total: at(board.totals, CODE.failed) };
}

/** Retried, skipped and late partitions leave the list by themselves: the board says what has failed. */
function stillFailed(runs: readonly FailureRun[], board: Board): FailureRun[] {
  return runs.flatMap((run) =>
    spansWhere(run.lo, run.hi, (ordinal) => board.states[ordinal] === CODE.failed).map(([lo, hi]) => ({
      ...run,
      lo,
      hi,
    })),
  );
}

function joined(runs: readonly FailureRun[]): FailureRun[] {
  const result: FailureRun[] = [];
  for (const run of [...runs].sort((a, b) => a.lo - b.lo)) {
    const last = result.at(-1);
    if (last?.hi === run.lo && last.code === run.code) {
      result[result.length - 1] = { ...last, hi: run.hi, attempts: Math.max(last.attempts, run.attempts) };
    } else {
      result.push(run);
    }
  }
  return result;
}
