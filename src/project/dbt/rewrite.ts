import { quoteIdent } from '../../contracts/table.js';
import { isSystemSchema, showTable } from '../names.js';
import type { Relation } from '../project.js';
import { sqlName } from '../sql/name.js';
import { isNode, scanTokens, type Node } from '../sql/parser.js';
import { parseStatement, type Parsed } from '../sql/statement.js';
import { byteOffsets, locator } from '../text.js';
import { fleetingIn } from './fleeting.js';
import { keyOf, type DbtTable } from './names.js';

/** What a table of compiled SQL is, in the project that is made. */
export interface Target extends DbtTable {
  /** The dataset that it becomes; else it stays a table outside the project. */
  readonly dataset?: string;
  /** Its event time, where dbt filters it by batch. */
  readonly eventTime?: { readonly sql: string; readonly column?: string };
  /** Why it cannot be read, if it cannot. */
  readonly unreadable?: string;
}

export interface Rewritten {
  readonly sql: string;
  /** Tables outside the project, as under `reads:`. */
  readonly reads: readonly string[];
  /** Whether something it reads is limited to the interval. */
  readonly limited: boolean;
  /** Datasets that are read without a limit, somewhere. */
  readonly unlimited: readonly string[];
  /** Tables that its author named without a schema. */
  readonly bare: readonly string[];
  /** What in it depends on when it runs. */
  readonly fleeting: readonly string[];
}

/** What the rewriting asks of the project. */
export interface Rewriting {
  /** Schema of the project: with it a dataset's name is never that of a CTE. */
  readonly schema: string;
  readonly targetOf: (name: DbtTable) => Target;
  /** For a partitioned model: for each time that the table is named whether it is limited to the interval, or why not to be told. */
  readonly limits?: (table: DbtTable, times: number) => readonly boolean[] | string;
}

interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Prefix of the CTE that an ephemeral model becomes: dbt limits nothing in it. */
const INJECTED = '__dbt__cte__';

/**
 * Compiled SQL with every table that dbt rendered (`"db"."schema"."table"`) replaced by its dataset. In a partitioned model an input that
 * has an event time is limited to the interval, as dbt does it for a batch.
 * @returns a sentence where it cannot be carried over
 */
export function rewriteSql(sql: string, { schema, targetOf, limits }: Rewriting): Rewritten | string {
  const { parsed, mistakes } = parseStatement(sql, locator(sql));
  const [mistake] = mistakes;
  if (mistake) return mistake.message;
  if (!parsed) return 'its SQL cannot be read';
  const { text, relations } = parsed.statement;
  const ctes = ctesOf(parsed);
  const splices: Splice[] = [];
  const [reads, unlimited, bare] = [new Set<string>(), new Set<string>(), new Set<string>()];
  const limitedAt = limitsAt(parsed, ctes.injected, targetOf, limits);
  if (typeof limitedAt === 'string') return limitedAt;
  for (const [index, relation] of relations.entries()) {
    if (isSystem(relation)) continue;
    if (relation.schema === undefined) bare.add(relation.name);
    const target = targetOf(nameOf(relation, parsed.databases.get(index)));
    if (target.unreadable !== undefined) return target.unreadable;
    const { dataset } = target;
    const limit = limitedAt.has(index) ? target.eventTime?.column : undefined;
    if (dataset === undefined) reads.add(showTable({ schema: target.schema, name: target.name }));
    else if (limit === undefined) unlimited.add(dataset);
    const hidden = dataset !== undefined && ctes.names.has(dataset);
    const table = sqlName(
      dataset === undefined
        ? { schema: target.schema, name: target.name }
        : { name: dataset, ...(hidden ? { schema } : {}) },
    );
    splices.push(...splicesOf(relation, table, dataset ?? target.name, limit));
  }
  const columns = columnSplices(parsed);
  if (typeof columns === 'string') return columns;
  const written = spliced(text, [...splices, ...columns]);
  return {
    sql: written.trim(),
    reads: [...reads].sort(),
    limited: limitedAt.size > 0,
    unlimited: [...unlimited].sort(),
    bare: [...bare].sort(),
    fleeting: fleetingIn(parsed.tree),
  };
}

function nameOf({ schema = 'public', name }: Relation, database: string | undefined): DbtTable {
  return { schema, name, ...(database === undefined ? {} : { database }) };
}

/** Catalogs of PostgreSQL are the same in every project. */
function isSystem({ schema, name }: Relation): boolean {
  return schema === undefined ? name.startsWith('pg_') : isSystemSchema(schema) && schema !== 'sluice';
}

