import { quoteIdent } from '../../contracts/table.js';
import { showTable } from '../names.js';
import { parseStatement } from '../sql/statement.js';
import { locator } from '../text.js';

/** What a table of compiled SQL is, in the project that is made. */
export interface Target {
  /** The dataset that it becomes; else it stays a table outside the project. */
  readonly dataset?: string;
  readonly schema: string;
  readonly name: string;
  /** Its event time, where dbt filters it by batch. */
  readonly eventTime?: string;
  /** Why it cannot be read, if it cannot. */
  readonly unreadable?: string;
}

export interface Rewritten {
  readonly sql: string;
  /** Tables outside the project, as under `reads:`. */
  readonly reads: readonly string[];
  /** Whether something it reads is limited to the interval. */
  readonly limited: boolean;
}

interface Name {
  readonly database?: string;
  readonly schema: string;
  readonly name: string;
}

/**
 * Compiled SQL with every table that dbt rendered (`"db"."schema"."table"`) replaced by its dataset. In a partitioned model an input that
 * has an event time is limited to the interval, as dbt does it for a batch.
 * @returns a sentence where it cannot be carried over
 */
export function rewriteSql(sql: string, targetOf: (name: Name) => Target, partitioned: boolean): Rewritten | string {
  const { parsed, mistakes } = parseStatement(sql, locator(sql));
  const [mistake] = mistakes;
  if (mistake) return mistake.message;
  if (!parsed) return 'its SQL cannot be read';
  const reads = new Set<string>();
  let limited = false;
  let written = parsed.statement.text;
  for (const [index, relation] of [...parsed.statement.relations.entries()].toReversed()) {
    const { schema = 'public', name, start, end, aliasAt, aliased } = relation;
    const database = parsed.databases.get(index);
    const target = targetOf({ schema, name, ...(database === undefined ? {} : { database }) });
    if (target.unreadable !== undefined) return target.unreadable;
    const table = showTable(target.dataset === undefined ? target : { name: target.dataset });
    if (target.dataset === undefined) reads.add(table);
    const limit = partitioned && target.eventTime !== undefined;
    limited ||= limit;
    const column = quoteIdent(target.eventTime ?? '');
    const read = limit ? `(SELECT * FROM ${table} WHERE ${column} >= :start AND ${column} < :end)` : table;
    const known = target.dataset ?? target.name;
    const alias = aliased || (!limit && known === name) ? '' : ` AS ${quoteIdent(name)}`;
    written = `${written.slice(0, start)}${read}${written.slice(end, aliasAt)}${alias}${written.slice(aliasAt)}`;
  }
  return { sql: written.trim(), reads: [...reads].sort(), limited };
}
