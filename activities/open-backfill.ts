import { activityInfo } from '@temporalio/activity';
import { typedIn } from '../src/contracts/typed.js';
import { RequestError, SystemError } from '../src/contracts/errors.js';
import { bytesOf, fewWarnings } from '../src/contracts/parts.js';
import type { StoredPlan } from '../src/contracts/plan.js';
import type { BackfillRequest } from '../src/contracts/request.js';
import type { Opened, PlannedRow } from '../src/contracts/messages.js';
import { isAtRisk } from '../src/core/graph/freshness.js';
import { formatInterval } from '../src/core/interval/interval.js';
import { ordinalsCovered, runEnd } from '../src/core/interval/runs.js';
import { normalize } from '../src/core/interval/set.js';
import { countSpans } from '../src/core/slice/spans.js';
import { runsOfJson } from '../src/planning/json.js';
import { lockWaited } from '../src/planning/lock.js';
import { planRequest, type Exclude } from '../src/planning/plan.js';
import { requireDeployed } from '../src/planning/protected.js';
import { deployTargets, movingOf } from '../src/planning/targets.js';
import type { Project } from '../src/project/project.js';
import { backfillState, claimBackfill, findBackfill } from '../src/store/backfills.js';
import { clockOf } from '../src/store/clock.js';
import { record, setControl } from '../src/store/control.js';
import { partitionCosts } from '../src/store/profiles.js';
import { asPlanned, savePlan } from '../src/store/plans.js';
import {
  findConflicts,
  findReserved,
  lockScope,
  madeSince,
  release,
  reserve,
  type Conflict,
  type Held,
} from '../src/store/reservations.js';
import { dropAbandoned } from '../src/store/staging.js';
import { rowsOf, type Db } from '../src/store/store.js';
import type { ExecutionRef } from './control.js';
import type { ControlDeps } from './deps.js';
import { asked, definitionOf, excluded, failedOf, isGone, type OpenOrder } from './open-order.js';
import { fitting, rowsOfPlan } from './planned-rows.js';

/** Plans and reserves under one lock per scope: two backfills cannot both find a partition free. */
export async function openBackfill(deps: ControlDeps, order: OpenOrder): Promise<Opened> {
  const { ref, again } = order;
  await claim(deps, order);
  const base = await deps.project(await definitionOf(deps, order));
  const current = await deps.project(undefined);
  // What this worker runs is deployed, also while another one deploys its own.
  if (!again && current.protected && base.hash !== current.hash) await requireDeployed(deps.db, base);
  const request = await asPlanned(deps.db, order.request);
  const project = await deps.flagged(base, request.set);
  const actor = request.requestedBy ?? (await deps.startedBy(ref.workflowId)) ?? 'temporal';
  const answer = await inTurn(() =>
    deps.db.transaction(async (tx) => {
      await lockScope(tx, ref);
      // On this very connection: whoever waits for the lock with one of the pool's few must not need another one once it has it.
      const planning = { project, db: tx, pool: deps.pool };
      const exclude = await excluded(deps, tx, order, project);
      const plan = await planRequest(planning, request, exclude, {
        asked: await asked(tx, ref, project, request),
        failed: await failedOf(tx, order),
      });
      if (request.plan !== undefined && !again && plan.fingerprint !== request.plan) {
        throw new RequestError(
          'plan_changed',
          `plan ${request.plan} is no longer true: it would now be ${plan.fingerprint}`,
          'run `sluice plan` again and look at what changed',
        );
      }
      const held = heldBy(plan);
      const conflict = await standing(deps, tx, ref, [...held, ...(await movingOf(tx, project, plan))]);
      if (conflict) return refuse(request, conflict);
      const before = await requireOpen(tx, ref);
      // An attempt that slept while a later one opened the backfill: with the epoch that it would make, all that works by now would be fenced. Where the
      // clocks of Temporal and the warehouse differ, the next attempt is later by both.
      if (await madeSince(tx, ref.workflowId, activityInfo().currentAttemptScheduledTimestampMs))
        throw new SystemError('overtaken', `a later attempt has opened ${ref.workflowId}`);
      const epoch = await reserve(tx, ref, ref.workflowId, ref.backfillId, held);
      await savePlan(tx, plan);
      const by = {
        backfillId: ref.backfillId,
        actor,
        ...(request.reason === undefined ? {} : { reason: request.reason }),
      };
      await deployTargets(tx, project, plan, { ...by, workflowId: ref.workflowId });
      await setControl(tx, ref.workflowId, {
        priority: request.priority,
        ...(request.maxParallel === undefined ? {} : { max_parallel: request.maxParallel }),
      });
      await backfillState(tx, ref.workflowId, 'running', plan.fingerprint);
      // An attempt whose answer was lost had planned it already: it started once.
      if (again || !before.planned)
        await record(tx, ref, {
          ...by,
          action: again ? 'replan' : 'start',
          detail: { plan: plan.fingerprint, ticket: request.ticket },
        });
      const costs = await partitionCosts(tx, ref);
      const late = await atRisk(tx, ref, project, plan);
      return opened(deps, project, plan, epoch, costs, late, order.upstream && exclude);
    }),
  ).catch(async (error: unknown): Promise<Opened> => {
    // Rolled back by now: whoever waited for this project's lock goes on, and so do the readers of the table.
    const tables = [...project.datasets.values()].map(({ table }) => table);
    const lock = await lockWaited(deps.db, tables, error);
    if (lock === null) throw error;
    return { kind: 'conflict', lock: true, ...lock };
  });
  await dropAbandoned(deps, ref);
  return answer;
}

