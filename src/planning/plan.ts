import { createHash } from 'node:crypto';
import { RequestError } from '../contracts/errors.js';
import type { StoredDataset, StoredPlan } from '../contracts/plan.js';
import type { BackfillRequest } from '../contracts/request.js';
import type { PlanWarning } from '../contracts/status.js';
import { select } from '../core/graph/select.js';
import { formatInstant, formatInterval, type Instant, type Interval } from '../core/interval/interval.js';
import { countRuns, runEnd } from '../core/interval/runs.js';
import { normalize, subtract } from '../core/interval/set.js';
import { planSteps } from '../core/plan/plan.js';
import type { LedgerRun, PlannedDataset, PlanRange, PlanResult } from '../core/plan/types.js';
import { resolveRange } from '../core/time/range.js';
import type { Dataset, Project } from '../project/project.js';
import { takeTurns } from '../project/turns.js';
import { clockOf } from '../store/clock.js';
import { bindServer } from '../store/server.js';
import { ledgerRuns } from '../store/ledger.js';
import type { PlanningDeps } from './deps.js';
import { buildable, deferredOf, viewOf, withoutTables, type View } from './defer.js';
import { allProblems } from './check.js';
import { describeDatasets } from './describe.js';
import type { Described } from './described.js';
import { requireTables } from './gone.js';
import { requireWithinLimits } from './limits.js';
import { movesOf } from './moved.js';
import { runToJson } from './json.js';
import { ledgerNode, tablesRead } from './places.js';
import { followViews } from './reads.js';
import { readsOf } from './scan.js';
import { lackingShapes, shapeParts, unusedColumns, type ShapesOf } from './shapes.js';
import { shapesInUse, type KnownShape } from '../store/shapes.js';
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

/**
 * Answers a request: what is built, why, and with which statements. Changes nothing.
 * @param asked - what the range of the request was when it was first opened; without it, it is resolved now
 * @param failed - what they read is built again, up the graph
 * @throws RequestError (exit 2) for a request or project that is wrong, SystemError (exit 1) for a database that cannot be reached
 */
export async function planRequest(
  deps: PlanningDeps,
  request: BackfillRequest,
  exclude: Exclude = new Map(),
  { asked, failed }: { readonly asked?: PlanRange; readonly failed?: Exclude | undefined } = {},
): Promise<StoredPlan> {
  await bindServer(deps.db);
  const now = await clockOf(deps.db);
  requireWithinLimits(deps.project, now);
  const followed = await followViews(deps);
  const selected = selectDatasets(followed, request);
  const found = await viewOf(deps.db, followed, selected);
  const { project } = found;
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
      rebuild: request.rebuild,
      now,
      exclude,
      reread: failed && { failed, may: buildable(view) },
      ledger,
    }),
  );
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
  return assemble(project, request, { result, described, shapes, moves, ...deferredOf(view, building, ledger) });
}

