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
  /** Columns of those that must have a value and get none by themselves. */
  readonly required: readonly string[];
  readonly indexes: readonly TargetIndex[];
  /** Names of indexes of other tables in its schema that begin as its own do. */
  readonly taken: readonly string[];
  /** Who owns it by `sluice.tables`; null: nobody. `made`: it was made by sluice, not adopted. */
  readonly owner: {
    readonly project: string;
    readonly environment: string;
    readonly dataset: string;
    readonly made: boolean;
  } | null;
  readonly empty: boolean;
}

/** A valid index over all rows of a table. An expression has no name: an index on one never looks like one on columns. */
export interface TargetIndex {
  readonly name: string;
  readonly unique: boolean;
  readonly columns: readonly string[];
}

/** Looks a target up: catalog and owner. Whether it has rows is only asked where nobody owns it. */
export async function describeTarget(client: PgClient, target: TableName): Promise<TargetState> {
  const { rows } = await client.query<{
    rel: string | null;
    kind: string | null;
    may: boolean | null;
    schema: boolean;
    columns: (ColumnSpec & { required: boolean })[] | null;
    indexes: TargetIndex[] | null;
    taken: string[] | null;
    owner: TargetState['owner'];
  }>({
    name: 'sluice_target',
    text: `SELECT c.oid::text AS rel, c.relkind AS kind, n.oid IS NOT NULL AS schema,
      CASE WHEN c.oid IS NOT NULL THEN pg_has_role(c.relowner, 'USAGE') WHEN n.oid IS NOT NULL THEN has_schema_privilege(n.oid, 'CREATE')
        ELSE has_database_privilege(current_database(), 'CREATE') END AS may,
      (SELECT json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
           'required', a.attnotnull AND NOT a.atthasdef AND a.attidentity = '') ORDER BY a.attnum)
         FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
      (SELECT json_agg(json_build_object('name', x.relname, 'unique', i.indisunique, 'columns', (
           SELECT json_agg(coalesce(a.attname, '') ORDER BY k.n) FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(num, n)
           LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num AND k.num > 0 WHERE k.n <= i.indnkeyatts)) ORDER BY x.relname)
         FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL) AS indexes,
      (SELECT json_agg(o.relname) FROM pg_class o WHERE o.relnamespace = n.oid AND starts_with(o.relname, $3 || '_')
         AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = o.oid AND i.indrelid = c.oid)) AS taken,
      (SELECT json_build_object('project', t.project, 'environment', t.environment, 'dataset', t.dataset, 'made', t.created_by_sluice)
         FROM sluice.tables t WHERE t.schema_name = $1 AND t.table_name = $2) AS owner
     FROM (SELECT 1) one LEFT JOIN pg_namespace n ON n.nspname = $1 LEFT JOIN pg_class c ON c.relname = $2 AND c.relnamespace = n.oid`,
    values: [target.schema, target.name, startOf(target.name)],
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
    columns: (row.columns ?? []).map(({ name, type }) => ({ name, type })),
    required: (row.columns ?? []).filter(({ required }) => required).map(({ name }) => name),
    indexes: row.indexes ?? [],
    taken: row.taken ?? [],
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
  readonly partitioned: boolean;
}

/** DDL that makes a table of exactly these columns, with an index on `time` and a unique one on `key`. */
export function createDdl(
  wanted: TargetWanted,
  { schemaExists, taken }: Pick<TargetState, 'schemaExists' | 'taken'>,
): string[] {
  const { target, columns, time, partitioned } = wanted;
  const list = columns.map(({ name, type }) => `${quoteIdent(name)} ${type}`).join(', ');
  return [
    ...(schemaExists ? [] : [`CREATE SCHEMA IF NOT EXISTS ${quoteIdent(target.schema)}`]),
    `CREATE TABLE IF NOT EXISTS ${quoteTable(target)} (${list})${partitioned && time !== null ? ` PARTITION BY RANGE (${quoteIdent(time)})` : ''}`,
    ...indexesDdl(wanted, { indexes: [], taken }),
  ];
}

/** PostgreSQL keeps a key unique over the partitions of a table only where their own key is part of it. */
export function canBeUnique({ time, key }: Pick<TargetWanted, 'time' | 'key'>): boolean {
  return time !== null && key.includes(time);
}

/** What a person types to have an index in a table that is there. */
export function indexSql(table: TableName, columns: readonly string[], unique: boolean): string {
  return `CREATE ${unique ? 'UNIQUE ' : ''}INDEX ON ${quoteTable(table)} (${columns.map(quoteIdent).join(', ')})`;
}

/** Whether one of the indexes keeps a key unique, in whatever order it has the columns. */
export function hasUniqueKey(indexes: readonly TargetIndex[], key: readonly string[]): boolean {
  return indexes.some(({ unique, columns }) => unique && isOn(columns, key));
}

function isOn(columns: readonly string[], key: readonly string[]): boolean {
  return columns.length === key.length && columns.every((name) => key.includes(name));
}

/**
 * DDL of the indexes that a table lacks: one on `time`, and a unique one on `key`. An index is known by its columns, never by its name, which an index of another
 * table may have. An index by which sluice kept another key unique goes: it would refuse rows that the key of today allows.
 */
export function indexesDdl(
  { target, time, key, partitioned }: Omit<TargetWanted, 'columns'>,
  { indexes, taken }: Pick<TargetState, 'indexes' | 'taken'>,
): string[] {
  const unique = !partitioned || canBeUnique({ time, key });
  const hasTime = time === null || indexes.some(({ columns }) => columns[0] === time);
  const hasKey = key.length === 0 || indexes.some((one) => isOn(one.columns, key) && (one.unique || !unique));
  const former = indexes.filter(({ name, columns }) => OWN_KEY.test(name) && !isOn(columns, key));
  return [
    ...(hasTime ? [] : [indexDdl(target, [time], 'time', false, taken)]),
    ...(hasKey ? [] : [indexDdl(target, key, 'key', unique, taken)]),
    ...former.map(({ name }) => `DROP INDEX IF EXISTS ${quoteTable({ schema: target.schema, name })}`),
  ];
}

/** The name of an index on a key that sluice made. */
const OWN_KEY = /_[0-9a-f]{6}_key_idx$/;

/** Bytes of a table's name in that of its index, which has 63. */
const NAME_BYTES = 44;

function indexDdl(
  target: TableName,
  columns: readonly string[],
  suffix: 'time' | 'key',
  unique: boolean,
  taken: readonly string[],
): string {
  const list = columns.map(quoteIdent).join(', ');
  const nameOf = (salt: number): string => {
    const hash = createHash('sha256')
      .update(`${salt} ${quoteTable(target)} (${list})`)
      .digest('hex')
      .slice(0, 6);
    return `${startOf(target.name)}_${hash}_${suffix}_idx`;
  };
  let salt = 0;
  while (taken.includes(nameOf(salt))) salt++;
  return `CREATE ${unique ? 'UNIQUE ' : ''}INDEX IF NOT EXISTS ${quoteIdent(nameOf(salt))} ON ${quoteTable(target)} (${list})`;
}

/** The start of a table's name, whole characters of it. */
function startOf(name: string): string {
  let start = '';
  for (const character of name) {
    if (Buffer.byteLength(start + character) > NAME_BYTES) break;
    start += character;
  }
  return start;
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
