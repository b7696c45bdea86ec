import { typedIn } from '../contracts/typed.js';
import { RequestError } from '../contracts/errors.js';
import type { ColumnSpec } from '../contracts/plan.js';
import type { TableName } from '../contracts/table.js';
import { formatInstant } from '../core/interval/interval.js';
import type { Dataset, Project } from '../project/project.js';
import { quoteTable, quoteIdent } from '../postgres/quote.js';
import { createDdl, indexesDdl, type Grantee, type TargetState } from '../warehouse/postgres/target.js';
import { driftOf, type Drift } from './drift.js';

/**
 * The DDL that a target still lacks.
 * @throws RequestError when it holds rows that sluice did not write, or when its columns differ in a way that
 * `on_schema_change` does not allow
 */
export function targetDdl(
  project: Project,
  dataset: Dataset,
  columns: readonly ColumnSpec[],
  state: TargetState,
  overwrite: boolean,
): Drift {
  const target = quoteTable(dataset.table);
  const partitioned = state.exists ? state.isPartitioned : dataset.storage === 'partitioned';
  const wanted = { target: dataset.table, columns, time: dataset.time, key: dataset.key, partitioned };
  if (!state.exists) return { ddl: createDdl(wanted, state), warnings: [] };
  if (!state.isTable) throw notOne(dataset, 'table', state);
  if (!state.owner && !state.empty && !overwrite) {
    const from = Number.isFinite(dataset.start) ? ` --from ${formatInstant(dataset.start)}` : '';
    const typed = (verb: string, more = ''): string =>
      typedIn(project.environment, `sluice ${verb} ${dataset.name}${from}${more}`);
    throw new RequestError(
      'foreign_rows',
      `${dataset.file}: table ${target} holds rows that sluice did not write`,
      `to take them into the ledger: ${typed('adopt')}\nto replace them: ${typed('backfill', ' --overwrite')}`,
    );
  }
  const drift = driftOf(dataset, columns, state, viewsOver(project, dataset));
  // Somebody else's table has the indexes that its owner wants; sluice asks for the one that it cannot do without.
  return state.owner?.made === true ? { ...drift, ddl: [...drift.ddl, ...indexesDdl(wanted, state)] } : drift;
}

/** The tables of views that read a dataset, directly or through others; readers first, as they are dropped. */
function viewsOver({ datasets }: Project, { name }: Dataset): TableName[] {
  const over = new Map<string, TableName>();
  for (const one of datasets.values())
    if (one.publish === 'view' && one.needs.some(({ dataset }) => dataset === name || over.has(dataset)))
      over.set(one.name, one.table);
  return [...over.values()].reverse();
}

/**
 * The DDL that makes or changes a view.
 * @param sql - its query, every dataset replaced by its table
 * @throws RequestError when somebody else made it, or when PostgreSQL cannot change its columns in place
 */
export function viewDdl(dataset: Dataset, columns: readonly ColumnSpec[], state: TargetState, sql: string): string[] {
  const target = quoteTable(dataset.table);
  const create = `CREATE OR REPLACE VIEW ${target} AS\n${sql}`;
  if (!state.exists)
    return [...(state.schemaExists ? [] : [`CREATE SCHEMA IF NOT EXISTS ${quoteIdent(dataset.table.schema)}`]), create];
  if (!state.isView) throw notOne(dataset, 'view', state);
  if (!state.owner) {
    throw new RequestError(
      'foreign_view',
      `${dataset.file}: view ${target} was not made by sluice`,
      'give this dataset another name: `table: schema.name`, or drop that view',
    );
  }
  const added = columns.length - state.columns.length;
  const kept = state.columns.every(({ name, type }, i) => columns[i]?.name === name && columns[i].type === type);
  if (!kept || (added > 0 && dataset.onSchemaChange === 'fail')) {
    throw new RequestError(
      'schema_drift',
      `${dataset.file}: the columns of view ${target} are not those that it has`,
      `run, then plan again (what reads the view stands in its way, and its grants go):\nDROP VIEW ${target};`,
    );
  }
  return [create];
}

/**
 * Lets the roles under `grants` read a target. Its schema is opened to them only where it is made for it: others decide about theirs.
 * @throws RequestError for a role that is not there
 */
export function grantDdl({ file, table }: Dataset, grantees: readonly Grantee[], schemaExists: boolean): string[] {
  const unknown = grantees.find(({ known }) => !known);
  if (unknown) {
    throw new RequestError(
      'unknown_role',
      `${file}: grants: there is no role ${JSON.stringify(unknown.role)} in the warehouse`,
      'correct the name, or make it: CREATE ROLE …',
    );
  }
  return grantees
    .filter(({ granted }) => !granted)
    .flatMap(({ role }) => [
      ...(schemaExists ? [] : [`GRANT USAGE ON SCHEMA ${quoteIdent(table.schema)} TO ${quoteIdent(role)}`]),
      `GRANT SELECT ON ${quoteTable(table)} TO ${quoteIdent(role)}`,
    ]);
}

/** Its own view holds nothing and may go; its own table is kept, under another name. */
function notOne(
  { file, table }: Dataset,
  wanted: 'table' | 'view',
  { isView, isTable, owner }: TargetState,
): RequestError {
  const target = quoteTable(table);
  const away = isView
    ? `DROP VIEW ${target};`
    : isTable
      ? `ALTER TABLE ${target} RENAME TO ${quoteIdent(`${table.name}_old`)};`
      : undefined;
  const other = 'give this dataset another table: `table: schema.name`';
  return new RequestError(
    `not_a_${wanted}`,
    `${file}: ${target} is there, but is not a ${wanted}`,
    owner === null || away === undefined ? other : `${other}; or run, then plan again:\n${away}`,
  );
}
