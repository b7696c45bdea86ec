import { RequestError } from '../contracts/errors.js';
import { upstreamOf } from '../core/graph/order.js';
import type { Instant, Interval } from '../core/interval/interval.js';
import { partitionsOf } from '../core/interval/runs.js';
import { quoteTable } from '../postgres/quote.js';
import type { Dataset } from '../project/project.js';
import { clockOf } from '../store/clock.js';
import { adoptablePartitions } from './adoptable.js';
import { viewOf, type View } from './defer.js';
import type { PlanningDeps } from './deps.js';
import { describeDatasets } from './describe.js';
import type { Described } from './described.js';
import { requireTables } from './gone.js';
import { requireInputs } from './inputs-first.js';
import { requireWithinLimits } from './limits.js';
import { tablesRead } from './places.js';
import { followViews } from './reads.js';

/** All that is known of what is to be adopted before the ledger is locked. */
export interface Adopting {
  readonly now: Instant;
  readonly view: View;
  readonly described: Described;
  /** The tables that its SQL reads, by dataset. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly partitions: readonly Interval[];
  /** From the first partition to the last. */
  readonly span: Interval;
  /** What of the range is left out, in sentences. */
  readonly notes: readonly string[];
}

/**
 * Looks up what a dataset is, and which complete partitions a range has.
 * @param inputsFirst - whether what it reads has to be in the ledger
 * @throws RequestError for a table that does not fit, a range without a complete partition, and inputs that the ledger lacks
 */
export async function prepareAdoption(
  deps: PlanningDeps,
  dataset: Dataset,
  asked: Interval,
  inputsFirst = false,
): Promise<Adopting> {
  const { project, db } = deps;
  if (dataset.body.kind === 'call')
    throw new RequestError(
      'call_has_no_table',
      `${dataset.file}: a call has no table to adopt`,
      `call it: sluice backfill ${dataset.name}`,
    );
  const now = await clockOf(db);
  requireWithinLimits(project, now);
  const { runs, notes } = adoptablePartitions(dataset, asked, now);
  const partitions = [...partitionsOf(runs)];
  const [first, last] = [partitions[0], partitions.at(-1)];
  if (!first || !last) {
    throw new RequestError(
      'nothing_in_range',
      `the range leaves ${dataset.name} no complete partition${notes.map((note) => `: ${note}`).join('')}`,
      'ask for a range after its start and before now; --to is exclusive',
    );
  }
  const view = await viewOf(db, await followViews(deps), new Set([dataset.name]));
  await requireTables(db, view, new Set([dataset.name]));
  const span = { start: first.start, end: last.end };
  if (inputsFirst) await requireInputs(db, { view, now, span }, dataset);
  const described = await describeTable(deps, dataset);
  const inputs = tablesRead(view.project, view.project.datasets.get(dataset.name) ?? dataset);
  return { now, view, described, inputs, partitions, notes, span };
}

/** The dataset as planning sees it; refuses a table that is missing, or whose columns are not what would be written. */
async function describeTable(deps: PlanningDeps, dataset: Dataset): Promise<Described> {
  const { datasets } = deps.project;
  if (dataset.publish === 'view') {
    throw new RequestError(
      'not_a_table',
      `${dataset.file}: a view has no rows of its own to adopt`,
      `build it: sluice backfill ${dataset.name}`,
    );
  }
  const upstream = upstreamOf([dataset.name], (name) => (datasets.get(name)?.needs ?? []).map((need) => need.dataset));
  const described = await describeDatasets(
    deps,
    [...datasets.values()].filter(({ name }) => upstream.has(name) || name === dataset.name),
    { overwrite: true, windows: new Map(), intervals: new Map(), reads: new Map(), shapes: new Map() },
  );
  const found = described.get(dataset.name);
  if (!found) throw new Error(`${dataset.name} was not described`);
  const target = quoteTable(dataset.table);
  if (found.ddl.some((statement) => statement.startsWith('CREATE TABLE'))) {
    throw new RequestError(
      'missing_table',
      `${dataset.file}: there is no table ${target} to adopt`,
      `build it: sluice backfill ${dataset.name}, or name another with table:`,
    );
  }
  if (found.ddl.some((statement) => statement.startsWith('ALTER TABLE'))) {
    throw new RequestError(
      'schema_drift',
      `${dataset.file}: table ${target} lacks columns of the dataset`,
      `run, fill them, then adopt again:\n${found.ddl.map((statement) => `${statement};`).join('\n')}`,
    );
  }
  return found;
}
