import { RequestError } from '../contracts/errors.js';
import type { ColumnSpec } from '../contracts/plan.js';
import { errorFacts, isRefusedStatement } from '../postgres/error.js';
import type { PgClient } from '../postgres/pool.js';
import { quoteTable } from '../postgres/quote.js';
import type { Dataset } from '../project/project.js';
import { standInTable, type Scratch } from './scratch.js';
import { describeTarget } from '../warehouse/postgres/target.js';

export function readsItself({ name, needs }: Pick<Dataset, 'name' | 'needs'>): boolean {
  return needs.some((need) => need.dataset === name);
}

/**
 * Runs `describe` where the table of a dataset that reads itself can be read, though it may not be there yet: for that long it has the
 * columns that `columns:` declares. Only those that the query reads of itself need to be: PostgreSQL tells the others from the query.
 * @throws RequestError bad_column_type, column_type: a type that is none, or another than the query's
 */
export async function withOwnTable<T extends { readonly columns: readonly ColumnSpec[] }>(
  scratch: Scratch,
  dataset: Dataset,
  describe: () => Promise<T>,
): Promise<T> {
  if (!readsItself(dataset)) return describe();
  await scratch.client.query('SAVEPOINT sluice_own');
  try {
    const declared = await makeReadable(scratch, dataset);
    const described = await describe();
    requireDeclared(dataset, declared, described.columns);
    return described;
  } finally {
    await scratch.client.query('ROLLBACK TO SAVEPOINT sluice_own');
    scratch.zone = null;
    scratch.standIns.delete(dataset.name);
  }
}

/** Makes a stand-in with the columns that the table has and those that are declared; answers how PostgreSQL names their types. */
async function makeReadable(scratch: Scratch, dataset: Dataset): Promise<readonly ColumnSpec[]> {
  const { client } = scratch;
  const { table, columns, file } = dataset;
  const state = await describeTarget(client, table);
  // A view of that name is refused later, with a remedy.
  const there = state.isTable ? state.columns : [];
  const declared = columns.filter(({ name }) => !there.some((column) => column.name === name));
  for (const { name, type } of declared) await requireType(client, file, name, type);
  await standInTable(scratch, { ...dataset, time: null, key: [] }, declared, { ...state, columns: there });
  const standIn = scratch.standIns.get(dataset.name);
  if (!standIn) throw new Error(`nothing stands in for ${dataset.name}`);
  const { rows } = await client.query<ColumnSpec>(
    `SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
     WHERE attrelid = $1::regclass AND attnum > 0 ORDER BY attnum`,
    [quoteTable(standIn)],
  );
  return rows;
}

/** A type is not a value and can't be bound: PostgreSQL must know it by exactly this text before it is written into a statement. */
async function requireType(client: PgClient, file: string, name: string, type: string): Promise<void> {
  const { rows } = await client
    .query<{ known: boolean }>('SELECT to_regtype($1) IS NOT NULL AS known', [type])
    .catch((error: unknown) => {
      if (!isRefusedStatement(errorFacts(error).sqlstate)) throw error;
      return { rows: [] };
    });
  if (rows[0]?.known === true) return;
  throw new RequestError(
    'bad_column_type',
    `${file}: columns: ${JSON.stringify(type)}, of ${name}, is no type of the warehouse`,
    'write a type as in CREATE TABLE: `columns: { total: bigint }`',
  );
}

/** What it reads of itself is what it wrote: a declared type that the query does not yield would be another after the first partition. */
function requireDeclared(
  { file, columns }: Dataset,
  table: readonly ColumnSpec[],
  yielded: readonly ColumnSpec[],
): void {
  for (const { name } of columns) {
    const declared = table.find((column) => column.name === name)?.type ?? '';
    const type = yielded.find((column) => column.name === name)?.type;
    if (type === declared) continue;
    throw new RequestError(
      'column_type',
      type === undefined
        ? `${file}: columns: the query yields no column ${name}`
        : `${file}: columns: ${name} is declared ${declared}, and the query yields ${type}`,
      type === undefined ? 'select it, or leave it out of columns' : `cast it in the query, or declare ${type}`,
    );
  }
}
