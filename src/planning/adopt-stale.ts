import { RequestError } from '../contracts/errors.js';
import type { LedgerChange, TakenCause } from '../contracts/ledger.js';
import { readInterval } from '../core/graph/mapping.js';
import { formatInterval, type Interval } from '../core/interval/interval.js';
import { partitionsOf, runEnd } from '../core/interval/runs.js';
import { intersect, normalize } from '../core/interval/set.js';
import { ceilTo, floorTo } from '../core/time/axis.js';
import type { LedgerRun } from '../core/plan/types.js';
import { plural } from '../core/words.js';
import { typedIn } from '../contracts/typed.js';
import { systemError } from '../postgres/error.js';
import { quoteTable } from '../postgres/quote.js';
import type { Dataset } from '../project/project.js';
import { record } from '../store/control.js';
import { keepVersion } from '../store/dataset-versions.js';
import { ledgerRuns, sqlInstant } from '../store/ledger.js';
import { lockScope } from '../store/reservations.js';
import { keepShape, shapeName, shapesInUse } from '../store/shapes.js';
import type { Db } from '../store/store.js';
import { prepareAdoption, type Adopting } from './adopting.js';
import { escaped } from './adopt-judge.js';
import type { PlanningDeps } from './deps.js';
import { rangeWords, requireFree, scopeOfProject, type Asker } from './ledger-change.js';
import { ledgerNode } from './places.js';
import { lackingShapes, shapeOf } from './shapes.js';
import { requireSameStructure } from './stale-judge.js';
import { publishedIn, take, type Taken } from './stale-rows.js';

/**
 * Takes partitions that are stale as built by today's definition, from the inputs of now: forward-only. Their rows are not touched, and
 * neither is when their content last changed, so their readers stay as they are; a later change of an input makes them stale as ever.
 *
 * Refused where today's definition would have made another structure: another grain, time or key, or a column that is not filled.
 * @throws RequestError reason_missing, grain_changed, time_changed, key_changed, version_unknown, columns_not_filled; conflict, where a backfill holds part of it
 */
export async function adoptStale(
  deps: PlanningDeps,
  dataset: Dataset,
  asked: Interval,
  asker: Asker,
): Promise<LedgerChange> {
  const { project, db } = deps;
  requireReason(dataset.name, asker.reason);
  const ready = await prepareAdoption(deps, dataset, asked);
  const { view, described, span } = ready;
  const shape = shapeOf(dataset, described);
  if (!shape) throw new Error(`${dataset.name} has no table`);
  const shapes = (await shapesInUse(db, view.keyOf, [dataset.name])).get(dataset.name) ?? [];
  const lacking = await lackingShapes({ ...deps, project: view.project }, new Map([[dataset.name, shapes]]));
  const node = { ...ledgerNode(view.project, dataset), lacking: lacking.get(dataset.name) ?? [] };
  const scope = scopeOfProject(project);
  const adopt = async (tx: Db): Promise<LedgerChange> => {
    await lockScope(tx, scope);
    await requireFree(tx, scope, { dataset: dataset.name, ...span });
    await tx.raw(`SET LOCAL lock_timeout = '5s'`);
    const key = view.keyOf(dataset.name);
    const runs = await ledgerRuns(tx, view.keyOf, node);
    const found = sorted(ready, runs, await publishedIn(tx, key, span), dataset);
    const { taken, causes } = found;
    const reshaped = taken.filter((one) => one.shape !== null && one.shape !== shapeName(shape));
    // Nobody writes while it is looked at.
    if (reshaped.length > 0) await tx.raw(`LOCK TABLE ${escaped(quoteTable(dataset.table))} IN SHARE MODE`);
    await requireSameStructure(tx, { scope, dataset, described, shape, shapes }, taken);
    await keepShape(tx, scope, dataset.name, shape);
    await keepVersion(tx, scope, dataset);
    const now = { version: dataset.version, shape: shapeName(shape), inputs: ready.inputs };
    await take(tx, key, taken, now, { dataset, described, reshaped });
    const rows = taken.reduce((sum, one) => sum + one.rows, 0);
    const change = { dataset: dataset.name, partitions: taken.length, rows, causes };
    const versions = [...new Set(taken.map(({ version }) => version))];
    const backfills = [...new Set(taken.map(({ backfillId }) => backfillId))].slice(0, 100);
    await record(tx, scope, {
      ...asker,
      action: 'adopt',
      detail: {
        ...change,
        stale: true,
        from: sqlInstant(span.start),
        to: sqlInstant(span.end),
        version: dataset.version,
        versions,
        backfills,
      },
    });
    return { ...change, notes: await notesOf(tx, ready, dataset, found, reshaped.length) };
  };
  return db.transaction(adopt).catch((error: unknown) => {
    throw systemError(error, project.warehouse);
  });
}

/** @throws RequestError reason_missing */
export function requireReason(dataset: string, reason: string | undefined): void {
  if (reason !== undefined && reason.trim() !== '') return;
  throw new RequestError(
    'reason_missing',
    `--stale takes ${dataset} as it is, and the journal needs the reason`,
    'say why its content needs no rebuild: --reason "rounded otherwise from today on"',
  );
}

