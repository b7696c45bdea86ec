import {
  ChildWorkflowCancellationType,
  condition,
  getExternalWorkflowHandle,
  isCancellation,
  ParentClosePolicy,
  startChild,
} from '@temporalio/workflow';
import { STEPS_USUAL, urgencies, type Ranked, type Urgency } from '../src/core/graph/urgency.js';
import type { DatasetOrder, OpenPlan, Report } from '../src/contracts/messages.js';
import { lastVersionOf } from '../src/core/slice/upstream.js';
import { reportBudget } from '../src/core/slice/budget.js';
import { attributesOf, memoOf } from './attributes.js';
import { childId, type DatasetInput } from './carry.js';
import { dataset } from './dataset.js';
import * as messages from './messages.js';
import { lastingControlOf } from './proxies.js';
import { takeReport, type Run } from './run.js';

/** Starts under way at once. Who is not asked for yet begins with what is wanted by then, so that after a pause only these have to be told. */
const STARTS_AT_ONCE = 50;

/** Starts a child per dataset of the plan, readers first, so that whoever signals finds its reader there. */
export async function startDatasets(run: Run): Promise<void> {
  const { opened } = run;
  if (!opened) throw new Error('no plan is open');
  run.starting = true;
  run.ending = false;
  const urgency = urgencies(opened.datasets.map(rankedOf));
  // An order that begins another one waits until all are there: none of them is to have heard of it before.
  const { round } = run;
  const left = [...opened.datasets].reverse().values();
  const startRest = async (): Promise<void> => {
    for (const planned of left) await start(planned);
  };
  const start = async (planned: OpenPlan['datasets'][number]): Promise<void> => {
    const input = { ...inputOf(run, opened, planned, urgency.get(planned.name) ?? USUAL), round };
    const values = {
      dataset: planned.name,
      ...(planned.owner === undefined ? {} : { owner: planned.owner }),
    };
    const handle = await startChild(dataset, {
      workflowId: childId(run.ref, planned.name),
      args: [input],
      staticSummary: `${planned.name}: ${planned.total} partitions`,
      staticDetails: planned.what,
      // What a killed worker had begun is given to another after this.
      workflowTaskTimeout: '15 seconds',
      priority: STEPS_USUAL,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      parentClosePolicy: ParentClosePolicy.TERMINATE,
      ...(opened.searchAttributes
        ? { typedSearchAttributes: attributesOf(run.ref, values) }
        : { memo: memoOf(run.ref, values) }),
    });
    run.children.set(planned.name, ended(run, planned.name, handle.result()));
    await catchUp(run, input);
  };
  const atOnce = run.crowds ? STARTS_AT_ONCE : opened.datasets.length;
  await Promise.all(Array.from({ length: atOnce }, startRest)).finally(() => {
    run.starting = false;
  });
}

function inputOf(
  run: Run,
  opened: NonNullable<Run['opened']>,
  planned: NonNullable<Run['opened']>['datasets'][number],
  urgency: Urgency,
): Omit<DatasetInput, 'round'> {
  return {
    ref: run.ref,
    plan: opened.plan,
    dataset: planned.name,
    warehouse: opened.warehouse,
    epoch: opened.epoch,
    order: run.request.order,
    readers: planned.readers,
    needs: planned.needs,
    maxParallel: run.maxParallel,
    priority: run.priority,
    urgency,
    reports: reportBudget(opened.datasets.length),
    crowd: opened.datasets.length,
    paused: run.paused,
    searchAttributes: opened.searchAttributes,
  };
}

const USUAL: Urgency = { priority: 3, weight: 1 };

function rankedOf({ name, readers, priority, partitionMs, total }: OpenPlan['datasets'][number]): Ranked {
  return { name, readers, priority, partitions: total, costMs: partitionMs === null ? undefined : partitionMs * total };
}

/**
 * A child that ends has nothing left to do. One that fails is a bug of ours, or somebody terminated or cancelled it alone: what it
 * leaves undone counts as failed, and its readers are told in its place, or they would wait for ever.
 */
