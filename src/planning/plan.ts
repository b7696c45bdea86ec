import { RequestError } from '../contracts/errors.js';
import type { StoredPlan } from '../contracts/plan.js';
import type { BackfillRequest } from '../contracts/request.js';
import { select } from '../core/graph/select.js';
import { formatInstant, formatInterval, type Instant, type Interval } from '../core/interval/interval.js';
import { countRuns, runEnd } from '../core/interval/runs.js';
import { normalize, subtract } from '../core/interval/set.js';
import { planSteps } from '../core/plan/plan.js';
import type { LedgerRun, PlannedDataset, PlanRange, PlanResult } from '../core/plan/types.js';
import type { Dataset, Project } from '../project/project.js';
import { takeTurns } from '../project/turns.js';
import { clockOf } from '../store/clock.js';
import { bindServer } from '../store/server.js';
import { ledgerRuns } from '../store/ledger.js';
import type { PlanningDeps } from './deps.js';
import { assemble } from './assemble.js';
import { buildable, deferredOf, viewOf, withoutTables, type View } from './defer.js';
import { allProblems } from './check.js';
import { describeDatasets } from './describe.js';
import { requireTables } from './gone.js';
import { requireWithinLimits } from './limits.js';
import { movesOf } from './moved.js';
import { ledgerNode } from './places.js';
import { rangeOfRequest, requireBound } from './range.js';
import { followViews } from './reads.js';
import { readsOf } from './scan.js';
import { lackingShapes, type ShapesOf } from './shapes.js';
import { shapesInUse } from '../store/shapes.js';
import { backfillCommand, selectorFor } from './words.js';

/** Intervals per dataset that a plan leaves alone: held by another backfill, or done already. */
export type Exclude = ReadonlyMap<string, readonly Interval[]>;

/** Carries work out to its end, and lets whatever else this process does go on between its steps. */
async function betweenOthers<Result>(steps: Iterator<undefined, Result, undefined>): Promise<Result> {
  const turn = takeTurns();
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    await turn();
  }
}

export interface PlanOptions {
  /** What the range of the request was when it was first opened; without it, it is resolved now. */
  readonly asked?: PlanRange;
  /** What they read is built again, up the graph. */
  readonly failed?: Exclude | undefined;
}

/** What is built, before anything is asked of the databases about how. */
export interface Draft {
  readonly view: View;
  readonly selected: ReadonlySet<string>;
  readonly ledger: ReadonlyMap<string, readonly LedgerRun[]>;
  readonly shapes: ShapesOf;
  readonly result: PlanResult;
  /** By the warehouse's clock. */
  readonly now: Instant;
}

/** @throws RequestError for a selection or range that is wrong */
export async function draftPlan(
  deps: PlanningDeps,
  request: BackfillRequest,
  exclude: Exclude = new Map(),
  { asked, failed }: PlanOptions = {},
): Promise<Draft> {
  await bindServer(deps.db);
  const now = await clockOf(deps.db);
  requireWithinLimits(deps.project, now);
  const followed = await followViews(deps);
  const selected = selectDatasets(followed, request);
  const found = await viewOf(deps.db, followed, selected);
  const { project } = found;
  requireBound(request);
  const range = asked ?? rangeOfRequest(project, request, now);
  const view = withoutTables(found, await requireTables(deps.db, found, selected, range));
  const nodes = [...project.datasets.values()];
  const shapes = await shapesInUse(deps.db, view.keyOf, [...selected]);
  const lacking = await lackingShapes({ ...deps, project }, shapes);
  const ledger = await readLedger(deps.db, view, nodes, lacking);
  const result = await betweenOthers(
    planSteps({
      nodes,
      selected,
      range,
      only: request.only === true,
      rebuild: request.rebuild,
      now,
      exclude,
      reread: failed && { failed, may: buildable(view) },
      ledger,
    }),
  );
  return { view, selected, ledger, shapes, result, now };
}

/**
 * Answers a request: what is built, why, and with which statements. Changes nothing.
 * @throws RequestError (exit 2) for a request or project that is wrong, SystemError (exit 1) for a database that cannot be reached
 */
