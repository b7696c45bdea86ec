import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { DatasetOrder, NewsMessage, type Report } from '../src/contracts/messages.js';
import { counts, resumeHalted, retryFailed, skip } from '../src/core/slice/board.js';
import { nextDue } from '../src/core/slice/requeue.js';
import { followSelf } from '../src/core/slice/self.js';
import { tryAgain } from '../src/core/slice/streak.js';
import { applyUpstream, beginRound } from '../src/core/slice/upstream.js';
import type { DatasetInput } from './carry.js';
import { statusOf } from './dataset-status.js';
import { dispatch, drained } from './dispatch.js';
import * as messages from './messages.js';
import { lastingControlOf } from './proxies.js';
import { mayDispatch, widensAt } from './room.js';
import { carryOf, loadState, type DatasetState } from './state.js';
import { reportOf, showDetails, tellParent, tellReaders, tellsAt } from './tell.js';

/** Events after which a dataset starts a fresh history: the server suggests it at 4,096, and drained slices still add theirs. */
const HISTORY_MAX = 3_000;

/**
 * One dataset of one backfill: owns its partitions, hears from the datasets that it reads, picks slices, retries, bisects, and tells
 * those that read it. Ends when all of it is done or skipped; otherwise it waits, settled, for a person's message through its backfill.
 * @returns its last report
 */
export async function dataset(input: DatasetInput): Promise<Report> {
  const early: ((state: DatasetState) => void)[] = [];
  const here: { state?: DatasetState } = {};
  // Messages may come before the board is there: they wait for it, in order.
  const whenLoaded = (act: (state: DatasetState) => void): void => {
    if (!here.state) early.push(act);
    else {
      act(here.state);
      here.state.wake = true;
    }
  };
  setHandler(messages.news, (told) => {
    messages.heard(NewsMessage, told, (news) => {
      whenLoaded((loaded) => {
        if (applyUpstream(loaded.board, news.upstream, news)) loaded.newsDue = true;
      });
    });
  });
  setHandler(messages.order, (wanted) => {
    messages.heard(DatasetOrder, wanted, (order) => {
      whenLoaded((loaded) => {
        obey(input, loaded, order);
      });
    });
  });
  setHandler(messages.datasetStatus, () => statusOf(input, here.state));

  const state = await loadState(input);
  here.state = state;
  for (const act of early) act(state);
  try {
    await work(input, state);
  } catch (error) {
    if (!isCancellation(error)) throw error;
    const { inflight } = state;
    await CancellationScope.nonCancellable(async () => {
      await condition(() => inflight.size === 0);
      state.cancelled = true;
    });
  }
  await CancellationScope.nonCancellable(() => condition(() => !state.reporting));
  return reportOf(state, statusOf(input, state));
}

async function work(input: DatasetInput, state: DatasetState): Promise<void> {
  for (;;) {
    state.wake = false;
    followSelf(state.board);
    dispatch(input, state);
    tellReaders(input, state);
    const status = statusOf(input, state);
    showDetails(input, status);
    tellParent(input, state, status);
    if (lastAreRunning(state)) state.saved ??= saveProfile(input, state);
    if (finished(state)) break;
    // A dataset that was told to finish does so here: the order would not cross into a fresh history.
    if (tooLong() && !state.finish) {
      state.draining = true;
      if (drained(state)) {
        await condition(allHandlersFinished);
        await continueAsNew<typeof dataset>({ ...input, carry: carryOf(state) });
      }
    }
    await wakeUp(input, state);
  }
  await condition(() => state.telling === 0);
  await state.saved;
}

function lastAreRunning({ board, requeue }: DatasetState): boolean {
  const { waiting, ready, running } = counts(board);
  return waiting + ready + requeue.length === 0 && running > 0;
}

/** Keeps what batches cost for the next backfill, while the last slices run: the end need not wait for it. */
async function saveProfile({ ref, dataset }: DatasetInput, { profile }: DatasetState): Promise<void> {
  await lastingControlOf(ref)
    .saveProfile({ ref, dataset, profile })
    .catch(() => undefined);
}

function finished(state: DatasetState): boolean {
  // What was done last must be told before we end: nobody could hear it from us afterwards.
  if (state.inflight.size > 0 || state.telling > 0 || state.newsDue) return false;
  if (state.finish) return true;
  const { done, skipped, total } = state.count();
  return done + skipped === total;
}

function tooLong(): boolean {
  const { historyLength, continueAsNewSuggested } = workflowInfo();
  return continueAsNewSuggested || historyLength > HISTORY_MAX;
}

/** Until something happened, or a pause is over and there is a slot for what it held back: a slot that is freed wakes us by itself. */
async function wakeUp(input: DatasetInput, state: DatasetState): Promise<void> {
  const resting = state.restUntil > Date.now() ? state.restUntil : undefined;
  const work = mayDispatch(state) ? (resting ?? nextDue(state.requeue) ?? Infinity) : widensAt(state);
  const news = state.crowds ? tellsAt(input, state) : Infinity;
  const due = Math.min(work, news);
  const woken = (): boolean => state.wake;
  if (due === Infinity) await condition(woken);
  else await condition(woken, Math.max(1, due - Date.now()), { summary: timerName(work < news, resting) });
}

/** A timer's name in the web UI. */
function timerName(isWork: boolean, resting: number | undefined): string {
  if (!isWork) return 'until readers are told';
  return resting === undefined ? 'until a partition is tried again, or a slice may be wider' : 'until a pause is over';
}

function obey(input: DatasetInput, state: DatasetState, wanted: DatasetOrder): void {
  switch (wanted.kind) {
    case 'pause':
      state.paused = true;
      break;
    case 'resume':
      state.paused = false;
      state.restUntil = 0;
      break;
    case 'adjust':
      state.maxParallel = wanted.maxParallel;
      state.priority = wanted.priority;
      break;
    case 'retry':
      startRound(state, wanted.round);
      if (wanted.dataset !== null && wanted.dataset !== input.dataset) break;
      state.streak = tryAgain(state.streak);
      resumeHalted(state.board);
      retryFailed(state.board);
      break;
    case 'skip':
      startRound(state, wanted.round);
      if (wanted.dataset === input.dataset)
        for (const span of [wanted.span, ...(wanted.more ?? [])]) skip(state.board, span);
      break;
    case 'finish':
      state.finish = true;
      break;
  }
}

/** Whoever gave the order waits for a report, and readers for news, whether or not anything changes here. */
function startRound(state: DatasetState, round: number): void {
  beginRound(state.board, round);
  state.round = round;
  state.newsDue = true;
  state.shown = '';
}
