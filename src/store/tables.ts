import type { TableName } from '../contracts/table.js';
import type { Instant } from '../core/interval/interval.js';
import { keysOf, rowsOf, type Db, type Scope } from './store.js';

/** A table that a dataset owns by `sluice.tables`. */
export interface Registered {
  readonly dataset: string;
  readonly table: TableName;
  /** Whether the dataset's rows in the ledger speak of it; those of its others are kept under their quoted names. */
  readonly current: boolean;
  readonly isView: boolean;
  /** What has its name today; null: nothing. */
  readonly kind: 'table' | 'view' | 'other' | null;
  /** Whether that is another relation than the one that sluice wrote to. False also where it cannot be told. */
  readonly another: boolean;
  /** What that relation is called today, where it is another name. */
  readonly renamed: TableName | null;
}

/** The tables of a scope, or of one of its datasets; the current one first. The catalog is read, not asked: that takes no right on a schema. */
export async function registeredTables(
  db: Db,
  { project, environment }: Scope,
  dataset: string | null = null,
): Promise<Registered[]> {
  const seen = `t.ledger = 'sluice.partitions'::regclass`;
  return rowsOf<Registered>(
    db,
    `SELECT t.dataset, json_build_object('schema', t.schema_name, 'name', t.table_name) AS table, t.current, t.is_view AS "isView",
       CASE WHEN c.relkind IN ('r', 'p') THEN 'table' WHEN c.relkind = 'v' THEN 'view' WHEN c.oid IS NOT NULL THEN 'other' END AS kind,
       coalesce(${seen} AND c.oid <> t.relation, false) AS another,
       CASE WHEN ${seen} AND m.oid IS DISTINCT FROM c.oid AND m.oid IS NOT NULL
         THEN json_build_object('schema', mn.nspname, 'name', m.relname) END AS renamed
     FROM sluice.tables t
     LEFT JOIN pg_namespace n ON n.nspname = t.schema_name
     LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.table_name
     LEFT JOIN pg_class m ON m.oid = t.relation AND m.relkind IN ('r', 'p', 'v') LEFT JOIN pg_namespace mn ON mn.oid = m.relnamespace
     WHERE t.project = ? AND t.environment = ? AND t.dataset = coalesce(?::text, t.dataset)
     ORDER BY t.dataset, NOT t.current, t.schema_name, t.table_name`,
    [project, environment, dataset],
  );
}

/** What the ledger has under a key. Infinite ends are those of `grain: none`. */
export interface Counted {
  readonly partitions: number;
  readonly since: Instant;
  readonly until: Instant;
}

/** What the ledger has under each of these keys. */
export async function countRows(
  db: Db,
  { project, environment }: Scope,
  keys: readonly string[],
): Promise<Map<string, Counted>> {
  const rows = await rowsOf<Counted & { key: string }>(
    db,
    `SELECT dataset AS key, count(*)::int AS partitions, extract(epoch FROM min(starts_at))::float8 * 1000 AS since,
       extract(epoch FROM max(ends_at))::float8 * 1000 AS until
     FROM sluice.partitions WHERE project = ? AND environment = ? AND dataset = ANY (?::text[]) GROUP BY 1`,
    [project, environment, [...keys]],
  );
  return new Map(rows.map(({ key, ...counted }) => [key, counted]));
}

/** Puts the ledger's rows under another key; what was under that one is gone. Returns how many. */
export async function moveRows(db: Db, scope: Scope, from: string, to: string): Promise<number> {
  await dropRows(db, scope, to);
  return db('sluice.partitions')
    .where({ ...keysOf(scope), dataset: from })
    .update({ dataset: to });
}

export async function dropRows(db: Db, scope: Scope, key: string): Promise<number> {
  return db('sluice.partitions')
    .where({ ...keysOf(scope), dataset: key })
    .delete();
}

/** Takes away all that the ledger has of a scope, and what its workers deployed. */
export async function dropScope(db: Db, scope: Scope): Promise<{ partitions: number; rows: number }> {
  const [sum] = await rowsOf<{ partitions: number; rows: number }>(
    db,
    `WITH gone AS (DELETE FROM sluice.partitions WHERE project = ? AND environment = ? RETURNING rows)
     SELECT count(*)::int AS partitions, coalesce(sum(rows), 0)::float8 AS rows FROM gone`,
    [scope.project, scope.environment],
  );
  for (const table of ['tables', 'shapes', 'dataset_versions', 'profiles', 'deployments'])
    await db(`sluice.${table}`).where(keysOf(scope)).delete();
  return sum ?? { partitions: 0, rows: 0 };
}

/** Whose table that is. */
export interface Owner extends Scope {
  readonly dataset: string;
  readonly current: boolean;
}

export async function ownerOf(db: Db, table: TableName): Promise<Owner | undefined> {
  const [owner] = await rowsOf<Owner>(
    db,
    'SELECT project, environment, dataset, current FROM sluice.tables WHERE schema_name = ? AND table_name = ?',
    [table.schema, table.name],
  );
  return owner;
}

/** Gives up a table; what the ledger has of it is for its caller to take away. */
export async function disownTable(db: Db, table: TableName): Promise<void> {
  await db('sluice.tables').where({ schema_name: table.schema, table_name: table.name }).delete();
}

/** Remembers which relation has a table's name, as sluice is about to write there. */
export async function rememberRelation(db: Db, { schema, name }: TableName): Promise<void> {
  await db.raw(
    `UPDATE sluice.tables t SET relation = c.oid, ledger = 'sluice.partitions'::regclass, is_view = c.relkind = 'v'
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE t.schema_name = ? AND t.table_name = ? AND n.nspname = t.schema_name AND c.relname = t.table_name
       AND (t.relation, t.ledger, t.is_view) IS DISTINCT FROM (c.oid, 'sluice.partitions'::regclass::oid, c.relkind = 'v')`,
    [schema, name],
  );
}

/** Whether anything has that name: a table, a view or whatever else. */
export async function relationExists(db: Db, { schema, name }: TableName): Promise<boolean> {
  const rows = await rowsOf<object>(
    db,
    'SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ? AND c.relname = ?',
    [schema, name],
  );
  return rows.length > 0;
}
