import { typedIn } from '../src/contracts/typed.js';
import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  condition,
  isCancellation,
  log,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { BackfillInput } from '../src/contracts/request.js';
import { Opened, PlannedRow, type OpenPlan } from '../src/contracts/messages.js';
import type { BackfillStatus } from '../src/contracts/status.js';
import { few, partOf, shortened } from '../src/contracts/parts.js';
import { formatCount, plural } from '../src/core/words.js';
import { startDatasets, toDatasets } from './children.js';
import { handleMessages } from './handlers.js';
import { controlOf, lastingControlOf } from './proxies.js';
import { requestOf } from './request.js';
import { closeGate, whereServed } from './served.js';
import { createRun, documentOf, enter, goOn, PLANS_AGAIN, show, unsettled, troubled, type Run } from './run.js';

/** How long a held backfill waits for a person before it ends as failed. */
const HOLD = '24 hours';
/** Between two looks at a range that another backfill holds (`--on-conflict wait`). */
const CONFLICT_AGAIN = '10s';

/**
 * One backfill: asks for the plan, reserves its partitions, starts a child per dataset, keeps states and totals, ends. It never sees
 * a partition, and never continues as new, which would orphan its children.
 *
 * @returns the final status document. Fails with type `backfill_failed` (the document in its details) when partitions failed or stayed
 * blocked, and with the code of a request that was refused; ends cancelled when it was cancelled.
 */
export async function backfill(input: BackfillInput): Promise<BackfillStatus> {
  const run = createRun(requestOf(input));
  const scope = new CancellationScope();
  handleMessages(run, () => {
    scope.cancel();
  });
  try {
    await scope.run(() => carryOut(run));
  } catch (error) {
    if (isCancellation(error)) await CancellationScope.nonCancellable(() => end(run, 'cancelled', run.cancelReason));
    else await refuse(run, error);
  }
  // Whoever sent a message hears its answer before we are gone.
  await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
  if (run.state === 'cancelled') {
    await showCancelled(run);
    throw new CancelledFailure('the backfill was cancelled');
  }
  const document = shortened(documentOf(run));
  if (run.state === 'failed') {
    throw ApplicationFailure.create({
      type: 'backfill_failed',
      message: document.reason,
      nonRetryable: true,
      details: [document],
    });
  }
  return document;
}

/** For Temporal only what it was asked to cancel ends as cancelled; a message of ours it does not know. */
const SHOW_CANCELLED = '10s';

async function showCancelled({ ref, unserved }: Run): Promise<void> {
  const { cancelRequested } = CancellationScope.current();
  const asked = cancelRequested.catch(() => undefined);
  if (CancellationScope.current().consideredCancelled || unserved) return;
  await controlOf(ref)
    .cancelExecution({ ref })
    .catch((error: unknown) => {
      log.warn('Temporal was not told that this was cancelled', { error: String(error) });
    });
  await Promise.race([
    asked,
    sleep(SHOW_CANCELLED, { summary: 'until Temporal shows that it was cancelled' }).catch(() => undefined),
  ]);
}

async function carryOut(run: Run): Promise<void> {
  for (let opened: OpenPlan | undefined = await open(run, false); opened;) {
    const first = run.opened === undefined;
    run.accept(opened);
    if (run.names.length === 0)
      return end(
        run,
        'completed',
        first ? 'nothing to do: no partition that was asked for is to be built' : publishedWords(run),
      );
    if (run.crowds) goOn(run, 'carrying out the plan');
    await startDatasets(run);
    if (!run.crowds) goOn(run, 'carrying out the plan');
    opened = await untilSettled(run);
  }
}

