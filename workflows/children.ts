import { ChildWorkflowCancellationType, getExternalWorkflowHandle, isCancellation, ParentClosePolicy, startChild } from '@temporalio/workflow';
import type { DatasetOrder } from '../src/contracts/messages.js';
import { reportBudget } from '../src/core/slice/budget.js';
import { attributesOf, memoOf } from './attributes.js';
import { childId, type DatasetInput } from './carry.js';
import { dataset } from './dataset.js';
import * as messages from './messages.js';
import type { Run } from './run.js';

/** Starts a child per dataset of the plan, readers first, so that whoever signals finds its reader there. */
export async function startDatasets(run: Run): Promise<void> {
  const { opened } = run;
  if (!opened) throw new Error('no plan is open');
  const starts = [...opened.datasets].reverse().map(async (planned) => {
    const input = inputOf(run, opened, planned);
    const values = { dataset: planned.name, state: 'running', ...(planned.owner === undefined ? {} : { owner: planned.owner }) };
    const handle = await startChild(dataset, {
      workflowId: childId(run.ref, planned.name),
      args: [input],
      staticSummary: `${planned.name}: ${planned.total} partitions`,
      staticDetails: planned.what,
      workflowTaskTimeout: '1 minute',
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      parentClosePolicy: ParentClosePolicy.TERMINATE,
      ...(opened.searchAttributes ? { typedSearchAttributes: attributesOf(run.ref, values) } : { memo: memoOf(run.ref, values) }),
    });
    run.children.set(planned.name, ended(run, planned.name, handle.result()));
  });
  await Promise.all(starts);
}

function inputOf(run: Run, opened: NonNullable<Run['opened']>, planned: NonNullable<Run['opened']>['datasets'][number]): DatasetInput {
  return {
    ref: run.ref, plan: opened.plan, dataset: planned.name, warehouse: opened.warehouse, epoch: opened.epoch,
    order: run.request.order, readers: planned.readers, needs: planned.needs, maxParallel: run.maxParallel,
    reports: reportBudget(opened.datasets.length), paused: run.paused, searchAttributes: opened.searchAttributes,
  };
}

/** A child that ends has nothing left to do. One that fails was fenced, terminated or met a bug of ours: the backfill ends with it. */
async function ended(run: Run, name: string, result: Promise<unknown>): Promise<void> {
  try {
    await result;
  } catch (error) {
    const last = run.datasets.get(name);
    if (last && !isCancellation(error)) {
      const message = (error instanceof Error ? (error.cause instanceof Error ? error.cause.message : error.message) : String(error)).slice(0, 500);
      run.broken ??= `${name}: ${message}`;
      const open = last.total - last.done - last.skipped;
      run.datasets.set(name, {
        ...last, state: 'failed', failed: open, blocked: 0, failureCount: open,
        failures: [{ start: '-infinity', end: 'infinity', code: 'dataset_workflow_failed', message, attempts: 1 }],
      });
    }
  }
  run.told.set(name, { serial: Infinity, settled: true });
}

/** Sends an order to the datasets that still run, or to one of them. */
export async function toDatasets(run: Run, wanted: DatasetOrder, only?: string): Promise<void> {
  const names = run.names.filter((name) => (only === undefined || name === only) && run.told.get(name)?.serial !== Infinity);
  await Promise.all(
    names.map(async (name) => {
      if (wanted.kind === 'retry' || wanted.kind === 'skip') run.told.set(name, { serial: run.told.get(name)?.serial ?? -1, settled: false });
      try {
        await getExternalWorkflowHandle(childId(run.ref, name)).signal(messages.order, wanted);
      } catch (error) {
        // It ended in the meantime: then there is nothing to tell it.
        if (isCancellation(error)) throw error;
      }
    }),
  );
}
