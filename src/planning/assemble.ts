import { createHash } from 'node:crypto';
import { LEFT_STALE, type StoredDataset, type StoredPlan } from '../contracts/plan.js';
import type { BackfillRequest } from '../contracts/request.js';
import type { PlanWarning } from '../contracts/status.js';
import { formatInstant, type Instant, type Interval } from '../core/interval/interval.js';
import type { PlannedDataset, PlanResult } from '../core/plan/types.js';
import { plural } from '../core/words.js';
import type { Project } from '../project/project.js';
import type { KnownShape } from '../store/shapes.js';
import type { deferredOf } from './defer.js';
import type { Described } from './described.js';
import { runToJson } from './json.js';
import { lastMeans } from './last.js';
import { tablesRead } from './places.js';
import { shapeParts, unusedColumns, type ShapesOf } from './shapes.js';
import { backfillCommand } from './words.js';

interface Answer extends ReturnType<typeof deferredOf> {
  readonly result: PlanResult;
  /** By the warehouse's clock. */
  readonly now: Instant;
  readonly described: ReadonlyMap<string, Described>;
  readonly shapes: ShapesOf;
  /** Of tables that are other ones than those of which the ledger speaks. */
  readonly moves: readonly PlanWarning[];
}

/** The plan as it is kept and shown, from what planning found. */
export function assemble(
  project: Project,
  request: BackfillRequest,
  { result, now, described, shapes, moves, deferred, otherDefinitions }: Answer,
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
  const { from, to, last, on, only, select: selectors, exclude, set } = request;
  return {
    ...content,
    definition: project.hash,
    fingerprint: createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 16),
    request: {
      from,
      to,
      last,
      on,
      only,
      select: selectors,
      exclude,
      set,
      rebuild: request.rebuild === 'missing' ? undefined : request.rebuild,
      overwrite: request.overwrite ? true : undefined,
    },
    order: request.order,
    leavesStale: result.leavesStale.map(({ dataset, intervals, partitions }) => ({
      dataset,
      partitions,
      intervals: intervals.map(({ start, end }) => ({ start: formatInstant(start), end: formatInstant(end) })),
      command: backfillCommand([dataset], {
        ...rangeOf(intervals),
        environment: project.environment,
        rebuild: 'stale',
      }),
    })),
    warnings: [
      ...lastMeans(last, result.datasets, project.datasets, now),
      ...moves,
      ...result.notices,
      ...(only === true ? result.leavesStale.filter(({ outside }) => outside > 0).map(leftStale) : []),
      ...otherDefinitions,
      ...[...described].flatMap(([name, one]) => warningsOf(project, name, one, shapes)),
    ],
  };
}

/** What a bound leaves as it is; said with the plan's warnings, so that whoever looks at the end of it reads it too. */
function leftStale({ dataset, outside: partitions }: PlanResult['leavesStale'][number]): PlanWarning {
  return {
    dataset,
    code: LEFT_STALE,
    message: `${plural(partitions, 'partition')} outside of the range ${partitions === 1 ? 'reads' : 'read'} what is built, directly or not: left as ${partitions === 1 ? 'it is' : 'they are'}, and stale where that has other content now (\`sluice plan --rebuild stale\`)`,
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
    ...besideOf(planned),
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

/** Only where there is something: a plan that has nothing of it keeps its fingerprint. */
function besideOf({ outside, notAsked }: PlannedDataset): Pick<StoredDataset, 'outside' | 'notAsked'> {
  return {
    ...(outside && outside.readers + outside.inputs > 0 ? { outside } : {}),
    ...(notAsked.length > 0 ? { notAsked: [...notAsked] } : {}),
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