/** Plans and reserves; waits while another backfill holds what it needs. */
async function open(run: Run, again: boolean, wanted?: Run['replan']): Promise<OpenPlan> {
  const upstream =
    wanted?.upstream === undefined ? {} : { upstream: { dataset: wanted.upstream, current: wanted.current } };
  for (;;) {
    const opened = Opened.parse(
      await whereServed(run, (control) =>
        control.openBackfill({ ref: run.ref, request: run.request, again, ...upstream }),
      ),
    );
    if (opened.kind === 'open') return whole(run, opened);
    const { holder, what, lock = false } = opened;
    enter(run, 'planning', lock ? `waits for a lock on ${what}` : `waits for backfill ${holder}`);
    run.waiting = {
      for: lock ? `a lock on ${what}, held by ${holder}` : `backfill ${holder}, which holds ${what}`,
      since: new Date().toISOString(),
      next: lock ? '' : typedIn(run.ref.environment, `sluice watch ${holder}`),
    };
    show(run);
    await sleep(CONFLICT_AGAIN, { summary: `until it is asked again: ${run.waiting.for}`.slice(0, 200) });
  }
}

/** With the datasets that did not fit into the answer. */
async function whole(run: Run, opened: OpenPlan): Promise<OpenPlan> {
  const datasets = [...opened.datasets];
  const { plan, late } = opened;
  while (datasets.length < opened.count) {
    const more = await controlOf(run.ref).plannedRows({ ref: run.ref, plan, late, from: datasets.length });
    datasets.push(...PlannedRow.array().min(1).parse(more));
  }
  return { ...opened, datasets };
}

/**
 * Until nothing more can happen; holds for a person where something failed.
 * @returns the plan to go on with, if a person wanted another one; undefined when the backfill has ended
 */
async function untilSettled(run: Run): Promise<OpenPlan | undefined> {
  let refusal: string | undefined;
  for (;;) {
    await condition(() => unsettled(run) === 0);
    if (!troubled(run)) {
      await finishDatasets(run);
      await end(run, 'completed', publishedWords(run));
      return undefined;
    }
    if (run.request.onFailure === 'hold') {
      hold(run, refusal);
      const touched = await condition(() => unsettled(run) > 0 || run.replan !== undefined || !troubled(run), HOLD, {
        summary: 'held: until it ends as failed',
      });
      run.waiting = null;
      if (touched && run.replan) {
        const planned = await planAgain(run);
        if (typeof planned !== 'string') return planned;
        refusal = planned;
        continue;
      }
      if (touched) {
        refusal = undefined;
        goOn(run, 'trying again');
        continue;
      }
    }
    await finishDatasets(run);
    await end(run, 'failed', failureReason(run));
    return undefined;
  }
}

/** A new plan for what is not done, or why there is none: a project that is wrong is no reason to give up what is held. */
async function planAgain(run: Run): Promise<OpenPlan | string> {
  const wanted = run.replan;
  run.replan = undefined;
  enter(run, 'planning', PLANS_AGAIN);
  try {
    const planned = await open(run, true, wanted);
    await finishDatasets(run);
    return planned;
  } catch (error) {
    if (isCancellation(error)) throw error;
    return causeOf(error).message;
  }
}

function hold(run: Run, refusal: string | undefined): void {
  const id = run.ref.backfillId;
  run.waiting = {
    for: 'a person: retry what failed, skip it, or cancel',
    since: new Date().toISOString(),
    next: typedIn(run.ref.environment, `sluice retry ${id}`),
    or: waysOut(run),
  };
  const why = refusal === undefined ? '' : `; it was not planned again: ${refusal.slice(0, 1000)}`;
  enter(run, 'held', `${failureReason(run)}; held for 24 h${why}`);
}

/** What a person skipped is not published, and the end says so. */
function publishedWords(run: Run): string {
  const { done, skipped } = documentOf(run).partitions;
  if (skipped === 0) return 'all is published';
  const by = run.skippers.size === 0 ? '' : ` by ${few([...run.skippers], 3)}`;
  return `${formatCount(done)} published, ${formatCount(skipped)} skipped${by}`;
}