/** A request's range by a clock. @throws RequestError for times that cannot be read and ranges that are empty */
export function rangeOfRequest(
  { timezone }: Pick<Project, 'timezone'>,
  request: Pick<BackfillRequest, 'from' | 'to' | 'last' | 'on'>,
  now: Instant,
): PlanRange {
  const resolved = resolveRange(request, { zone: timezone, now });
  if ('range' in resolved) return resolved.range;
  throw new RequestError(resolved.problem.code, resolved.problem.message, resolved.problem.remedy);
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

interface Answer extends ReturnType<typeof deferredOf> {
  readonly result: PlanResult;
  readonly described: ReadonlyMap<string, Described>;
  readonly shapes: ShapesOf;
  /** Of tables that are other ones than those of which the ledger speaks. */
  readonly moves: readonly PlanWarning[];
}

function assemble(
  project: Project,
  request: BackfillRequest,
  { result, described, shapes, moves, deferred, otherDefinitions }: Answer,
): StoredPlan {
  const datasets = result.datasets.map((planned) =>
    storedDataset(project, planned, described.get(planned.name), shapes.get(planned.name) ?? []),
  );
  const content = {
    project: project.name,
    environment: project.environment,
    warehouse: project.warehouse,
    rebuild: request.rebuild,
    overwrite: request.overwrite,
    datasets,
    ...(deferred.length === 0 ? {} : { deferred }),
  };
  const { from, to, last, on, select: selectors, exclude, set } = request;
  return {
    ...content,
    definition: project.hash,
    fingerprint: createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 16),
    request: {
      from,
      to,
      last,
      on,
      select: selectors,
      exclude,
      set,
      rebuild: request.rebuild === 'missing' ? undefined : request.rebuild,
    },
    order: request.order,
    leavesStale: result.leavesStale.map(({ dataset, intervals }) => ({
      dataset,
      intervals: intervals.map(({ start, end }) => ({ start: formatInstant(start), end: formatInstant(end) })),
      command: backfillCommand([dataset], {
        ...rangeOf(intervals),
        environment: project.environment,
        rebuild: 'stale',
      }),
    })),
    warnings: [
      ...moves,
      ...result.notices,
      ...otherDefinitions,
      ...[...described].flatMap(([name, one]) => warningsOf(project, name, one, shapes)),
    ],
  };
}

function warningsOf({ datasets }: Project, name: string, described: Described, shapes: ShapesOf): PlanWarning[] {
  const dataset = datasets.get(name);
  return [...described.warnings, ...(dataset ? unusedColumns(dataset, described, shapes.get(name) ?? []) : [])];
}

function storedDataset(
  project: Project,
  planned: PlannedDataset,
  described: Described | undefined,
  known: readonly KnownShape[],
): StoredDataset {
  const dataset = project.datasets.get(planned.name);
  if (!dataset) throw new Error(`no dataset ${planned.name}`);
  const hull = planned.asked ?? hullOf(planned.intervals);
  return {
    name: dataset.name,
    kind: dataset.body.kind,
    grain: dataset.axis.grain,
    zone: dataset.axis.zone,
    version: dataset.version,
    ...(dataset.owner === undefined ? {} : { owner: dataset.owner }),
    priority: dataset.priority,
    ...(dataset.pool === undefined ? {} : { pool: dataset.pool }),
    needs: dataset.needs.map((need) => need.dataset),
    inputs: tablesRead(project, dataset),
    edges: planned.edges.map(({ upstream, mapping: { lo, hi } }) => ({
      upstream,
      mapping: { lo: [...lo], hi: [...hi] },
    })),
    runs: planned.runs.map(runToJson),
    from: formatInstant(hull.start),
    to: formatInstant(hull.end),
    missing: planned.missing,
    stale: planned.stale,
    upToDate: planned.upToDate,
    intervals: planned.intervals.map(({ start, end, why }) => ({
      start: formatInstant(start),
      end: formatInstant(end),
      why,
    })),
    target: dataset.table,
    key: [...dataset.key],
    publish: dataset.publish,
    moves: dataset.moves,
    ...(described?.enforcesKey === true ? { enforcesKey: true } : {}),
    mask: [...dataset.mask],
    time: described?.time ?? null,
    columns: [...(described?.columns ?? [])],
    ...(described ? shapeParts(dataset, described, known) : {}),
    ddl: [...(described?.ddl ?? [])],
    spec: described?.spec ?? { kind: 'transform', sql: '', usesStart: false, usesEnd: false },
  };
}

/** Without a range the command would build what the dataset lacks elsewhere, too. */
function rangeOf(intervals: readonly Interval[]): { from?: string; to?: string } {
  const { start, end } = hullOf(intervals);
  return Number.isFinite(start) ? { from: formatInstant(start), to: formatInstant(end) } : {};
}

function hullOf(intervals: readonly Interval[]): Interval {
  return { start: intervals[0]?.start ?? -Infinity, end: intervals.at(-1)?.end ?? Infinity };
}
