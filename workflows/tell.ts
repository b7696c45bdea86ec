import { getExternalWorkflowHandle, isCancellation, setCurrentDetails, sleep } from '@temporalio/workflow';
import type { NewsMessage, Report } from '../src/contracts/messages.js';
import { packSpans } from '../src/core/slice/packed.js';
import type { DatasetStatus } from '../src/contracts/status.js';
import { news as newsOf, settled } from '../src/core/slice/board.js';
import { reportsLittle, shouldReport } from '../src/core/slice/budget.js';
import { childId, type DatasetInput } from './carry.js';
import { datasetDetails } from './details.js';
import * as messages from './messages.js';
import { wordsOf, type DatasetState } from './state.js';

/** Readers are told this often at most while slices run: each message is a task and five events for both of us. */
const TELL_MS = 250;
/** In a crowd readers find no slot sooner than this. */
const TELL_CROWDED_MS = 1_000;
/** A reader may not have started yet: what the ledger does not tell it when it starts, is sent again this often, … */
const TELL_AGAIN_MS = 500;
/** … for a minute. */
const TELL_TRIES = 120;

/**
 * Tells the readers, if anything changed. One message at a time, which then has everything that happened meanwhile: a workflow takes about
 * 50 signals a second, so they are joined rather than queued.
 */
export function tellReaders(input: DatasetInput, state: DatasetState): void {
  if (Date.now() < tellsAt(input, state)) return;
  state.newsDue = false;
  state.toldAt = Date.now();
  const { version, done, failed, skipped } = newsOf(state.board);
  const told: NewsMessage = {
    upstream: input.dataset,
    version,
    done: packSpans(done),
    failed: packSpans(failed),
    skipped: packSpans(skipped),
  };
  for (const reader of input.readers) {
    state.telling++;
    void tell(input, state, reader, told).finally(() => {
      state.telling--;
      state.wake = true;
    });
  }
}

/** When what readers do not know yet is told them: held back while more is coming, for a slice that ends next tells of both. Infinity where nothing is to be told, or something is. */
export function tellsAt({ readers }: DatasetInput, state: DatasetState): number {
  const { newsDue, telling, inflight, toldAt, crowded } = state;
  if (!newsDue || telling > 0) return Infinity;
  return readers.length > 0 && inflight.size > 0 ? toldAt + (crowded ? TELL_CROWDED_MS : TELL_MS) : 0;
}

async function tell(input: DatasetInput, state: DatasetState, reader: string, told: NewsMessage): Promise<void> {
  for (let attempt = 1; attempt <= TELL_TRIES; attempt++) {
    try {
      await getExternalWorkflowHandle(childId(input.ref, reader)).signal(messages.news, told);
      state.reached.add(reader);
      return;
    } catch (error) {
      // It was there and is gone: it has ended, and needs nothing more.
      if (isCancellation(error) || state.reached.has(reader)) return;
      // It will start, and find in the ledger what is done; or it did, and has ended before it was reached.
      if (state.tellsOnce && told.failed.length + told.skipped.length === 0) return;
      // Cancelled while it waits: there is nobody left to tell.
      if (
        !(await sleep(TELL_AGAIN_MS, { summary: `until ${reader} is told again` }).then(
          () => true,
          () => false,
        ))
      )
        return;
    }
  }
}

/** Progress is reported this often at most: what a person can follow, and what the backfill's history can bear. */
const REPORT_MS = 1_000;

/** What the backfill hears next. The last one is the workflow's own result: its end then needs no message. */
export function reportOf(state: DatasetState, status: DatasetStatus): Report {
  state.serial++;
  return {
    status,
    settled: isSettled(state),
    serial: state.serial,
    round: state.round,
    waiting: state.lacks,
  };
}

/** Whether nothing more can happen here without a person. */
function isSettled({ board, inflight }: DatasetState): boolean {
  return settled(board) && inflight.size === 0;
}

/**
 * Reports to the backfill: at once when the state changed, progress once a second and within the budget that all datasets share. One report
 * at a time, and nobody waits for it. Of a dataset that is about to end the backfill hears by its result.
 */
export function tellParent(input: DatasetInput, state: DatasetState, status: DatasetStatus): void {
  const finished = status.done + status.failed + status.skipped + status.blocked;
  const words = wordsOf(wordOf(input, state, status), isSettled(state), state.lacks?.for);
  const due =
    words !== state.shown ||
    (Date.now() - state.reportedAt >= REPORT_MS && shouldReport(state.reported, finished, status.total, input.reports));
  if (!due || state.reporting || status.done + status.skipped === status.total) return;
  state.shown = words;
  state.reported = finished;
  state.reportedAt = Date.now();
  state.reporting = true;
  void getExternalWorkflowHandle(input.ref.workflowId)
    .signal(messages.report, reportOf(state, status))
    .catch(() => undefined)
    .finally(() => {
      state.reporting = false;
      state.wake = true;
    });
}

/** Of very many, none reports that it is paused, nor that a slice was turned away at the gate: 1,000 did, again and again, 4,400 times in five minutes. */
function wordOf(
  { reports }: DatasetInput,
  { slices, crowds }: DatasetState,
  { state }: DatasetStatus,
): DatasetStatus['state'] {
  const few = reportsLittle(reports);
  const turnedAway = few && state === 'waiting' && slices > 0 && crowds;
  return turnedAway || (few && state === 'paused') ? 'running' : state;
}

/** What the web UI shows on a child: where it stands, what it reads and who reads it. */
export function showDetails(input: DatasetInput, status: DatasetStatus): void {
  setCurrentDetails(datasetDetails(status, input.needs, input.readers));
}
