import type { ColumnSpec } from '../contracts/plan.js';
import type { TableName } from '../contracts/table.js';
import type { PgClient } from '../postgres/pool.js';
import { quoteTable } from '../postgres/quote.js';
import type { Dataset } from '../project/project.js';
import { resolveTypes } from '../source/postgres/describe.js';
import { createDdl, type TargetState } from '../warehouse/postgres/target.js';
import type { MadeFunctions } from './function-reads.js';
import type { Volatiles } from './volatiles.js';

/** Where planning tries things: a transaction that its caller rolls back. What it has asked the catalog it need not ask again. */
export interface Scratch {
  readonly client: PgClient;
  /** Temporary tables and views, by dataset, in place of what the plan makes or alters. */
  readonly standIns: Map<string, TableName>;
  /** The session's zone; null is unknown, as after a savepoint. */
  zone: string | null;
  /** Types of the warehouse by `oid.typmod`. */
  readonly types: Map<string, string>;
  /** Under which type the warehouse keeps one of a source. */
  readonly held: Map<string, string>;
  volatiles: Volatiles | null;
  functions: MadeFunctions['functions'];
}

export function openScratch(client: PgClient): Scratch {
  return {
    client,
    standIns: new Map(),
    zone: null,
    types: new Map(),
    held: new Map(),
    volatiles: null,
    functions: null,
  };
}

/** Names and literals are read in a dataset's zone from here on. */
export async function enterZone(scratch: Scratch, zone: string): Promise<void> {
  if (scratch.zone === zone) return;
  await scratch.client.query('SELECT set_config($1, $2, true)', ['TimeZone', zone]);
  scratch.zone = zone;
}

/** As {@link resolveTypes}, of types that mostly were asked for before. */
export async function typesOf(scratch: Scratch, pairs: readonly (readonly [number, number])[]): Promise<string[]> {
  const keyed = pairs.map((pair) => ({ key: pair.join('.'), pair }));
  const asked = keyed.filter(({ key }) => !scratch.types.has(key));
  if (asked.length > 0) {
    const found = await resolveTypes(
      scratch.client,
      asked.map(({ pair }) => pair),
    );
    for (const [i, { key }] of asked.entries()) scratch.types.set(key, found[i]?.type ?? 'text');
  }
  return keyed.map(({ key }) => scratch.types.get(key) ?? 'text');
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
  const made = createDdl({ target, columns: all, partitioned: false, ...wanted }, { schemaExists: true, taken: [] });
  for (const statement of made) await scratch.client.query(statement);
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
