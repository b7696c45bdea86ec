import { quoteIdent, type TableName } from '../../contracts/table.js';
import { IDENTIFIER_BYTES_MAX, isReserved, NAME, parseTableName, showTable } from '../names.js';
import type { DbtNode, DbtSource } from './manifest.js';

/** A table, and the database that it is in. */
export interface DbtTable extends TableName {
  readonly database?: string;
}

/** The column that a name is, written as SQL: `AT` is `at`, `"At"` is `At`; undefined for any other expression. */
export function columnOf(sql: string): string | undefined {
  return parseTableName(`x.${sql.trim()}`, 'x')?.name;
}

/** The table of a node, as dbt's SQL names it: where quoting is off, PostgreSQL folds it. */
export function tableOf(node: DbtNode | DbtSource): DbtTable {
  const identifier = 'identifier' in node ? node.identifier : 'alias' in node ? node.alias : undefined;
  const name = typeof identifier === 'string' ? identifier : node.name;
  const quoting = { ...node.config?.quoting, ...node.quoting };
  const read =
    node.relation_name === undefined
      ? undefined
      : /^(?:(.+)\.)?((?:"[^"]*"|[^".]+)\.(?:"[^"]*"|[^".]+))$/.exec(node.relation_name);
  const table = read?.[2] === undefined ? undefined : parseTableName(read[2], 'public');
  const own = table ?? {
    schema: quoting['schema'] === false ? folded(node.schema) : node.schema,
    name: quoting['identifier'] === false ? folded(name) : name,
  };
  return node.database === undefined ? own : { ...own, database: node.database };
}

function folded(name: string): string {
  return columnOf(name) ?? name;
}

/** A table's name as a key of maps. */
export function keyOf({ schema, name }: TableName): string {
  return JSON.stringify([schema, name]);
}

/**
 * The SQL by which dbt limits a table to a batch; its column where it is one. dbt quotes it where the column, or its source, says so.
 */
export function eventTimeOf(node: DbtNode | DbtSource): { readonly sql: string; readonly column?: string } | undefined {
  const sql = node.config?.event_time;
  if (sql === undefined) return undefined;
  const declared = Object.values(node.columns ?? {}).find(({ name }) => name === sql);
  const quoted = declared?.quote ?? node.quoting?.['column'] === true;
  const column = quoted ? sql : columnOf(sql);
  return column === undefined ? { sql } : { sql, column };
}

export interface Named {
  readonly id: string;
  readonly table: TableName;
}

/**
 * A dataset's name for each table. It is the table's own where that can be one and is no other's; the table keeps its name all the same.
 * No two names differ by case alone, for files; none is that of a table outside (`taken`), which SQL would then read in its place.
 */
export function datasetNames(
  tables: readonly Named[],
  schema: string,
  taken: ReadonlySet<string>,
): Map<string, string> {
  const given = new Map<string, string>();
  const used = new Set([...taken].map((name) => name.toLowerCase()));
  const rank = ({ table }: Named): number => (isName(table.name) ? (table.schema === schema ? 0 : 1) : 2);
  for (const { id, table } of [...tables].sort((a, b) => rank(a) - rank(b))) {
    const own = nameOf(table.name);
    const candidates = [own, nameOf(`${table.schema}_${own}`)];
    for (let n = 2; candidates.every((name) => used.has(name.toLowerCase())); n++)
      candidates.push(`${own.slice(0, 58)}_${n}`);
    const name = candidates.find((one) => !used.has(one.toLowerCase())) ?? own;
    used.add(name.toLowerCase());
    given.set(id, name);
  }
  return given;
}

function isName(name: string): boolean {
  return NAME.test(name) && !isReserved(name);
}

function nameOf(name: string): string {
  if (isName(name)) return name;
  const plain = name.replace(/[^A-Za-z0-9_-]+/g, '_').slice(0, 55);
  if (!/[A-Za-z0-9]/.test(plain)) return 'model';
  return isName(plain) ? plain : `model_${plain}`;
}

/** Why PostgreSQL would keep the table by another name. */
export function cutName({ schema, name }: TableName): string | undefined {
  const long = [schema, name].find((part) => Buffer.byteLength(part) > IDENTIFIER_BYTES_MAX);
  return long === undefined
    ? undefined
    : `${quoteIdent(long)} is longer than ${IDENTIFIER_BYTES_MAX} bytes: PostgreSQL cuts it`;
}

/** `schema.table`, where it is not what a dataset's name and the project's schema say. */
export function tableSetting(table: TableName, name: string, schema: string): string | undefined {
  return table.schema === schema && table.name === name
    ? undefined
    : showTable({ schema: table.schema, name: table.name });
}
