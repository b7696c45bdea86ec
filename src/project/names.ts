import { quoteIdent, type TableName } from '../contracts/table.js';

/** PostgreSQL cuts identifiers at 63 bytes, in silence; a longer name would not be the name of its table. */
export const IDENTIFIER_BYTES_MAX = 63;

/**
 * Names of projects, environments, connections and datasets: they become parts of workflow ids, task queues and search
 * attributes (`backfill/<project>@<environment>/<id>/<dataset>`), so `/`, `@`, `.` and spaces are left out.
 */
export { NAME } from '../contracts/request.js';
export const NAME_RULE = 'ASCII letters, digits, _ and -, not starting with a digit or -, at most 63';

const RESERVED_PREFIXES = ['sluice', 'pg_'];
/** `all` reads as a selection; `information_schema` and `public` as schemas. */
const RESERVED_WORDS = new Set(['all', 'none', 'default', 'public', 'information_schema']);

export function isReserved(name: string): boolean {
  const lower = name.toLowerCase();
  return RESERVED_WORDS.has(lower) || RESERVED_PREFIXES.some((prefix) => lower.startsWith(prefix));
}

const IDENTIFIER = String.raw`"(?:[^"\0]|"")+"|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*`;
const QUALIFIED = new RegExp(`^\\s*(?:(${IDENTIFIER})\\s*\\.\\s*)?(${IDENTIFIER})\\s*$`);

/** Schemas of PostgreSQL, and of sluice itself: the table of a dataset there would be one of theirs. */
export function isSystemSchema(name: string): boolean {
  return name === 'sluice' || name === 'information_schema' || name.startsWith('pg_');
}

/**
 * A table's name as SQL writes it: `x`, `s.x`, `"Odd Name"."X"`. Unquoted parts are folded to lower case as PostgreSQL does.
 * Undefined when `text` is not such a name, or a part is longer than PostgreSQL keeps.
 */
export function parseTableName(text: string, defaultSchema: string): TableName | undefined {
  const match = QUALIFIED.exec(text);
  if (!match?.[2]) return undefined;
  const table = { schema: match[1] === undefined ? defaultSchema : unquote(match[1]), name: unquote(match[2]) };
  return isIdentifier(table.schema) && isIdentifier(table.name) ? table : undefined;
}

/** Whether PostgreSQL keeps `text` whole as an identifier, once quoted. */
export function isIdentifier(text: string): boolean {
  return text !== '' && !text.includes('\0') && Buffer.byteLength(text) <= IDENTIFIER_BYTES_MAX;
}

function unquote(part: string): string {
  if (part.startsWith('"')) return part.slice(1, -1).replaceAll('""', '"');
  // PostgreSQL folds ASCII only, whatever the encoding: `É` stays `É`.
  return part.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** `schema.name`, quoted only where it must be, for messages and for what a person types. */
export function showTable({ schema, name }: { readonly schema?: string; readonly name: string }): string {
  const parts = schema === undefined ? [name] : [schema, name];
  return parts.map((part) => (/^[a-z_][a-z0-9_$]*$/.test(part) ? part : quoteIdent(part))).join('.');
}
