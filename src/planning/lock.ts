import type { TableName } from '../contracts/table.js';
import { SystemError } from '../contracts/errors.js';
import { errorFacts } from '../postgres/error.js';
import { rowsOf, type Db } from '../store/store.js';

/** Whoever wants to read the table waits behind a statement that changes it: so long, and no longer. */
const GIVE_WAY = '1s';

/** A table could not be changed now: others use it. */
class TableInUseError extends Error {
  constructor(
    readonly table: TableName,
    options: ErrorOptions,
  ) {
    super(`${table.schema}.${table.name} is in use`, options);
  }
}

/** Changes a table in the transaction, or gives up soon where others use it: then the transaction is to be rolled back, and tried again later. */
export async function changeTable(tx: Db, table: TableName, ddl: readonly string[]): Promise<void> {
  if (ddl.length === 0) return;
  await tx.raw(`SET LOCAL lock_timeout = '${GIVE_WAY}'`);
  try {
    for (const statement of ddl) await tx.raw(statement.replaceAll('?', '\\?'));
  } catch (error) {
    throw errorFacts(error).sqlstate === '55P03' ? new TableInUseError(table, { cause: error }) : error;
  }
  await tx.raw('SET LOCAL lock_timeout = 0');
}

/** What a plan waits for where somebody else's lock stopped it, and who has it. */
export interface LockWaited {
  readonly what: string;
  readonly holder: string;
}

/**
 * Looks who has the lock that stopped a plan: of a table that was to be changed whoever uses it, of the project's others whoever keeps readers out.
 * @returns null for any other error
 */
export async function lockWaited(db: Db, tables: readonly TableName[], error: unknown): Promise<LockWaited | null> {
  const changed = error instanceof TableInUseError ? error.table : null;
  if (changed === null && !(error instanceof SystemError && error.code === 'lock_not_available')) return null;
  const { message } = error instanceof Error ? error : { message: '' };
  const among = changed === null ? tables : [changed];
  const [held] = await rowsOf<{ table: string; pid: number; name: string }>(
    db,
    `SELECT n.nspname || '.' || c.relname AS table, a.pid, a.application_name AS name
     FROM unnest(:schemas::text[], :names::text[]) AS t(schema, name) JOIN pg_namespace n ON n.nspname = t.schema
     JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
     JOIN pg_locks l ON l.relation = c.oid AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
     JOIN pg_stat_activity a ON a.pid = l.pid
     WHERE l.granted AND a.pid <> pg_backend_pid() AND (:any::bool OR l.mode = 'AccessExclusiveLock') ORDER BY a.xact_start LIMIT 1`,
    { schemas: among.map(({ schema }) => schema), names: among.map(({ name }) => name), any: changed !== null },
  );
  const what = held?.table ?? (changed === null ? message : `${changed.schema}.${changed.name}`);
  if (!held) return { what, holder: 'another session' };
  return { what, holder: `pid ${held.pid}${held.name === '' ? '' : ` (${held.name})`}` };
}
