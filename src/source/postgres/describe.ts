import type { ExtractSpec } from '../../contracts/plan.js';
import { errorFacts } from '../../postgres/error.js';
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

type Relation = Pick<ExtractSpec, 'table' | 'query' | 'params'>;

/** A column with the type that its server calls by these numbers. */
interface Field {
  readonly name: string;
  readonly type: readonly [oid: number, modifier: number];
}

/** Columns of an extract's table or query, in order. Runs nothing: `LIMIT 0`. */
export async function describeSource(client: PgClient, spec: Relation): Promise<SourceColumn[]> {
  const [columns = []] = await resolved(client, [await fieldsOf(client, spec)]);
  return columns;
}

/**
 * The same of many extracts: one query for all that are tables, and one for the types of all. Null for what is not there, or cannot be read.
 * @param onQuery - called before each query
 */
export async function describeSources(
  client: PgClient,
  specs: readonly Relation[],
  onQuery: <T>(query: Promise<T>) => Promise<T>,
): Promise<(SourceColumn[] | null)[]> {
  const tables = await onQuery(tableFields(client, specs));
  const fields: (Field[] | null)[] = [];
  for (const [i, spec] of specs.entries()) {
    // Its query refused, and it is no concern of the others.
    const own = spec.table ? Promise.resolve(tables.get(i) ?? null) : fieldsOf(client, spec);
    fields.push(await onQuery(own.catch(refusedOnly)));
  }
  const known = fields.flatMap((one) => (one === null ? [] : [one]));
  const columns = await onQuery(resolved(client, known));
  return fields.map((one) => (one === null ? null : (columns.shift() ?? null)));
}

function refusedOnly(error: unknown): null {
  if (errorFacts(error).sqlstate === undefined) throw error;
  return null;
}

async function fieldsOf(client: PgClient, spec: Relation): Promise<Field[]> {
  const relation = relationSql(
    { ...spec, kind: 'extract', connection: '', columns: [] },
    { start: '2000-01-01Z', end: '2000-01-02Z' },
  );
  const { fields } = await client.query(`SELECT * FROM ${relation} AS sluice_s LIMIT 0`);
  return fields.map(({ name, dataTypeID, dataTypeModifier }) => ({ name, type: [dataTypeID, dataTypeModifier] }));
}

/** By place in `specs`. From the catalog, which takes no lock on a table that somebody may be altering. */
async function tableFields(client: PgClient, specs: readonly Relation[]): Promise<Map<number, Field[]>> {
  const { rows } = await client.query<{ n: number; name: string; oid: number; modifier: number }>(
    `SELECT u.n::int - 1 AS n, a.attname AS name, a.atttypid::bigint::float8 AS oid, a.atttypmod AS modifier
     FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u(schema, name, n)
     JOIN pg_namespace s ON s.nspname = u.schema JOIN pg_class c ON c.relnamespace = s.oid AND c.relname = u.name
     JOIN pg_attribute a ON a.attrelid = c.oid WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY u.n, a.attnum`,
    [specs.map(({ table }) => table?.schema ?? null), specs.map(({ table }) => table?.name ?? null)],
  );
  const found = new Map<number, Field[]>();
  for (const { n, name, oid, modifier } of rows) {
    const fields = found.get(n) ?? [];
    fields.push({ name, type: [oid, modifier] });
    found.set(n, fields);
  }
  return found;
}

async function resolved(client: PgClient, relations: readonly (readonly Field[])[]): Promise<SourceColumn[][]> {
  const known = new Map(relations.flat().map(({ type }) => [type.join(), type]));
  const types = await resolveTypes(client, [...known.values()]);
  const byKey = new Map([...known.keys()].map((key, i) => [key, types[i] ?? { type: 'text', cast: true }]));
  return relations.map((fields) =>
    fields.map(({ name, type }) => ({ name, ...(byKey.get(type.join()) ?? { type: 'text', cast: true }) })),
  );
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