/** Besides trying the same again: what helps where something else was mended, or cannot be. */
function waysOut({ ref: { backfillId, environment }, datasets }: Run): { when: string; next: string }[] {
  const typed = (...words: string[]): string => typedIn(environment, `sluice ${words.join(' ')}`);
  const failing = [...datasets.values()].find(({ failures }) => failures.length > 0);
  const foreign = [...datasets.values()].flatMap(({ name, failures }) =>
    failures.filter(({ code }) => code === 'foreign_rows').map(({ start, end }) => ({ name, start, end })),
  );
  return [
    ...foreign.slice(0, 3).map(({ name, start, end }) => ({
      when: 'the rows that are there are right',
      next: typed('adopt', name, ...(start === '-infinity' ? [] : ['--from', start, '--to', end])),
    })),
    { when: 'the project was changed', next: typed('retry', backfillId, '--with-current') },
    { when: 'the source was mended', next: typed('retry', backfillId, '--upstream') },
    ...(failing ? [{ when: 'it can be left out', next: typed('skip', backfillId, failing.name, '--failed') }] : []),
  ];
}

function failureReason(run: Run): string {
  const { failed, blocked } = documentOf(run).partitions;
  // A dataset that stops as a whole, for a missing table, has no partition that failed by itself.
  if (failed === 0) return `${plural(blocked, 'partition')} blocked`;
  return `${plural(failed, 'partition')} failed, ${formatCount(blocked)} blocked by them`;
}

async function finishDatasets(run: Run): Promise<void> {
  await toDatasets(run, { kind: 'finish' });
  await Promise.all(run.children.values());
  run.children.clear();
}

async function end(run: Run, state: 'completed' | 'failed' | 'cancelled', reason: string): Promise<void> {
  if (state === 'cancelled') {
    run.ending = true;
    // The gate first: no batch begins from now on, and what runs is stopped by its activity's cancellation.
    if (!(await closeGate(run, reason))) return;
    await Promise.all(run.children.values());
  }
  run.endedAt = new Date().toISOString();
  run.waiting = null;
  enter(run, state, reason, state === 'cancelled' ? run.cancelSaidBy : undefined);
  // What has ended so is not cancelled any more.
  await CancellationScope.nonCancellable(() => keep(run));
}

/** Closes it with its last status, and adds the datasets that one payload does not hold. */
async function keep(run: Run, control = lastingControlOf(run.ref)): Promise<void> {
  const { ref } = run;
  const document = documentOf(run);
  const first = partOf(document, 0);
  await control.closeBackfill({ ref, status: first });
  for (let from = first.datasets.length; from < document.datasets.length;) {
    const { datasets } = partOf(document, from);
    await control.keepDatasets({ ref, from, datasets });
    from += datasets.length;
  }
}

/** A request that was refused, or a fault of ours: the reservation goes, and the workflow fails with the cause. */
async function refuse(run: Run, error: unknown): Promise<never> {
  log.warn('backfill ends early', { error: String(error), workflowId: workflowInfo().workflowId });
  run.endedAt = new Date().toISOString();
  const cause = causeOf(error);
  run.refused = refusalOf(cause);
  enter(run, 'failed', cause.message);
  const unkept = cause instanceof ApplicationFailure && ['id_taken', 'no_worker'].includes(cause.type ?? '');
  if (!unkept) await keep(run, controlOf(run.ref));
  await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
  throw cause instanceof ApplicationFailure ? cause : error;
}

/** The code of what the request itself was refused for, which the activity says beside it. */
function refusalOf(cause: Error): string | undefined {
  if (!(cause instanceof ApplicationFailure)) return undefined;
  const [details] = cause.details ?? [];
  const isRequest = typeof details === 'object' && details !== null && 'exitCode' in details && details.exitCode === 2;
  return isRequest ? (cause.type ?? undefined) : undefined;
}

/** What an activity failed with, without Temporal's wrapping. */
function causeOf(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  return error.cause instanceof Error ? error.cause : error;
}
