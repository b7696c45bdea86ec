/** Types with a hash of their own for certain; a row with any other column is hashed as text, which is slower and always works. */
const HASHABLE =
  /^(smallint|integer|bigint|real|double precision|numeric.*|text|character.*|date|timestamp.*|time without time zone|uuid|boolean|bytea|interval)$/;

/** SQL of a row's hash. Said in RETURNING, where the row still is at hand: to carry whole rows further cost 40 % of the insert's time. */
export function rowHash(row: string, types: readonly string[]): string {
  return types.every((type) => HASHABLE.test(type))
    ? `hash_record_extended(${row}, 0)`
    : `hashtextextended(${row}::text, 0)`;
}

/** SQL of a content digest over row hashes: a sum, so that the rows' order does not matter. */
export function digestOf(hash: string): string {
  return `coalesce(sum(${hash}), 0)::text || '/' || count(*)`;
}
