import type { TableName } from '../project/project.js';

/** An identifier as SQL writes it, always quoted: capitals, spaces, quotes and Unicode are then all alike. */
export function quoteIdent(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function quoteTable({ schema, name }: TableName): string {
  return `${quoteIdent(schema)}.${quoteIdent(name)}`;
}

/** A string literal. Only for what COPY and DDL cannot bind; everywhere else values are bound. */
export function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}
