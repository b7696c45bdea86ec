/** A table's name as the catalog spells it (not quoted). */
export interface TableName {
  readonly schema: string;
  readonly name: string;
}

/** An identifier as SQL writes it, always quoted: capitals, spaces, quotes and Unicode are then all alike. */
export function quoteIdent(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** `"schema"."name"`, for SQL. */
export function quoteTable({ schema, name }: TableName): string {
  return `${quoteIdent(schema)}.${quoteIdent(name)}`;
}
