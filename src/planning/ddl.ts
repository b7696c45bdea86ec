import { RequestError } from '../contracts/errors.js';
import type { ColumnSpec } from '../contracts/plan.js';
import type { TableName } from '../contracts/table.js';
import type { Dataset, Project } from '../project/project.js';
import { quoteTable, quoteIdent } from '../postgres/quote.js';
import { addColumnDdl, createDdl, schemaDrift, type TargetState } from '../warehouse/postgres/target.js';

interface Owner {
  readonly project: string;
  readonly environment: string;
  readonly dataset: string;
}

/**
 * The DDL that a target still lacks.
 * @throws RequestError when somebody else owns it, when it holds rows that sluice did not write, or when its columns differ in a way that
 * `on_schema_change` does not allow
 */
export function targetDdl(
  project: Project,
  dataset: Dataset,
  columns: readonly ColumnSpec[],
  state: TargetState,
  overwrite: boolean,
): string[] {
  const target = quoteTable(dataset.table);
  const { owner } = state;
  if (
    owner &&
    !(owner.project === project.name && owner.environment === project.environment && owner.dataset === dataset.name)
  ) {
    throw tableOwned(dataset.table, { ...project, project: project.name, dataset: dataset.name }, owner);
  }
  if (!state.exists)
    return createDdl({ target: dataset.table, columns, time: dataset.time, key: dataset.key }, state.schemaExists);
  if (!state.isTable) {
    throw new RequestError(
      'not_a_table',
      `${dataset.file}: ${target} is there, but is not a table`,
      'give this dataset another table: `table: schema.name`',
    );
  }
  if (!owner && !state.empty && !overwrite) {
    throw new RequestError(
      'foreign_rows',
      `${dataset.file}: table ${target} holds rows that sluice did not write`,
      `take them into the ledger with \`sluice adopt ${dataset.name} --from … --to …\`, or replace them with \`--overwrite\``,
    );
  }
  return driftDdl(dataset, columns, state);
}

/** Two that would write one table: two datasets, two environments or two projects. */
export function tableOwned(table: TableName, wanted: Owner, owner: Owner | undefined): RequestError {
  const named = ({ project, environment, dataset }: Owner): string =>
    `dataset ${dataset} of project ${project}, environment ${environment}`;
  return new RequestError(
    'table_owned',
    `table ${quoteTable(table)} belongs to ${owner ? named(owner) : 'another dataset'}: ${named(wanted)} cannot write it too`,
    'give one of them another table (`table: schema.name`), or its environment another schema (`environments: { …: { schema } }`)',
  );
}

function driftDdl(dataset: Dataset, columns: readonly ColumnSpec[], state: TargetState): string[] {
  const { added, dropped, retyped } = schemaDrift(state.columns, columns);
  const target = quoteTable(dataset.table);
  const refused = [
    ...dropped.map(({ name }) => `ALTER TABLE ${target} DROP COLUMN ${quoteIdent(name)};`),
    ...retyped.map(({ name, type }) => `ALTER TABLE ${target} ALTER COLUMN ${quoteIdent(name)} TYPE ${type};`),
    ...(dataset.onSchemaChange === 'fail' ? added.map((column) => `${addColumnDdl(dataset.table, column)};`) : []),
  ];
  if (refused.length > 0) {
    throw new RequestError(
      'schema_drift',
      `${dataset.file}: table ${target} no longer fits what is written to it`,
      `run, then plan again:\n${refused.join('\n')}`,
    );
  }
  return added.map((column) => addColumnDdl(dataset.table, column));
}