let last: Promise<unknown> = Promise.resolve();

/** One at a time in this process: others would only wait for the lock, each with a connection that the rest of the work needs. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const mine = last.then(work);
  last = mine.catch(() => undefined);
  return mine;
}

/** A backfill that was cancelled while this attempt planned must not be left with a reservation. */
async function requireOpen(tx: Db, { workflowId, backfillId }: ExecutionRef): Promise<{ planned: boolean }> {
  const [row] = await rowsOf<{ ended: boolean; planned: boolean }>(
    tx,
    'SELECT status IS NOT NULL AS ended, plan IS NOT NULL AS planned FROM sluice.backfills WHERE workflow_id = ? FOR UPDATE',
    [workflowId],
  );
  if (row?.ended === true) throw new RequestError('ended', `backfill ${backfillId} has ended`);
  return { planned: row?.planned === true };
}

async function claim({ db }: ControlDeps, { ref, request, again }: OpenOrder): Promise<void> {
  if (again) return;
  if (await claimBackfill(db, ref, ref.workflowId, ref.backfillId, request)) return;
  // Our own first attempt may have claimed it; an ended one cannot be ours.
  const row = await findBackfill(db, ref.workflowId);
  if (row?.status) {
    throw new RequestError(
      'id_taken',
      `backfill ${ref.backfillId} exists already (${row.state}): an id is never used twice`,
      'leave out --id, or choose another',
    );
  }
}

/** A partition that is built a second time is one partition. */
function withAgain(row: PlannedRow, { datasets }: StoredPlan, done: Exclude): PlannedRow {
  const [dataset, before] = [datasets.find(({ name }) => name === row.name), done.get(row.name)];
  if (!dataset || !before) return row;
  return { ...row, again: countSpans(ordinalsCovered(runsOfJson(dataset.runs), normalize(before))) };
}

/** A conflict that stands: holders whose backfill is over are taken over here. */
async function standing(
  deps: ControlDeps,
  tx: Db,
  ref: ExecutionRef,
  held: readonly Held[],
): Promise<Conflict | undefined> {
  const holders = await findReserved(tx, ref, ref.workflowId, held);
  for (const holder of new Map(holders.map((one) => [one.workflowId, one])).values()) {
    if (!(await isGone(deps, holder))) continue;
    deps.log.warn({ backfill: holder.backfillId }, 'takes over what an ended backfill held');
    await release(tx, holder.workflowId);
  }
  return holders.length === 0 ? undefined : (await findConflicts(tx, ref, ref.workflowId, held))[0];
}

function refuse(request: BackfillRequest, conflict: Conflict): Opened {
  const what = `${conflict.dataset} ${formatInterval(conflict)}`;
  if (request.onConflict === 'wait') return { kind: 'conflict', holder: conflict.backfillId, what };
  throw new RequestError(
    'conflict',
    `backfill ${conflict.backfillId} holds ${what}`,
    `wait for it with --on-conflict wait, leave its part out with --on-conflict skip, or end it: ${typedIn(request.environment, `sluice cancel ${conflict.backfillId}`)}`,
  );
}

/** Datasets that are late or about to be, and that this plan would bring up to date. */
async function atRisk(
  tx: Db,
  { project: name, environment }: ExecutionRef,
  project: Project,
  plan: StoredPlan,
): Promise<ReadonlySet<string>> {
  const held = plan.datasets.filter((one) => one.runs.length > 0 && project.datasets.get(one.name)?.freshness);
  if (held.length === 0) return new Set();
  const rows = await rowsOf<{ dataset: string; until: number }>(
    tx,
    `SELECT dataset, extract(epoch FROM max(ends_at))::float8 * 1000 AS until FROM sluice.partitions
     WHERE project = ? AND environment = ? AND dataset = ANY (?::text[]) AND ends_at <= published_at GROUP BY 1`,
    [name, environment, held.map((one) => one.name)],
  );
  const now = await clockOf(tx);
  const published = new Map(rows.map(({ dataset, until }) => [dataset, until]));
  const late = held.filter((one) => {
    const [freshness, until] = [project.datasets.get(one.name)?.freshness, published.get(one.name)];
    if (freshness === undefined || until === undefined) return false;
    const planned = Math.max(...runsOfJson(one.runs).map(runEnd));
    return isAtRisk({ freshness, zone: one.zone, until, planned }, now);
  });
  return new Set(late.map((one) => one.name));
}

function heldBy(plan: StoredPlan): Held[] {
  return plan.datasets.flatMap(({ name, runs }) =>
    runsOfJson(runs).map((run) => ({ dataset: name, start: run.start, end: runEnd(run) })),
  );
}

/** Of an answer: at most 100 KB with all that it holds, of which names of datasets that are late may be 66 KB. */
const OPENED_BYTES = 90_000;
const WARNINGS_BYTES = 16_000;

function opened(
  deps: ControlDeps,
  project: Project,
  plan: StoredPlan,
  epoch: number,
  costs: ReadonlyMap<string, number>,
  late: ReadonlySet<string>,
  done: Exclude = new Map(),
): Opened {
  const rows = rowsOfPlan(plan, costs, late).map((row) => withAgain(row, plan, done));
  const beside = { warnings: fewWarnings(plan.warnings, WARNINGS_BYTES), late: [...late] };
  return {
    kind: 'open',
    epoch,
    plan: plan.fingerprint,
    warehouse: project.warehouse,
    searchAttributes: deps.searchAttributes(),
    ...beside,
    count: rows.length,
    datasets: fitting(rows, OPENED_BYTES - bytesOf(beside)),
  };
}
