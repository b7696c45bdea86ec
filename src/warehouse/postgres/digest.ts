import type { ColumnSpec } from '../../contracts/plan.js';
import { quoteIdent } from '../../postgres/quote.js';

/**
 * SQL of a row's hash. Said in RETURNING, where the row still is at hand: to carry whole rows further cost 40 % of the insert's time.
 *
 * It is one of the bytes that the row's columns would be sent as in binary, and so tells apart whatever a reader can tell apart. The hash of the
 * types themselves (`hash_record_extended`) is one of equality, by which '30 days' is '1 mon', 1.5 is 1.50 and 0 is -0. Text would do as well,
 * if it did not follow DateStyle, TimeZone and others of the session; the bytes follow nothing, and are the same on every major. Columns go
 * in by their names: their order in a table or in a query says nothing. Decision 0019 has what it costs.
 */
export function rowHash(row: string, columns: readonly Pick<ColumnSpec, 'name'>[]): string {
  const inOrder = columns.map(({ name }) => name).sort();
  const list = inOrder.map((name) => `${row}.${quoteIdent(name)}`).join(', ');
  return `hash_array_extended(ARRAY[record_send(ROW(${list}))], 0)`;
}

/** SQL of a content digest over row hashes: a sum, so that the rows' order does not matter. */
export function digestOf(hash: string): string {
  return `coalesce(sum(${hash}), 0)::text || '/' || count(*)`;
}