/** A table in its new words, under the name that the SQL knows it by. */
function splicesOf(
  { start, end, aliasAt, aliased, name }: Relation,
  table: string,
  known: string,
  limit?: string,
): Splice[] {
  const column = quoteIdent(limit ?? '');
  const read = limit === undefined ? table : `(SELECT * FROM ${table} WHERE ${column} >= :start AND ${column} < :end)`;
  const replaced = { start, end, text: read };
  const alias = { start: aliasAt, end: aliasAt, text: ` AS ${quoteIdent(name)}` };
  return aliased || (limit === undefined && known === name) ? [replaced] : [replaced, alias];
}

/** Of the tables that the SQL names, those that are limited to the interval, by their index. */
function limitsAt(
  { statement, databases }: Parsed,
  injected: (offset: number) => boolean,
  targetOf: Rewriting['targetOf'],
  limits: Rewriting['limits'],
): Set<number> | string {
  const limited = new Set<number>();
  const byTable = new Map<string, { table: Target; at: number[] }>();
  for (const [index, relation] of statement.relations.entries()) {
    if (!limits || relation.schema === undefined || injected(relation.start)) continue;
    const table = targetOf(nameOf(relation, databases.get(index)));
    if (table.eventTime === undefined) continue;
    const found = byTable.get(keyOf(table)) ?? { table, at: [] };
    found.at.push(index);
    byTable.set(keyOf(table), found);
  }
  for (const { table, at } of byTable.values()) {
    const answer = limits?.(table, at.length) ?? [];
    if (typeof answer === 'string') return answer;
    for (const [nth, index] of at.entries()) if (answer[nth] === true) limited.add(index);
    if (at.some((index) => limited.has(index)) && table.eventTime?.column === undefined)
      return `dbt limits ${showTable({ schema: table.schema, name: table.name })} by event_time ${table.eventTime?.sql ?? ''}, which is no column: give it one`;
  }
  return limited;
}

/** Names of all CTEs, and what is within those that dbt wrote. */
function ctesOf({ tree, statement }: Parsed): { names: Set<string>; injected: (offset: number) => boolean } {
  const names = new Set<string>();
  const within = new Set<number>();
  const offsetOf = byteOffsets(statement.text);
  const visit = (value: unknown, inside: boolean): void => {
    if (Array.isArray(value)) for (const item of value) visit(item, inside);
    if (!isNode(value)) return;
    for (const [type, child] of Object.entries(value)) {
      if (isNode(child) && type === 'RangeVar' && inside) within.add(offsetOf(Number(child['location'] ?? 0)));
      const cte: Node | undefined = type === 'CommonTableExpr' && isNode(child) ? child : undefined;
      if (cte) names.add(String(cte['ctename']));
      visit(child, inside || String(cte?.['ctename']).startsWith(INJECTED));
    }
  };
  visit(tree, false);
  return { names, injected: (offset) => within.has(offset) };
}

/** `"db"."schema"."table".column` names its table no longer once that stands elsewhere: `"table".column` does. */
function columnSplices({ statement, columns, databases }: Parsed): Splice[] | string {
  const splices: Splice[] = [];
  const tokens = scanTokens(statement.text)?.filter(({ kind }) => kind !== 'comment') ?? [];
  for (const { names, offset } of columns) {
    const index = statement.relations.findIndex(({ schema, name, aliased }, at) => {
      const parts = [databases.get(at), schema, name].filter((part) => part !== undefined);
      return (
        !aliased &&
        schema !== undefined &&
        [parts, parts.slice(-2)].some((full) => full.every((part, i) => part === names[i]))
      );
    });
    const relation = statement.relations[index];
    if (!relation) continue;
    if (
      statement.relations.some(
        ({ name, schema, aliased }) => !aliased && name === relation.name && schema !== relation.schema,
      )
    )
      return `two of its tables are called ${relation.name}: give them aliases`;
    const first = tokens.findIndex(({ start }) => start === offset);
    const parts = names[0] === relation.schema && names[1] === relation.name ? 2 : 3;
    const end = tokens[first + 2 * (parts - 1)]?.end;
    if (first < 0 || end === undefined)
      return `it names a column by the schema ${relation.schema ?? ''}: give its table an alias`;
    splices.push({ start: offset, end, text: quoteIdent(relation.name) });
  }
  return splices;
}

function spliced(text: string, splices: readonly Splice[]): string {
  // Of two at one place, an alias comes after the table that ends there.
  const ordered = [...splices].sort((a, b) => a.start - b.start || a.end - b.end);
  let written = '';
  let at = 0;
  for (const { start, end, text: piece } of ordered) {
    written += text.slice(at, start) + piece;
    at = end;
  }
  return written + text.slice(at);
}
