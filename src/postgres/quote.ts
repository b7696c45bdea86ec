import { quoteIdent, quoteTable } from '../contracts/table.js';

export { quoteIdent, quoteTable };

/** A list of columns. */
export function quoteColumns(columns: readonly { readonly name: string }[]): string {
  return columns.map(({ name }) => quoteIdent(name)).join(', ');
}

/** A string literal. Only for what COPY and DDL cannot bind; everywhere else values are bound. */
export function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}
