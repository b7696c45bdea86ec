import { RequestError } from '../contracts/errors.js';
import type { ColumnSpec } from '../contracts/plan.js';
import { formatInstant, type Interval } from '../core/interval/interval.js';
import { errorFacts, isRefusedStatement, systemError } from '../postgres/error.js';
import type { PgClient } from '../postgres/pool.js';
import { quoteIdent, quoteTable } from '../postgres/quote.js';
import type { CallBody, Dataset } from '../project/project.js';
import { timeColumnOf } from './adopt-judge.js';
import {
  describeGrants,
  describeTarget,
  hasUniqueKey,
  indexSql,
  type TargetState,
} from '../warehouse/postgres/target.js';
import type { PlanningDeps } from './deps.js';
import type { Described, Statement } from './described.js';
import { describeExtract } from './describe-extract.js';
import { requireNoHazard } from './hazards.js';
import type { Reads } from './scan.js';
import { describeTransform } from './describe-transform.js';
import { foreignWarnings } from './foreign.js';
import { grantDdl, targetDdl, viewDdl } from './ddl.js';
import { requireRowTimes, type ShapesOf } from './shapes.js';
import { readsItself } from './own-table.js';
import { scopeOfProject } from './ledger-change.js';
import { requireOwner } from './owner.js';
import { placeOf } from './places.js';
import { registeredTables } from '../store/tables.js';
import { planStorage } from './storage.js';
import { openScratch, standInTable, standInView, type Scratch } from './scratch.js';

export interface DescribeOptions {
  readonly overwrite: boolean;
  /** Interval that a `grain: none` transform reads. */
  readonly windows: ReadonlyMap<string, Interval>;
  /** What is read of an extract; absent where nothing is built. */
  readonly reads: ReadonlyMap<string, Reads>;
  /** What is built of each: its table must have the PostgreSQL partitions for it. */
  readonly intervals: ReadonlyMap<string, readonly Interval[]>;
  /** Shapes of what the ledger has of each. */
  readonly shapes: ShapesOf;
  /** What of that the ledger does not have; absent: nobody asks for rows of others there. */
  readonly unknown?: ReadonlyMap<string, readonly Interval[]>;
}

/**
 * Prepares every statement of `datasets` and looks up every table and column that it will use.
 *
 * A transform may read a table that this very plan makes or alters. So all of it happens in one transaction of the warehouse, in
 * topological order, where temporary tables stand in for those, and which is rolled back: planning changes nothing, and locks nothing
 * that people use or that another planner would wait for.
 */
export async function describeDatasets(
  deps: PlanningDeps,
  datasets: readonly Dataset[],
  options: DescribeOptions,
): Promise<ReadonlyMap<string, Described>> {
  const described = new Map<string, Described>();
  if (datasets.length === 0) return described;
  const { project, pool } = deps;
  await pool(project.warehouse)
    .use(async (client) => {
      await client.query('BEGIN');
      try {
        await client.query(`SET LOCAL lock_timeout = '5s'`);
        const scratch = openScratch(client);
        for (const dataset of datasets) described.set(dataset.name, await describeOne(deps, scratch, dataset, options));
      } finally {
        await client.query('ROLLBACK');
      }
    })
    .catch((error: unknown) => {
      throw systemError(error, project.warehouse);
    });
  return described;
}

/** One of {@link describeDatasets}, in a transaction that its caller rolls back. */
export async function describeOne(
  deps: PlanningDeps,
  scratch: Scratch,
  dataset: Dataset,
  options: DescribeOptions,
): Promise<Described> {
  const { body } = dataset;
  if (body.kind === 'call') return describeCall(body, options.windows.get(dataset.name));
  const found: Statement & { readonly tried?: string } =
    body.kind === 'extract'
      ? await describeExtract(deps, scratch, dataset, body, options.reads.get(dataset.name))
      : await describeTransform(deps, scratch, dataset, body, options.windows.get(dataset.name));
  requireColumns(dataset, found.columns);
  const state = await ownState(deps, dataset, await describeTarget(scratch.client, dataset.table));
  const changes =
    dataset.publish === 'view' && found.spec.kind === 'transform'
      ? await planView(scratch, dataset, { ...found, sql: found.spec.sql, tried: found.tried ?? '' }, state)
      : await planTable(deps, scratch, dataset, found, state, options);
  const grantees = await describeGrants(scratch.client, dataset.table, dataset.grants);
  const ddl = [...changes.ddl, ...grantDdl(dataset, grantees, state.schemaExists)];
  if (ddl.length > 0 && !state.mayChange) {
    throw new RequestError(
      'no_permission',
      `${dataset.file}: this role may not ${state.exists ? 'alter' : 'make'} ${quoteTable(dataset.table)}`,
      'plan and work with the role that owns the schema: docs/operating.md',
    );
  }
  const { spec, columns, time } = found;
  const warnings = [...found.warnings, ...changes.warnings];
  return { spec, columns, time, warnings, ddl, enforcesKey: changes.enforcesKey, table: state };
}

/**
 * Refuses a target that is somebody else's. One whose owner is gone, like the table itself, is nobody's; one of its own that was renamed by
 * hand is still its own.
 */
async function ownState({ project, db }: PlanningDeps, dataset: Dataset, state: TargetState): Promise<TargetState> {
  const { owner } = state;
  const isOurs =
    owner?.project === project.name && owner.environment === project.environment && owner.dataset === dataset.name;
  if (isOurs || (owner === null && !state.exists)) return state;
  if (owner === null) {
    const scope = scopeOfProject(project);
    const known = await registeredTables(db, scope, dataset.name);
    return placeOf(dataset, known).followed
      ? { ...state, owner: { ...scope, dataset: dataset.name, made: false }, empty: true }
      : state;
  }
  const lapsed = await requireOwner(db, project, dataset, state.exists);
  return lapsed ? { ...state, owner: null } : state;
}

