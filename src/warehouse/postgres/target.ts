import { createHash } from 'node:crypto';
import type { ColumnSpec } from '../../contracts/plan.js';
import type { PgClient } from '../../postgres/pool.js';
import type { TableName } from '../../contracts/table.js';
import { quoteIdent, quoteTable } from '../../postgres/quote.js';

/** A target table as it is today. */
export interface TargetState {
  readonly exists: boolean;
  /** Whether rows can be written to what has that name: false for a view, a sequence, … */
  readonly isTable: boolean;
  readonly isView: boolean;
  readonly isPartitioned: boolean;
  /** Whether we may make it, or alter it where it is there. */
  readonly mayChange: boolean;
  readonly schemaExists: boolean;
  readonly columns: readonly ColumnSpec[];
  /** Who owns it by `sluice.tables`; null: nobody. */
  readonly owner: { readonly project: string; readonly environment: string; readonly dataset: string } | null;
  readonly empty: boolean;
}

/** Looks a target up: catalog and owner. Whether it has rows is only asked where nobody owns it. */
export async function describeTarget(client: PgClient, target: TableName): Promise<TargetState> {
  const { rows } = await client.query<{
    rel: string | null;
    kind: string | null;
    may: boolean | null;
    schema: boolean;
    columns: ColumnSpec[] | null;
    owner: TargetState['owner'];
  }>({
    name: 'sluice_target',
    text: `SELECT c.oid::text AS rel, c.relkind AS kind, n.oid IS NOT NULL AS schema,
      CASE WHEN c.oid IS NOT NULL THEN pg_has_role(c.relowner, 'USAGE') WHEN n.oid IS NOT NULL THEN has_schema_privilege(n.oid, 'CREATE')
        ELSE has_database_privilege(current_database(), 'CREATE') END AS may,
      (SELECT json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum)
         FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
      (SELECT json_build_object('project', t.project, 'environment', t.environment, 'dataset', t.dataset)
         FROM sluice.tables t WHERE t.schema_name = $1 AND t.table_name = $2) AS owner
     FROM (SELECT 1) one LEFT JOIN pg_namespace n ON n.nspname = $1 LEFT JOIN pg_class c ON c.relname = $2 AND c.relnamespace = n.oid`,
    values: [target.schema, target.name],
  });
  const [row] = rows;
  if (!row) throw new Error('the catalog answered without a row');
  const exists = row.rel !== null;
  const isTable = row.kind === 'r' || row.kind === 'p';
  return {
    exists,
    isTable,
    isView: row.kind === 'v',
    isPartitioned: row.kind === 'p',
    mayChange: row.may === true,
    schemaExists: row.schema,
    columns: row.columns ?? [],
    owner: row.owner,
    empty: !isTable || row.owner !== null || (await isEmpty(client, target)),
  };
}

async function isEmpty(client: PgClient, target: TableName): Promise<boolean> {
  const { rowCount } = await client.query(`SELECT 1 FROM ${quoteTable(target)} LIMIT 1`);
  return rowCount === 0;
}

export interface TargetWanted {
  readonly target: TableName;
  readonly columns: readonly ColumnSpec[];
  readonly time: string | null;
  readonly key: readonly string[];
  /** Whether it is PARTITION BY RANGE of `time`. */
  readonly partitioned?: boolean;
}

/** DDL that makes a table of exactly these columns, with an index on `time` and a unique one on `key`. Safe to run twice. */
export function createDdl(wanted: TargetWanted, schemaExists: boolean): string[] {
  const { target, columns, time, partitioned } = wanted;
  const list = columns.map(({ name, type }) => `${quoteIdent(name)} ${type}`).join(', ');
  return [
    ...(schemaExists ? [] : [`CREATE SCHEMA IF NOT EXISTS ${quoteIdent(target.schema)}`]),
    `CREATE TABLE IF NOT EXISTS ${quoteTable(target)} (${list})${partitioned === true && time !== null ? ` PARTITION BY RANGE (${quoteIdent(time)})` : ''}`,
    ...indexesDdl(wanted, partitioned !== true || canBeUnique(wanted)),
  ];
}

/** PostgreSQL keeps a key unique over the partitions of a table only where their own key is part of it. */
export function canBeUnique({ time, key }: Pick<TargetWanted, 'time' | 'key'>): boolean {
  return time !== null && key.includes(time);
}

/** What a person types to have PostgreSQL keep a key unique in a table that is there. */
export function uniqueIndexSql(table: TableName, key: readonly string[]): string {
  return `CREATE UNIQUE INDEX ON ${quoteTable(table)} (${key.map(quoteIdent).join(', ')})`;
}

/** An index on `time`, and one on `key`. */
export function indexesDdl({ target, time, key }: Omit<TargetWanted, 'columns'>, unique: boolean): string[] {
  return [
    ...(time === null ? [] : [indexDdl(target, [time], 'time', '')]),
    ...(key.length === 0 ? [] : [indexDdl(target, key, 'key', unique ? 'UNIQUE ' : '')]),
  ];
}

/** Index names hold at most 63 bytes and are one per schema: a hash of the whole name keeps long ones apart. */
function indexDdl(target: TableName, columns: readonly string[], suffix: string, unique: string): string {
  const hash = createHash('sha256').update(target.name).digest('hex').slice(0, 6);
  const name = `${Array.from(target.name).slice(0, 10).join('')}_${hash}_${suffix}_idx`;
  return `CREATE ${unique}INDEX IF NOT EXISTS ${quoteIdent(name)} ON ${quoteTable(target)} (${columns.map(quoteIdent).join(', ')})`;
}

export function addColumnDdl(target: TableName, { name, type }: ColumnSpec): string {
  return `ALTER TABLE ${quoteTable(target)} ADD COLUMN IF NOT EXISTS ${quoteIdent(name)} ${type}`;
}

/** How a table that exists differs from what will be written. */
export function schemaDrift(
  have: readonly ColumnSpec[],
  want: readonly ColumnSpec[],
): { added: ColumnSpec[]; dropped: ColumnSpec[]; retyped: ColumnSpec[] } {
  const types = new Map(have.map(({ name, type }) => [name, type]));
  const names = new Set(want.map(({ name }) => name));
  return {
    added: want.filter(({ name }) => !types.has(name)),
    dropped: have.filter(({ name }) => !names.has(name)),
    retyped: want.filter(({ name, type }) => types.has(name) && types.get(name) !== type),
  };
}

/** A role that is to read a target. */
export interface Grantee {
  readonly role: string;
  readonly known: boolean;
  /** Whether it may already. */
  readonly granted: boolean;
}

/** Who of `roles` is there, and may read the target. */
export async function describeGrants(
  client: PgClient,
  target: TableName,
  roles: readonly string[],
): Promise<Grantee[]> {
  if (roles.length === 0) return [];
  const { rows } = await client.query<Grantee>(
    `SELECT g.role, r.oid IS NOT NULL AS known, coalesce(has_table_privilege(r.oid, c.oid, 'SELECT'), false) AS granted
     FROM unnest($3::text[]) WITH ORDINALITY AS g(role, n) LEFT JOIN pg_roles r ON r.rolname = g.role
     LEFT JOIN pg_class c ON c.relname = $2 AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1) ORDER BY g.n`,
    [target.schema, target.name, roles],
  );
  return rows;
}
