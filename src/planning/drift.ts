import { RequestError } from '../contracts/errors.js';
import type { ColumnSpec } from '../contracts/plan.js';
import type { TableName } from '../contracts/table.js';
import type { PlanWarning } from '../contracts/status.js';
import { quoteIdent, quoteTable } from '../postgres/quote.js';
import type { Dataset } from '../project/project.js';
import { addColumnDdl, schemaDrift, type TargetState } from '../warehouse/postgres/target.js';

/** What a table that is there lacks, and what it keeps of before. */
export interface Drift {
  readonly ddl: readonly string[];
  readonly warnings: readonly PlanWarning[];
}

/**
 * How a table follows its dataset: first the new column, then the rebuild, last the old column goes, by a person's hand. So what nobody
 * writes any more stays, and nothing that is printed here takes a value away that the rebuild has not replaced.
 * @param views - of this project that read it: PostgreSQL changes no type under one
 * @throws RequestError schema_drift
 */
export function driftOf(
  dataset: Dataset,
  columns: readonly ColumnSpec[],
  state: TargetState,
  views: readonly TableName[],
): Drift {
  const { added, dropped, retyped } = schemaDrift(state.columns, columns);
  const { file, table, onSchemaChange } = dataset;
  const target = quoteTable(table);
  const alter = `ALTER TABLE ${target}`;
  const refuse = (message: string, remedy: string): never => {
    throw new RequestError('schema_drift', `${file}: ${message}`, remedy);
  };
  if (retyped.length > 0) {
    const statements = [
      ...views.map((view) => `DROP VIEW IF EXISTS ${quoteTable(view)};`),
      ...retyped.map(
        ({ name, type }) =>
          `${alter} ALTER COLUMN ${quoteIdent(name)} TYPE ${type} USING ${quoteIdent(name)}::${type};`,
      ),
    ];
    const first =
      views.length === 0
        ? ''
        : ' (views that read it stand in its way; a backfill makes them again, with their `grants`)';
    refuse(
      `table ${target} has ${namesOf(retyped)} of another type than what is written to it`,
      `cast it in the query; or name another table (\`table: ${table.schema}.${table.name}_2\`), which is built beside this one; or run, then plan again${first}:\n${statements.join('\n')}`,
    );
  }
  if (onSchemaChange === 'fail' && added.length > 0) {
    const statements = added.map((column) => `${addColumnDdl(table, column)};`);
    refuse(`table ${target} lacks ${namesOf(added)}`, `run, then plan again:\n${statements.join('\n')}`);
  }
  // A transform's columns are its author's word; those of a source may be gone by mistake, and their values with them.
  if (
    dropped.length > 0 &&
    (onSchemaChange === 'fail' || (onSchemaChange === 'add' && dataset.body.kind === 'extract'))
  )
    refuse(`table ${target} has ${namesOf(dropped)}, which is no longer read`, droppedRemedy(alter, dropped, added));
  const required = dropped.filter(({ name }) => state.required.includes(name));
  if (required.length > 0) {
    const statements = required.map(({ name }) => `${alter} ALTER COLUMN ${quoteIdent(name)} DROP NOT NULL;`);
    refuse(
      `table ${target} needs a value of ${namesOf(required)}, which is no longer written`,
      `run, then plan again:\n${statements.join('\n')}`,
    );
  }
  return {
    ddl: added.map((column) => addColumnDdl(table, column)),
    warnings: dropped.map(({ name }) => ({
      dataset: dataset.name,
      code: 'column_left',
      message: `column ${quoteIdent(name)} of ${target} is no longer written: it keeps its values where nothing is built again, and is NULL elsewhere`,
    })),
  };
}

/** One column gone and one of its type come may be the same under another name. More than one, and nobody could tell which is which. */
function droppedRemedy(alter: string, dropped: readonly ColumnSpec[], added: readonly ColumnSpec[]): string {
  const keep = 'write `on_schema_change: keep`: it stays, and is NULL in what is built from now on';
  const [from, to] = [dropped[0], added.find(({ type }) => type === dropped[0]?.type)];
  const alike = added.filter(({ type }) => type === from?.type);
  if (dropped.length > 1 || alike.length !== 1 || !from || !to)
    return `${keep}; or rename it, where it has another name now`;
  return `if it is called ${quoteIdent(to.name)} now, run, then plan again:\n${alter} RENAME COLUMN ${quoteIdent(from.name)} TO ${quoteIdent(to.name)};\nif it is gone, ${keep}`;
}

function namesOf(columns: readonly ColumnSpec[]): string {
  return columns.map(({ name }) => quoteIdent(name)).join(', ');
}