type Changes = Pick<Described, 'ddl' | 'enforcesKey' | 'warnings'>;

async function planTable(
  { project }: PlanningDeps,
  scratch: Scratch,
  dataset: Dataset,
  found: Statement,
  state: TargetState,
  { overwrite, intervals, shapes, unknown }: DescribeOptions,
): Promise<Changes> {
  const { columns } = found;
  const { ddl, warnings } = targetDdl(project, dataset, columns, state, overwrite);
  const wanted = intervals.get(dataset.name) ?? [];
  const storage = await planStorage(scratch.client, dataset, timeColumnOf(dataset, found), state, wanted);
  const reshaped = columns.some(({ name }) => !state.columns.some((column) => column.name === name));
  try {
    if (!state.exists || reshaped) await standInTable(scratch, dataset, columns, state);
  } catch (error) {
    throw tableError(error, dataset);
  }
  if (state.exists) await requireNoHazard(scratch.client, dataset);
  if (state.exists) await requireRowTimes(scratch.client, dataset, state, shapes.get(dataset.name) ?? []);
  if (state.exists && !storage.enforcesKey) await requireUnique(scratch.client, dataset, state);
  const asked = overwrite || !state.exists ? [] : (unknown?.get(dataset.name) ?? []);
  const foreign = await foreignWarnings(scratch.client, project, dataset, timeColumnOf(dataset, found), asked);
  return { ddl: [...ddl, ...storage.ddl], enforcesKey: storage.enforcesKey, warnings: [...warnings, ...foreign] };
}

/** DDL of a view, none where it is what it would be made again. PostgreSQL compares: it prints both from its own trees. */
async function planView(
  scratch: Scratch,
  dataset: Dataset,
  { columns, sql, tried }: { columns: readonly ColumnSpec[]; sql: string; tried: string },
  state: TargetState,
): Promise<Changes> {
  if (readsItself(dataset)) {
    throw new RequestError(
      'not_for_view',
      `${dataset.file}: a view cannot read itself`,
      'use publish: replace, which builds it partition after partition',
    );
  }
  const ddl = viewDdl(dataset, columns, state, sql);
  const same = await standInView(scratch, dataset, tried, state).catch((error: unknown) => {
    throw tableError(error, dataset);
  });
  return { ddl: same ? [] : ddl, enforcesKey: false, warnings: [] };
}

/**
 * A key is kept unique by an index on its very columns, or by sluice. Of a table that sluice did not make it is asked for; in one that
 * it made the index is made, for which the rows that are there must have no key twice.
 */
async function requireUnique(client: PgClient, dataset: Dataset, state: TargetState): Promise<void> {
  const { file, table, key } = dataset;
  if (key.length === 0 || hasUniqueKey(state.indexes, key)) return;
  const [target, names] = [quoteTable(table), key.join(', ')];
  if (state.owner?.made !== true) {
    throw new RequestError(
      'missing_unique_index',
      `${file}: table ${target} has no unique index on key (${names}), which would keep it unique`,
      `run, then plan again:\n${indexSql(table, key, true)};`,
    );
  }
  // A column that is still to be added is NULL throughout, and NULLs are never equal.
  if (!key.every((name) => state.columns.some((column) => column.name === name))) return;
  const list = key.map(quoteIdent);
  const { rowCount } = await client.query(
    `SELECT 1 FROM ${target} WHERE ${list.map((name) => `${name} IS NOT NULL`).join(' AND ')} GROUP BY ${list.join(', ')} HAVING count(*) > 1 LIMIT 1`,
  );
  if (rowCount === 0) return;
  throw new RequestError(
    'key_not_unique',
    `${file}: rows of table ${target}, as it is, share a key (${names})`,
    `correct \`key:\`; or name another table (\`table: ${table.schema}.${table.name}_2\`), which is built beside this one`,
  );
}

/** A call has no statement and no table; whether its worker is there is seen as it begins. */
function describeCall(body: CallBody, window: Interval | undefined): Described {
  const asked =
    window === undefined ? {} : { window: { start: formatInstant(window.start), end: formatInstant(window.end) } };
  return { spec: { ...body, ...asked }, columns: [], time: null, ddl: [], enforcesKey: false, warnings: [] };
}

/** Columns of one name, of a type that no table can hold, a key that cannot be indexed: found by making the table. */
function tableError(error: unknown, { file, table }: Dataset): unknown {
  const { sqlstate, message } = errorFacts(error);
  if (!isRefusedStatement(sqlstate)) return error;
  return new RequestError(
    'table_refused',
    `${file}: table ${quoteTable(table)} cannot be made: ${message}`,
    'name each column once, and cast what a table cannot hold',
    { cause: error },
  );
}

function requireColumns(dataset: Dataset, columns: readonly ColumnSpec[]): void {
  if (columns.length === 0)
    throw new RequestError('no_columns', `${dataset.file}: what it reads has no columns`, 'read a table that has some');
  const names = new Set(columns.map(({ name }) => name));
  const missing = [
    ...(dataset.time === null ? [] : [['time', dataset.time] as const]),
    ...dataset.key.map((name) => ['key', name] as const),
  ].find(([, name]) => !names.has(name));
  if (!missing) return;
  const [role, name] = missing;
  throw new RequestError(
    `missing_${role}_column`,
    `${dataset.file}: ${role} column ${JSON.stringify(name)} is not among the columns: ${[...names].join(', ')}`,
    `name one of them under \`${role}:\`, or select it`,
  );
}
