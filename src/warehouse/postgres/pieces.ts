import { createHash } from 'node:crypto';
import type { TableName } from '../../contracts/table.js';
import type { Interval } from '../../core/interval/interval.js';
import { normalize, type IntervalSet } from '../../core/interval/set.js';
import { localAt } from '../../core/time/zone.js';
import type { PgClient } from '../../postgres/pool.js';
import { quoteIdent, quoteLiteral, quoteTable } from '../../postgres/quote.js';
import { instantOf, isZoneless, PER_SECOND, type TimeColumn } from '../../postgres/time.js';

/** How a partitioned table is cut; a *piece* is one of its PostgreSQL partitions. */
export interface Partitioning {
  /** As in PARTITION BY: `RANGE (at)`. */
  readonly by: string;
  /** Whether an index keeps the dataset's key unique over all pieces. */
  readonly hasUniqueKey: boolean;
  /** Whether it is cut by ranges of the time column alone. */
  readonly isByTime: boolean;
  /** What the pieces hold where it is cut by time: all of it where one is the default. */
  readonly cover: IntervalSet;
}

export async function describePartitioning(
  client: PgClient,
  target: TableName,
  key: readonly string[],
  time: TimeColumn | null,
): Promise<Partitioning> {
  const { rows } = await client.query<{ by: string; ranged: string | null; has_default: boolean; unique: boolean }>(
    `SELECT pg_get_partkeydef(p.partrelid) AS by, p.partdefid <> 0 AS has_default,
       (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
          AND p.partstrat = 'r' AND p.partnatts = 1) AS ranged,
       EXISTS (SELECT 1 FROM pg_index i CROSS JOIN LATERAL (SELECT array_agg(a.attname::text) AS names
           FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(num, n) LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num
           WHERE k.n <= i.indnkeyatts) AS c
         WHERE i.indrelid = p.partrelid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
           AND c.names @> $2::text[] AND c.names <@ $2::text[]) AS "unique"
     FROM pg_partitioned_table p WHERE p.partrelid = $1::regclass`,
    [quoteTable(target), key],
  );
  const [row] = rows;
  if (!row) throw new Error(`${quoteTable(target)} is not partitioned`);
  const isByTime = time !== null && row.ranged === time.column;
  const everything = [{ start: -Infinity, end: Infinity }];
  const cover = !isByTime || row.has_default ? everything : await coverOf(client, target, time);
  return { by: row.by, hasUniqueKey: row.unique, isByTime, cover };
}

/** What the pieces hold. Bounds come back in the column's own type, as PostgreSQL prints them: `('2024-01-01') TO (MAXVALUE)`. */
async function coverOf(client: PgClient, target: TableName, time: TimeColumn): Promise<IntervalSet> {
  const value = (bound: string): string =>
    `CASE WHEN ${bound} = 'MINVALUE' THEN '-infinity' WHEN ${bound} = 'MAXVALUE' THEN 'infinity'
       ELSE (SELECT extract(epoch FROM ${instantOf(time, 'v')}) * 1000 FROM (SELECT trim('''' FROM ${bound})::${time.type} AS ${quoteIdent(time.column)}) AS v)::float8 END`;
  const { rows } = await client.query<Interval>(
    `SELECT ${value('b[1]')} AS start, ${value('b[2]')} AS end FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     CROSS JOIN LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid), '^FOR VALUES FROM \\((.+)\\) TO \\((.+)\\)$') AS b
     WHERE i.inhparent = $1::regclass AND b IS NOT NULL`,
    [quoteTable(target)],
  );
  return normalize(rows);
}

export interface Piece {
  readonly name: TableName;
  /** `FROM ('2024-01-01') TO ('2024-02-01')`. */
  readonly bounds: string;
}

/** A piece as it will be made: `flights_2024_03`, `flights_2024`; where another one has part of its month or year, with the day too. */
export function pieceOf(target: TableName, time: TimeColumn, grain: 'month' | 'year', interval: Interval): Piece {
  const { start, end } = interval;
  const [year = '', month = '', day = ''] = new Date(localAt(time.timezone, start))
    .toISOString()
    .slice(0, 10)
    .split('-');
  const parts = day !== '01' ? [year, month, day] : grain === 'month' || month !== '01' ? [year, month] : [year];
  const suffix = `_${parts.join('_')}`;
  return {
    name: { schema: target.schema, name: `${shortened(target.name, suffix.length)}${suffix}` },
    bounds: `FROM (${boundLiteral(time, start)}) TO (${boundLiteral(time, end)})`,
  };
}

/** At most 63 bytes with its suffix: a hash of the whole name keeps long ones apart. */
function shortened(name: string, suffix: number): string {
  if (Buffer.byteLength(name) + suffix <= 63) return name;
  return `${Array.from(name).slice(0, 10).join('')}_${createHash('sha256').update(name).digest('hex').slice(0, 6)}`;
}

/** A border in the column's own type. PARTITION OF binds nothing. */
function boundLiteral({ type, unit, timezone }: TimeColumn, instant: number): string {
  if (unit !== undefined) return `'${(BigInt(instant) * BigInt(PER_SECOND[unit])) / 1000n}'`;
  if (!isZoneless(type)) return quoteLiteral(new Date(instant).toISOString());
  const local = new Date(localAt(timezone, instant)).toISOString();
  return quoteLiteral(type === 'date' ? local.slice(0, 10) : local.slice(0, -1));
}

/** As a person would type it. */
export function pieceSql(target: TableName, { name, bounds }: Piece): string {
  return `CREATE TABLE ${quoteTable(name)} PARTITION OF ${quoteTable(target)} FOR VALUES ${bounds}`;
}

/**
 * As sluice makes it: attached, which lets readers and writers go on. CREATE TABLE … PARTITION OF would lock them out, and wait for the
 * longest query on the table before. Indexes come with it.
 */
export function pieceDdl(target: TableName, { name, bounds }: Piece): string[] {
  return [
    `CREATE TABLE ${quoteTable(name)} (LIKE ${quoteTable(target)} INCLUDING ALL EXCLUDING IDENTITY EXCLUDING INDEXES)`,
    `ALTER TABLE ${quoteTable(target)} ATTACH PARTITION ${quoteTable(name)} FOR VALUES ${bounds}`,
  ];
}

/** Those of `names` that something has already. */
export async function takenNames(client: PgClient, names: readonly TableName[]): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    'SELECT name FROM unnest($1::text[]) AS n(name) WHERE to_regclass(name) IS NOT NULL',
    [names.map(quoteTable)],
  );
  return rows.map(({ name }) => name);
}