/** The partitions of a range by what becomes of them. */
interface Sorted {
  readonly taken: readonly Taken[];
  readonly causes: Readonly<Partial<Record<TakenCause, number>>>;
  readonly missing: readonly Interval[];
  readonly early: readonly Interval[];
  readonly fresh: number;
}

/** @throws RequestError grain_changed */
function sorted(
  { partitions, span }: Adopting,
  runs: readonly LedgerRun[],
  published: readonly Taken[],
  { name, file }: Dataset,
): Sorted {
  const known = new Map(published.map((one) => [one.start, one]));
  const ends = new Map(partitions.map(({ start, end }) => [start, end]));
  const odd = published.find(({ start, end }) => ends.get(start) !== end);
  if (odd)
    throw new RequestError(
      'grain_changed',
      `${file}: the ledger has ${name} ${formatInterval(odd)}, which is no partition of its grain and zone of today`,
      `build what is there anew: sluice backfill ${name}${rangeWords(span)}`,
    );
  const verdicts = new Map<number, LedgerRun['stale']>();
  for (const run of runs) {
    const inRange = run.start === -Infinity || (run.start < span.end && runEnd(run) > span.start);
    if (inRange) for (const { start } of partitionsOf([run])) verdicts.set(start, run.stale);
  }
  const taken: Taken[] = [];
  const causes: Partial<Record<TakenCause, number>> = {};
  const [missing, early]: [Interval[], Interval[]] = [[], []];
  let fresh = 0;
  for (const partition of partitions) {
    const row = known.get(partition.start);
    const verdict = row && verdicts.get(partition.start);
    if (row === undefined || verdict === undefined) missing.push(partition);
    else if (verdict === 'early') early.push(partition);
    else if (verdict === null) fresh++;
    else {
      taken.push(row);
      causes[verdict] = (causes[verdict] ?? 0) + 1;
    }
  }
  return { taken, causes, missing, early, fresh };
}

/** What was left out, what was looked at, and what may still change it. */
async function notesOf(
  tx: Db,
  ready: Adopting,
  dataset: Dataset,
  found: Sorted,
  reshaped: number,
): Promise<readonly string[]> {
  return [
    ...ready.notes,
    ...leftOut(dataset, ready.view.project.environment, found),
    ...(found.taken.length === 0
      ? []
      : [
          'compared with today’s definition: grain, time, key, columns. Not looked at: the rows, which stay as they are',
        ]),
    ...(reshaped === 0
      ? []
      : [`${plural(reshaped, 'partition')} built with other columns than today’s: what reads them is stale now`]),
    ...(await staleInputs(tx, ready, dataset, found.taken)),
  ];
}

function leftOut({ name }: Dataset, environment: string, { missing, early, fresh }: Sorted): string[] {
  const build = (partitions: readonly Interval[]): string =>
    `\`${typedIn(environment, `sluice backfill ${name}${rangeWords(hullOf(partitions))}`)}\` builds what is missing there`;
  return [
    ...(missing.length === 0
      ? []
      : [`${plural(missing.length, 'partition')} not published, and left out: ${build(missing)}`]),
    ...(early.length === 0
      ? []
      : [`${plural(early.length, 'partition')} published before the end of its time, and left out: ${build(early)}`]),
    ...(fresh === 0 ? [] : [`${plural(fresh, 'partition')} up to date already`]),
  ];
}

function hullOf(partitions: readonly Interval[]): Interval {
  return { start: partitions[0]?.start ?? -Infinity, end: partitions.at(-1)?.end ?? Infinity };
}

/** An input that is stale itself will be built, and may then have other rows than those that this was said to be right for. */
async function staleInputs(
  tx: Db,
  { view, inputs }: Adopting,
  dataset: Dataset,
  taken: readonly Interval[],
): Promise<string[]> {
  if (taken.length === 0) return [];
  const notes: string[] = [];
  for (const need of dataset.needs.filter(({ stale, dataset: name }) => stale !== 'ignore' && name in inputs)) {
    const input = view.project.datasets.get(need.dataset);
    if (!input || view.deferred.has(need.dataset)) continue;
    const read = readInterval(need, dataset.axis, hullOf(taken));
    const whole = { start: floorTo(input.axis, read.start), end: ceilTo(input.axis, read.end) };
    const runs = (await ledgerRuns(tx, view.keyOf, ledgerNode(view.project, input))).filter(
      ({ stale }) => stale !== null,
    );
    const ends = runs.map((run) => ({ start: run.start, end: run.start === -Infinity ? Infinity : runEnd(run) }));
    const stale = intersect(normalize(ends), [whole]);
    if (stale.length === 0) continue;
    const command = typedIn(
      view.project.environment,
      `sluice backfill ${input.name}${rangeWords(hullOf(stale))} --rebuild stale`,
    );
    notes.push(
      `it reads ${input.name}, which is stale there itself: if \`${command}\` changes its rows, this is stale again`,
    );
  }
  return notes;
}
