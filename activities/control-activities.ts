import { ApplicationFailure, Context } from '@temporalio/activity';
import { RequestError, SluiceError } from '../src/contracts/errors.js';
import { CallEnd } from '../src/contracts/call.js';
import { retryable } from '../src/core/retry.js';
import { faultOf } from '../src/postgres/error.js';
import { backfillState, endBackfill, keepDatasets } from '../src/store/backfills.js';
import { record, setControl } from '../src/store/control.js';
import { planRequest } from '../src/planning/plan.js';
import { planDocument } from '../src/planning/words.js';
import { placeOrder } from '../src/store/orders.js';
import { savePlan } from '../src/store/plans.js';
import { release } from '../src/store/reservations.js';
import { dropAbandoned } from '../src/store/staging.js';
import type {
  AdoptActivities,
  ControlActivities,
  ControlOrder,
  GovernActivity,
  OrderActivity,
  PlanActivities,
} from './control.js';
import { adoptOnly } from './adopt-only.js';
import type { ControlDeps } from './deps.js';
import { endCall } from './end-call.js';
import { govern } from './govern.js';
import { keepSkip, spanOf } from './keep-skip.js';
import { loadDataset } from './load-dataset.js';
import { openBackfill } from './open-backfill.js';
import { plannedRows } from './planned-rows.js';
import { tellDatasets } from './tell-datasets.js';

export function createControlActivities(
  deps: ControlDeps,
): ControlActivities & GovernActivity & OrderActivity & PlanActivities & AdoptActivities {
  return {
    adoptOnly: (request) => closed(() => adoptOnly(deps, request)),
    planOnly: (request) =>
      closed(async () => {
        const project = await deps.flagged(await deps.project(request.definition), request.set);
        const plan = await planRequest({ project, db: deps.db, pool: deps.pool }, request);
        await savePlan(deps.db, plan);
        return planDocument(plan);
      }),
    openBackfill: (order) => closed(() => openBackfill(deps, order)),
    plannedRows: (order) => closed(() => plannedRows(deps, order)),
    tellDatasets: (order) => closed(() => tellDatasets(deps, order)),
    loadDataset: (order) => closed(() => loadDataset(deps, order)),
    control: (order) => closed(() => control(deps, order)),
    spanOf: ({ plan, range }) => closed(() => spanOf(deps, plan, range)),
    keepSkip: (order) => closed(() => keepSkip(deps, order)),
    saveProfile: ({ ref: { project, environment }, dataset, profile }) =>
      closed(async () => {
        await deps
          .db('sluice.profiles')
          .insert({ project, environment, dataset, profile: JSON.stringify(profile) })
          .onConflict(['project', 'environment', 'dataset'])
          .merge();
      }),
    cancelExecution: ({ ref }) => closed(() => deps.cancelWorkflow(ref.workflowId)),
    endCall: (end) => closed(() => endCall(deps, CallEnd.parse(end))),
    govern: (order) => closed(() => govern(deps, order)),
    orderWarehouse: ({ site, database, slots, actor, reason }) =>
      closed(() => placeOrder(deps.db, site, { connection: site.connection, database }, { slots, actor, reason })),
    keepDatasets: ({ ref, from, datasets }) => closed(() => keepDatasets(deps.db, ref.workflowId, from, datasets)),
    closeBackfill: ({ ref, status }) =>
      closed(async () => {
        // In this order: a plan that is just being reserved sees that all is over, or has its reservation taken away.
        await endBackfill(deps.db, ref.workflowId, status);
        await release(deps.db, ref.workflowId);
        await dropAbandoned(deps, ref);
        await record(deps.db, ref, {
          backfillId: ref.backfillId,
          actor: 'sluice',
          action: status.state,
          reason: status.reason,
        });
      }),
  };
}

/** Our own errors cross the border with their code and are not retried when the request is at fault. */
async function closed<T>(work: () => Promise<T>): Promise<T> {
  // A worker that is frozen in the middle is found out within seconds, and another one does the work.
  const context = Context.current();
  const beat = setInterval(() => {
    context.heartbeat();
  }, 1_000);
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SluiceError)) throw mayPass(error) ? error : bug(error);
    throw ApplicationFailure.create({
      type: error.code,
      message: error.message.slice(0, 4000),
      nonRetryable: error instanceof RequestError,
      details: [{ remedy: error.remedy ?? null, exitCode: error.exitCode }],
    });
  } finally {
    clearInterval(beat);
  }
}

/** What a person mends without us: a password that was changed in the database before it was in its file, a GRANT that is to come. */
const MENDED_OUTSIDE: ReadonlySet<string> = new Set([
  'login_refused',
  'wrong_password',
  'unknown_database',
  'no_permission',
]);

function mayPass(error: unknown): boolean {
  const fault = faultOf(error, 'warehouse');
  return retryable(fault.class) || MENDED_OUTSIDE.has(fault.code);
}

/** What no retry mends fails at once, with the driver's words: they hold no data, for control touches none. */
function bug(error: unknown): ApplicationFailure {
  const message = error instanceof Error ? error.message : String(error);
  return ApplicationFailure.create({
    type: 'internal',
    message,
    nonRetryable: true,
    ...(error instanceof Error ? { cause: error } : {}),
  });
}

async function control({ db }: ControlDeps, order: ControlOrder): Promise<void> {
  const { workflowId, paused, cancelled, maxParallel, priority } = order;
  await setControl(db, workflowId, {
    ...(paused === undefined ? {} : { paused }),
    ...(cancelled === undefined ? {} : { cancelled }),
    ...(maxParallel === undefined ? {} : { max_parallel: maxParallel }),
    ...(priority === undefined ? {} : { priority }),
  });
  const scope = { project: order.project, environment: order.environment };
  await record(db, scope, {
    backfillId: order.backfillId,
    actor: order.actor,
    action: order.action,
    ...(order.reason === undefined ? {} : { reason: order.reason }),
  });
  if (paused !== undefined) await backfillState(db, workflowId, paused ? 'paused' : 'running');
}
