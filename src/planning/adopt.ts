import { RequestError } from '../contracts/errors.js';
import { upstreamOf } from '../core/graph/order.js';
import type { Interval } from '../core/interval/interval.js';
import { countRuns, partitionsOf } from '../core/interval/runs.js';
import { systemError } from '../postgres/error.js';
import { quoteTable } from '../postgres/quote.js';
import { within } from '../postgres/time.js';
import type { Dataset } from '../project/project.js';
import { clockOf } from '../store/clock.js';
import { record } from '../store/control.js';
import { sqlInstant } from '../store/ledger.js';
import { lockScope } from '../store/reservations.js';
import { rowsOf, type Db } from '../store/store.js';
import { rememberRelation } from '../store/tables.js';
import { digestOf, rowHash } from '../warehouse/postgres/digest.js';
import { adoptablePartitions } from './adoptable.js';
import { escaped, judgeTable, timeColumnOf } from './adopt-judge.js';
import { viewOf } from './defer.js';
import type { PlanningDeps } from './deps.js';
import { describeDatasets } from './describe.js';
import type { Described } from './described.js';
import { requireTables } from './gone.js';
import { requireWithinLimits } from './limits.js';
import { requireAdoptable, scopeOfProject, type Asker, type LedgerChange } from './ledger-change.js';
import { shapeOf } from './shapes.js';
import { tablesRead } from './places.js';
import { followViews } from './reads.js';
import { own } from './targets.js';
import { keepShape, shapeName } from '../store/shapes.js';

/** Stands in the ledger where a backfill's id would. */
const ADOPTED = 'adopt';

/**
 * Takes the rows that a table has into the ledger, partition by partition, as if sluice had published them now, from the current
 * definition. Partitions that the ledger holds already are left alone. Changes no row of the table.
 * @throws RequestError for a table that does not fit, a range without a complete partition, and what a backfill holds
 */
export async function adoptInterval(
  deps: PlanningDeps,
  dataset: Dataset,
  asked: Interval,
  asker: Asker,
): Promise<LedgerChange> {
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
  const described = await describeTable(deps, dataset);
  const inputs = tablesRead(view.project, view.project.datasets.get(dataset.name) ?? dataset);
  const scope = scopeOfProject(project);
  const adopt = async (tx: Db): Promise<LedgerChange> => {
    await lockScope(tx, scope);
    await requireAdoptable(tx, scope, { dataset: dataset.name, start: first.start, end: last.end });
    await tx.raw(`SET LOCAL lock_timeout = '5s'`);
    // Nobody writes while it is looked at: what is judged is what the ledger then says.
    await tx.raw(`LOCK TABLE ${escaped(quoteTable(dataset.table))} IN SHARE MODE`);
    const judged = await judgeTable(tx, dataset, described);
    await own(tx, project, dataset, false, asker);
    await rememberRelation(tx, dataset.table);
    const shape = shapeOf(dataset, described);
    if (shape) await keepShape(tx, scope, dataset.name, shape);
    const kept = { shape: shape ? shapeName(shape) : null, inputs };
    const made = await insertRows(tx, deps, dataset, described, partitions, kept);
    const known = countRuns(runs) - made.partitions;
    const change = { dataset: dataset.name, ...made };
    await record(tx, scope, {
      ...asker,
      action: 'adopt',
      detail: { ...change, from: sqlInstant(first.start), to: sqlInstant(last.end) },
    });
    return {
      ...change,
      notes: [
        ...notes,
        ...(known > 0 ? [`${known} partitions are in the ledger already, and stay as they are`] : []),
        ...judged,
      ],
    };
  };
  return db.transaction(adopt).catch((error: unknown) => {
    throw systemError(error, project.warehouse);
  });
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

/** One statement, one snapshot: counts and digests each partition and writes its ledger row. */
async function insertRows(
  tx: Db,
  { project }: PlanningDeps,
  dataset: Dataset,
  described: Described,
  partitions: readonly Interval[],
  { shape, inputs }: { readonly shape: string | null; readonly inputs: Readonly<Record<string, string>> },
): Promise<{ partitions: number; rows: number }> {
  const time = timeColumnOf(dataset, described);
  const where = time === null ? 'true' : within(time, 'p.s', 'p.e', 'sluice_t');
  const digest = digestOf(rowHash('sluice_t', described.columns));
  const keys = [project.name, project.environment, dataset.name];
  // Ledger rows do not overlap: the last that starts before a partition's end is the only one that can reach into it.
  const [made] = await rowsOf<{ partitions: number; rows: number }>(
    tx,
    `WITH made AS (
       INSERT INTO sluice.partitions (project, environment, dataset, starts_at, ends_at, rows, digest, backfill_id, version, epoch,
         first_xid, changed_xid, xid, snapshot, shape, inputs)
       SELECT ?, ?, ?, p.s, p.e, c.rows, c.digest, ?, ?, (SELECT nextval('sluice.epochs')),
         me.xid, me.xid, me.xid, me.snapshot, ?, ?::jsonb
       FROM (SELECT sluice.current_xid() AS xid, sluice.current_snapshot() AS snapshot) AS me, unnest(?::timestamptz[], ?::timestamptz[]) AS p(s, e)
       CROSS JOIN LATERAL (SELECT count(*) AS rows, ${escaped(digest)} AS digest
         FROM ${escaped(quoteTable(dataset.table))} AS sluice_t WHERE ${escaped(where)}) AS c
       WHERE coalesce((SELECT o.ends_at FROM sluice.partitions o WHERE o.project = ? AND o.environment = ? AND o.dataset = ?
         AND o.starts_at < p.e ORDER BY o.starts_at DESC LIMIT 1), '-infinity') <= p.s
       RETURNING rows
     ) SELECT count(*)::int AS partitions, coalesce(sum(rows), 0)::float8 AS rows FROM made`,
    [
      ...keys,
      ADOPTED,
      dataset.version,
      shape,
      JSON.stringify(inputs),
      partitions.map(({ start }) => sqlInstant(start)),
      partitions.map(({ end }) => sqlInstant(end)),
      ...keys,
    ],
  );
  return made ?? { partitions: 0, rows: 0 };
}
