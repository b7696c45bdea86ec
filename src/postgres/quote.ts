export { quoteIdent, quoteTable } from '../contracts/table.js';

/** A string literal. Only for what COPY and DDL cannot bind; everywhere else values are bound. */
export function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}
