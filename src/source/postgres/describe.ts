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
  readonly nullable: boolean;
}

/**
 * Types whose binary form is the same on both sides of a COPY when both have this very type. jsonb → text, money and reg* corrupt
 * in silence, so what is not listed travels as text.
 */
const BINARY =
  /^(smallint|integer|bigint|real|double precision|numeric(\(\d+,-?\d+\))?|boolean|text|character varying(\(\d+\))?|character(\(\d+\))?|date|timestamp(\(\d\))? with(out)? time zone|time(\(\d\))? without time zone|uuid|bytea|interval)$/;

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
  const notNull = await notNullColumns(
    client,
    fields.map(({ tableID, columnID }) => [tableID, columnID]),
  );
  return fields.map(({ name }, i) => {
    const { type, cast } = types[i] ?? { type: 'text', cast: true };
    return { name, type, cast, nullable: notNull[i] !== true };
  });
}

/** For `[type, typmod]` pairs: the type the warehouse can keep. User-defined types are seen through to what is built in. */
export async function resolveTypes(
  client: PgClient,
  pairs: readonly (readonly [number, number])[],
): Promise<{ type: string; cast: boolean }[]> {
  const { rows } = await client.query<{ type: string; cast: boolean }>(
    `WITH RECURSIVE base AS (
       SELECT n, u.oid AS asked, u.oid, u.typmod FROM unnest($1::oid[], $2::int[]) WITH ORDINALITY AS u(oid, typmod, n)
       UNION ALL
       SELECT n, asked, t.typbasetype, t.typtypmod FROM base JOIN pg_type t ON t.oid = base.oid WHERE t.typtype = 'd'
     ), last AS (SELECT DISTINCT ON (n) base.* FROM base JOIN pg_type t ON t.oid = base.oid WHERE t.typtype <> 'd' ORDER BY n)
     SELECT CASE WHEN last.oid < 16384 THEN format_type(last.oid, last.typmod)
                 WHEN t.typcategory = 'A' THEN 'text[]' ELSE 'text' END AS type,
            last.oid >= 16384 OR last.oid <> asked AS cast
     FROM last JOIN pg_type t ON t.oid = last.oid ORDER BY n`,
    [pairs.map(([oid]) => oid), pairs.map(([, typmod]) => typmod)],
  );
  return rows;
}

async function notNullColumns(client: PgClient, columns: readonly (readonly [number, number])[]): Promise<boolean[]> {
  const { rows } = await client.query<{ not_null: boolean }>(
    `SELECT coalesce(a.attnotnull, false) AS not_null FROM unnest($1::oid[], $2::int[]) WITH ORDINALITY AS u(rel, num, n)
     LEFT JOIN pg_attribute a ON a.attrelid = u.rel AND a.attnum = u.num ORDER BY n`,
    [columns.map(([table]) => table), columns.map(([, column]) => column)],
  );
  return rows.map((row) => row.not_null);
}
