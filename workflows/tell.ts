import { getExternalWorkflowHandle, isCancellation, setCurrentDetails, sleep } from '@temporalio/workflow';
import type { NewsMessage } from '../src/contracts/messages.js';
import { news as newsOf, settled } from '../src/core/slice/board.js';
import { shouldReport } from '../src/core/slice/budget.js';
import { childId, type DatasetInput } from './carry.js';
import * as messages from './messages.js';
import { statusOf, type DatasetState } from './state.js';

/** A reader may not have started yet: its signal is sent again this often, … */
const TELL_AGAIN_MS = 500;
/** … for a minute; what is lost after all it reads from the ledger when it starts. */
const TELL_TRIES = 120;

/**
 * Tells the readers, if anything changed. One message at a time, which then has everything that happened meanwhile: a workflow takes about
 * 50 signals a second, so they are joined rather than queued.
 */
export function tellReaders(input: DatasetInput, state: DatasetState): void {
  if (!state.newsDue || state.telling > 0) return;
  state.newsDue = false;
  const { version, done, failed, skipped } = newsOf(state.board);
  const told = { upstream: input.dataset, version, done: mutable(done), failed: mutable(failed), skipped: mutable(skipped) };
  for (const reader of input.readers) {
    state.telling++;
    void tell(childId(input.ref, reader), told).finally(() => {
      state.telling--;
      state.wake = true;
    });
  }
}

const mutable = (spans: readonly (readonly [number, number])[]): [number, number][] => spans.map(([lo, hi]) => [lo, hi]);

async function tell(workflowId: string, told: NewsMessage): Promise<void> {
  for (let attempt = 1; attempt <= TELL_TRIES; attempt++) {
    try {
      await getExternalWorkflowHandle(workflowId).signal(messages.news, told);
      return;
    } catch (error) {
      if (isCancellation(error)) return;
      // Cancelled while it waits: there is nobody left to tell.
      if (!(await sleep(TELL_AGAIN_MS).then(() => true, () => false))) return;
    }
  }
}

/** Reports to the backfill when the state changed, and progress within the budget that all datasets share. */
export async function tellParent(input: DatasetInput, state: DatasetState, last: boolean): Promise<void> {
  const status = statusOf(input, state);
  const isSettled = settled(state.board) && state.inflight.size === 0;
  const { round } = state;
  const finished = status.done + status.failed + status.skipped + status.blocked;
  const changed = `${status.state} ${status.failed} ${status.blocked} ${status.skipped} ${isSettled}`;
  const due = last || changed !== state.shown || shouldReport(state.reported, finished, status.total, input.reports);
  if (!due) return;
  state.shown = changed;
  state.reported = finished;
  state.serial++;
  await getExternalWorkflowHandle(input.ref.workflowId).signal(messages.report, { status, settled: isSettled, serial: state.serial, round });
}

/** What the web UI shows on a child: where it stands, what it reads and who reads it. */
export function showDetails(input: DatasetInput, state: DatasetState): void {
  const { done, total, failed, blocked, running, rows, state: word, waitingFor, failures } = statusOf(input, state);
  const lines = [
    `**${input.dataset}**: ${word}, ${done} of ${total} partitions, ${rows} rows, ${running} at work`,
    ...(failed + blocked > 0 ? [`${failed} failed, ${blocked} blocked`] : []),
    ...(waitingFor === undefined ? [] : [`waits for ${waitingFor}`]),
    `reads: ${input.needs.join(', ') || 'its source only'}`,
    `read by: ${input.readers.join(', ') || 'nobody in this plan'}`,
    ...failures.slice(0, 5).map(({ start, end, code, message }) => `- ${start} … ${end} ${code}: ${message}`),
  ];
  setCurrentDetails(lines.join('\n\n'));
}
