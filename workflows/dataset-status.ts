import { few } from '../src/contracts/parts.js';
import { FAILURES_MAX, unheardOf, type DatasetStatus } from '../src/contracts/status.js';
import { formatInstant } from '../src/core/interval/interval.js';
import { partitionAt } from '../src/core/interval/runs.js';
import { settled } from '../src/core/slice/board.js';
import { listFailures, type FailureRun } from '../src/core/slice/failures.js';
import type { DatasetInput } from './carry.js';
import type { DatasetState } from './state.js';

/** A dataset as `status` shows it; one without a state has not begun. */
export function statusOf(input: DatasetInput, state: DatasetState | undefined): DatasetStatus {
  const { dataset: name, needs } = input;
  if (!state) return unheardOf(name, needs);
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
  if (state.cancelled) return undefined;
  if (state.lacks && !state.paused) return state.lacks.for;
  if (running > 0) return undefined;
  if (state.paused) return 'resume';
  if (ready > 0) return state.requeue.length > 0 ? 'its pause before another try' : 'its turn';
  return few(input.needs);
}