export async function planRequest(
  deps: PlanningDeps,
  request: BackfillRequest,
  exclude: Exclude = new Map(),
  how: PlanOptions = {},
): Promise<StoredPlan> {
  const { view, selected, ledger, shapes, result, now } = await draftPlan(deps, request, exclude, how);
  const { project } = view;
  refuse(view, request, result);
  const building = result.datasets.filter(({ runs }) => countRuns(runs) > 0);
  const windows = new Map(
    building.flatMap(({ name, window }) => (window === undefined ? [] : [[name, window] as const])),
  );
  const intervals = new Map(building.map((planned) => [planned.name, normalize(planned.intervals)]));
  const reads = new Map(building.map(({ name, runs }) => [name, readsOf(runs)]));
  const unknown = new Map(
    [...intervals].map(([name, planned]) => [name, subtract(planned, normalize((ledger.get(name) ?? []).map(endsOf)))]),
  );
  const options = { overwrite: request.overwrite, windows, intervals, reads, shapes, unknown };
  const every = [{ ...deps, project }, inOrder(project, building), options] as const;
  const described = await describeDatasets(...every).catch(async (error: unknown) => {
    throw await allProblems(...every, error);
  });
  const moves = await movesOf(deps.db, view, selected);
  return assemble(project, request, { result, now, described, shapes, moves, ...deferredOf(view, building, ledger) });
}

function endsOf(run: LedgerRun): Interval {
  return { start: run.start, end: run.start === -Infinity ? Infinity : runEnd(run) };
}

/** Datasets whose ledger is read at once. */
const LEDGER_LANES = 3;

function selectDatasets(project: Project, request: BackfillRequest): ReadonlySet<string> {
  const found = select(project.datasets, request.select ?? [], request.exclude ?? []);
  if ('problem' in found) throw new RequestError(found.problem.code, found.problem.message, found.problem.remedy);
  return found.selected;
}

async function readLedger(
  db: PlanningDeps['db'],
  { project, keyOf }: View,
  nodes: readonly Dataset[],
  lacking: ReadonlyMap<string, readonly string[]>,
): Promise<Map<string, LedgerRun[]>> {
  const runs = new Map<string, LedgerRun[]>();
  const left = [...nodes];
  // A backfill plans on one connection, under its lock.
  const lanes = db.isTransaction === true ? 1 : LEDGER_LANES;
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      for (let node = left.pop(); node; node = left.pop())
        runs.set(
          node.name,
          await ledgerRuns(db, keyOf, { ...ledgerNode(project, node), lacking: lacking.get(node.name) ?? [] }),
        );
    }),
  );
  return runs;
}

function inOrder(project: Project, building: readonly PlannedDataset[]): Dataset[] {
  const names = new Set(building.map(({ name }) => name));
  return [...project.datasets.values()].filter(({ name }) => names.has(name));
}

function refuse({ project, deferred }: View, request: BackfillRequest, result: PlanResult): void {
  if (result.empty) {
    const starts = result.datasets.map(
      ({ name }) => `${name} starts ${formatInstant(project.datasets.get(name)?.start ?? 0)}`,
    );
    throw new RequestError(
      'nothing_in_range',
      `the range leaves no selected dataset a complete partition: ${starts.slice(0, 5).join(', ')}`,
      'ask for a range after `start` and before now; `--to` is exclusive',
    );
  }
  const [gap] = result.uncovered;
  if (!gap) return;
  const intervals = gap.intervals.slice(0, 3).map(formatInterval).join(', ');
  throw new RequestError(
    'upstream_not_covered',
    `${gap.reader} reads ${gap.dataset}${deferred.has(gap.dataset) ? ` of ${project.defer}` : ''}, which is not selected and lacks ${intervals}${gap.intervals.length > 3 ? ', …' : ''}`,
    `select it too: ${backfillCommand(selectorFor(request.select, gap.reader), { ...request, environment: project.environment })}`,
  );
}