async function ended(run: Run, name: string, result: Promise<Report>): Promise<void> {
  const cause = await result.then(
    (report) => {
      takeReport(run, report);
      return 'its workflow ended early';
    },
    (error: unknown) =>
      error instanceof Error ? (error.cause instanceof Error ? error.cause.message : error.message) : String(error),
  );
  run.told.set(name, { serial: Infinity, settled: true, waiting: null });
  const last = run.datasets.get(name);
  if (!last || run.ending || ends(run, name)) return;
  const open = last.total - last.done - last.skipped;
  run.datasets.set(name, {
    ...last,
    state: 'failed',
    failed: open,
    blocked: 0,
    running: 0,
    failureCount: open,
    failures: [
      {
        start: '-infinity',
        end: 'infinity',
        code: 'dataset_workflow_failed',
        message: cause.slice(0, 500),
        attempts: 1,
      },
    ],
  });
  run.dead.add(name);
  try {
    await condition(() => !run.starting);
    await speakFor(run, name);
  } catch (error) {
    // Cancelled meanwhile: the readers are, too.
    if (!isCancellation(error)) throw error;
  }
}

/** News in the place of a dataset whose workflow is gone. */
async function speakFor(run: Run, name: string): Promise<void> {
  const planned = run.opened?.datasets.find((one) => one.name === name);
  if (!planned) return;
  const told = {
    upstream: name,
    version: lastVersionOf(run.round),
    done: [],
    failed: [[0, planned.total] as [number, number]],
    skipped: [],
  };
  await Promise.all(
    planned.readers.map((reader) =>
      getExternalWorkflowHandle(childId(run.ref, reader)).signal(messages.news, told).catch(unlessCancelled),
    ),
  );
}

/** Sends an order to the datasets that still run. */
export async function toDatasets(run: Run, wanted: DatasetOrder): Promise<void> {
  if ('round' in wanted || !run.crowds) await condition(() => !run.starting);
  if (wanted.kind === 'finish') run.ending = true;
  // Who is not there yet begins with what is wanted, or catches up. A pause that waited for all of 1,000 left those that were there asking at a closed gate, over and over.
  const names = (run.starting ? [...run.children.keys()] : run.names).filter(
    (name) => run.told.get(name)?.serial !== Infinity && !(wanted.kind === 'finish' && ends(run, name)),
  );
  if ('round' in wanted) {
    for (const name of names)
      run.told.set(name, {
        serial: run.told.get(name)?.serial ?? -1,
        settled: false,
        waiting: run.told.get(name)?.waiting ?? null,
      });
  }
  if (names.length === 0 && !('round' in wanted)) return;
  await tell(run, names, wanted);
  if ('round' in wanted) await Promise.all([...run.dead].map((name) => speakFor(run, name)));
}

/** One order after the other: a resume must not overtake the pause before it. */
async function tell(run: Run, names: readonly string[], order: DatasetOrder): Promise<void> {
  const mine = run.ordered.then(() => lastingControlOf(run.ref).tellDatasets({ ref: run.ref, names, order }));
  run.ordered = mine.catch(() => undefined);
  await mine;
}

/** What was ordered between its being asked for and its being there. Whoever waits for the same turn is told with the others: one after another, the last of 50 heard of a pause 20 s late. */
async function catchUp(run: Run, began: DatasetInput): Promise<void> {
  if (!run.crowds || (run.paused === began.paused && !isAdjusted(run, began))) return;
  run.late.push(began);
  if (run.late.length > 1) return;
  await run.ordered;
  const late = run.late.splice(0);
  const names = late.map(({ dataset }) => dataset);
  if (late.some((one) => isAdjusted(run, one)))
    await tell(run, names, { kind: 'adjust', maxParallel: run.maxParallel, priority: run.priority });
  if (late.some(({ paused }) => run.paused !== paused))
    await tell(run, names, { kind: run.paused ? 'pause' : 'resume' });
}

function isAdjusted(run: Run, { maxParallel, priority }: DatasetInput): boolean {
  return run.maxParallel !== maxParallel || run.priority !== priority;
}

/** A dataset with nothing left to do ends by itself. To tell it so while it tells us cost 1.5 s: the server lets neither message wait for the other. */
function ends(run: Run, name: string): boolean {
  const last = run.datasets.get(name);
  return last !== undefined && last.done + last.skipped >= last.total;
}

/** It ended in the meantime: then there is nothing to tell it. */
function unlessCancelled(error: unknown): void {
  if (isCancellation(error)) throw error;
}
