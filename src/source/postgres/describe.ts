import type { ExtractSpec } from '../../contracts/plan.js';
import type { PgClient } from '../../postgres/pool.js';
import { relationSql } from './extract.js';

/** A column as a query yields it, and the type under which the warehouse can keep it. */
export interface SourceColumn {
  readonly name: string;
  /** Type of the target's column: a domain's base type; text for enums and composites. */
  readonly type: string;
  /** Whether the source's own type differs, so that the query must cast. */
  readonly cast: boolean;
}

/**
 * Types whose binary form is the same on both sides of a COPY when both have this very type. jsonb → text, money and reg* corrupt
 * in silence, so what is not listed travels as text. An infinite interval (17) went into a 13 in binary and could never be read there
 * again; as text it is refused (bench/types-across.ts).
 */
const BINARY =
  /^(smallint|integer|bigint|real|double precision|numeric(\(\d+,-?\d+\))?|boolean|text|character varying(\(\d+\))?|character(\(\d+\))?|date|timestamp(\(\d\))? with(out)? time zone|time(\(\d\))? without time zone|uuid|bytea)$/;

export function movesInBinary(type: string): boolean {
  return BINARY.test(type);
}

/** Columns of an extract's table or query, in order. Runs nothing: `LIMIT 0`. */
export async function describeSource(
  client: PgClient,
  spec: Pick<ExtractSpec, 'table' | 'query' | 'params'>,
): Promise<SourceColumn[]> {
  const relation = relationSql(
    { ...spec, kind: 'extract', connection: '', columns: [] },
    { start: '2000-01-01Z', end: '2000-01-02Z' },
  );
  const { fields } = await client.query(`SELECT * FROM ${relation} AS sluice_s LIMIT 0`);
  const types = await resolveTypes(
    client,
    fields.map(({ dataTypeID, dataTypeModifier }) => [dataTypeID, dataTypeModifier]),
  );
  return fields.map(({ name }, i) => {
    const { type, cast } = types[i] ?? { type: 'text', cast: true };
    return { name, type, cast };
  });
}

/**
 * Built-in types whose values belong to one catalog (names and numbers of its objects, its roles), or that no server reads back.
 * A warehouse that resolved `flights` to a table of its own would hold another value.
 */
const OF_ONE_CATALOG = '^(reg[a-z]+|aclitem|gtsvector|pg_(node_tree|ndistinct|dependencies|mcv_list|brin_.*))$';

/**
 * For `[type, typmod]` pairs: the type the warehouse can keep. Domains are seen through, also as items of an array; what is not built in
 * is text.
 */
export async function resolveTypes(
  client: PgClient,
  pairs: readonly (readonly [number, number])[],
): Promise<{ type: string; cast: boolean }[]> {
  const { rows } = await client.query<{ type: string; cast: boolean }>(
    `WITH RECURSIVE walk AS (
       SELECT n, 0 AS depth, u.oid, u.typmod, false AS is_array, false AS cast
       FROM unnest($1::oid[], $2::int[]) WITH ORDINALITY AS u(oid, typmod, n)
       UNION ALL
       SELECT n, depth + 1, CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.typelem END,
         CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE typmod END, is_array OR t.typtype <> 'd', walk.cast OR t.typtype = 'd'
       FROM walk JOIN pg_type t ON t.oid = walk.oid LEFT JOIN pg_type item ON item.oid = t.typelem
       WHERE t.typtype = 'd' OR (item.typarray = t.oid AND NOT is_array)
     ), last AS (
       SELECT DISTINCT ON (n) walk.*, t.oid < 16384 AND t.typtype <> 'c' AND t.typname <> 'record' AND t.typname !~ $3
         AND NOT (is_array AND t.typcategory = 'A' AND t.typname LIKE '\\_%') AS kept
       FROM walk JOIN pg_type t ON t.oid = walk.oid ORDER BY n, depth DESC
     )
     SELECT CASE WHEN kept THEN format_type(oid, typmod) ELSE 'text' END || CASE WHEN is_array THEN '[]' ELSE '' END AS type,
       last.cast OR NOT kept AS cast FROM last ORDER BY n`,
    [pairs.map(([oid]) => oid), pairs.map(([, typmod]) => typmod), OF_ONE_CATALOG],
  );
  return rows;
}
