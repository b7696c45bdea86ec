import type { ColumnSpec } from '../contracts/plan.js';
import type { TableName } from '../contracts/table.js';
import type { PgClient } from '../postgres/pool.js';
import { quoteTable } from '../postgres/quote.js';
import type { Dataset } from '../project/project.js';
import { createDdl, type TargetState } from '../warehouse/postgres/target.js';

/** Where planning tries things: a transaction that its caller rolls back. */
export interface Scratch {
  readonly client: PgClient;
  /** Temporary tables and views, by dataset, in place of what the plan makes or alters. */
  readonly standIns: Map<string, TableName>;
}

function nameOne({ standIns }: Scratch): TableName {
  return { schema: 'pg_temp', name: `sluice_stand_in_${standIns.size}` };
}

/** Makes the table as it will be; one that is there lends its columns and keeps its indexes to itself. */
export async function standInTable(
  scratch: Scratch,
  { name, time, key }: Dataset,
  columns: readonly ColumnSpec[],
  state: TargetState,
): Promise<void> {
  const target = nameOne(scratch);
  const known = new Set(state.columns.map((column) => column.name));
  const all = [...state.columns, ...columns.filter((column) => !known.has(column.name))];
  const wanted = state.exists ? { time: null, key: [] } : { time, key };
  for (const statement of createDdl({ target, columns: all, ...wanted }, true)) await scratch.client.query(statement);
  scratch.standIns.set(name, target);
}

/** Makes the view as it will be; answers whether the one that is there is the same. */
export async function standInView(
  scratch: Scratch,
  { name, table }: Dataset,
  sql: string,
  state: TargetState,
): Promise<boolean> {
  const target = nameOne(scratch);
  await scratch.client.query(`CREATE VIEW ${quoteTable(target)} AS\n${sql}`);
  scratch.standIns.set(name, target);
  if (!state.exists) return false;
  const { rows } = await scratch.client.query<{ same: boolean }>(
    'SELECT pg_get_viewdef($1::regclass) = pg_get_viewdef($2::regclass) AS same',
    [quoteTable(target), quoteTable(table)],
  );
  return rows[0]?.same === true;
}
