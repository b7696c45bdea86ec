import type { ExtractSpec } from '../../contracts/plan.js';
import { chunkAxis, chunkCount, pageBorders, rangesBetween, type ChunkAxis } from '../../core/slice/chunks.js';
import { errorFacts } from '../../postgres/error.js';
import type { PgClient } from '../../postgres/pool.js';
import { quoteIdent, quoteLiteral, quoteTable } from '../../postgres/quote.js';
import { estimateRead } from './estimate.js';
import { relationSql, sourceTime, whereSql, type SqlInterval } from './extract.js';

/** `[low, high)` of a read, in pages or time; null is open. */
export interface ChunkRange {
  readonly low: string | null;
  readonly high: string | null;
}

export interface Chunking {
  readonly axis: ChunkAxis;
  readonly ranges: readonly ChunkRange[];
}

/** A sample of this many pages for each border: borders a few percent off do no harm. */
const SAMPLE_PAGES = 50;

/**
 * Divides a read into chunks of about `chunkRows`; one where it cannot be divided. Right for any borders: these only decide how alike
 * chunks are in size.
 */
export async function divide(
  client: PgClient,
  spec: ExtractSpec,
  interval: SqlInterval,
  chunkRows: number,
): Promise<Chunking> {
  const whole: Chunking = { axis: null, ranges: [{ low: null, high: null }] };
  if (!spec.table) return whole;
  const { rows, scans } = await estimateRead(client, spec, interval);
  const table = await shapeOf(client, quoteTable(spec.table));
  const timed = spec.time !== undefined;
  const axis = chunkAxis({ scans: scans || !timed, pages: table.ranged, time: table.sampled && timed });
  const count = chunkCount(rows, chunkRows);
  if (axis === null || count === 1) return whole;
  const pages = table.pages * Math.min(1, rows / table.rows);
  const borders =
    axis === 'pages' ? pageBorders(table.pages, count) : await timeBorders(client, spec, interval, count, pages);
  return { axis, ranges: rangesBetween(borders) };
}

interface TableShape {
  readonly ranged: boolean;
  readonly sampled: boolean;
  readonly pages: number;
  readonly rows: number;
}

/** Ranges of pages are read on their own since 14; before, each would scan the table. Of a partitioned table each partition has a page 0. */
async function shapeOf(client: PgClient, table: string): Promise<TableShape> {
  const { rows } = await client.query<TableShape>(
    `SELECT c.relkind IN ('r', 'm') AND current_setting('server_version_num')::int >= 140000 AS ranged, c.relkind IN ('r', 'm') AS sampled,
       CASE WHEN c.relkind IN ('r', 'm') THEN pg_relation_size(c.oid) / current_setting('block_size')::int ELSE 0 END::float8 AS pages,
       greatest(c.reltuples, 1)::float8 AS rows
     FROM pg_class c WHERE c.oid = $1::regclass`,
    [table],
  );
  const [shape] = rows;
  if (!shape) throw new Error('the catalog answered without a row');
  return shape;
}

/** Values that part the interval's rows into `count` parts about alike, by a sample of its `pages`: the same ones for the same table. */
async function timeBorders(
  client: PgClient,
  spec: ExtractSpec,
  interval: SqlInterval,
  count: number,
  pages: number,
): Promise<string[]> {
  const time = sourceTime(spec);
  if (time === null) return [];
  const percent = Math.min(100, (100 * SAMPLE_PAGES * count) / Math.max(1, pages));
  const { rows } = await client.query<{ border: string }>(
    `SELECT b::text AS border FROM (SELECT percentile_disc($1::float8[]) WITHIN GROUP (ORDER BY sluice_s.${quoteIdent(time.column)}) AS all_b
       FROM ${relationSql(spec, interval)} AS sluice_s TABLESAMPLE SYSTEM (${percent}) REPEATABLE (0)${whereSql(spec, interval)}) AS p, unnest(all_b) AS b`,
    [Array.from({ length: count - 1 }, (_, i) => (i + 1) / count)],
  );
  return rows.map(({ border }) => border);
}

/** The conditions of a chunk on `sluice_s`. */
export function rangeSql(spec: ExtractSpec, axis: ChunkAxis, { low, high }: ChunkRange): string[] {
  const time = sourceTime(spec);
  const column = axis === 'pages' ? 'ctid' : quoteIdent(time?.column ?? '');
  const at = (border: string): string =>
    axis === 'pages' ? `'(${Number(border)},0)'::tid` : `${quoteLiteral(border)}::${time?.type ?? ''}`;
  return [
    ...(low === null ? [] : [`sluice_s.${column} >= ${at(low)}`]),
    ...(high === null ? [] : [`sluice_s.${column} < ${at(high)}`]),
  ];
}

/** A snapshot of a source that other connections can read under, while the transaction that made it lasts. */
export interface SharedSnapshot {
  readonly id: string;
  /** `era:xid`: of the source's server in its present life, lower transaction ids had ended when it was taken. */
  readonly xmin: string;
}

/**
 * In another life ids are given again: a server restored from a dump is another, and a standby that was promoted, or a server that was taken
 * back to an earlier moment, goes on in another timeline.
 */
const ERA = `SELECT system_identifier || '.' || CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id::text FROM pg_control_checkpoint())
    ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END AS era FROM pg_control_system()`;

/** Empty where this role may not know. */
async function eraOf(client: PgClient): Promise<string> {
  try {
    const { rows } = await client.query<{ era: string }>(ERA);
    return rows[0]?.era ?? '';
  } catch (error) {
    if (['42501', '42883', '0A000'].includes(errorFacts(error).sqlstate ?? '')) return '';
    throw error;
  }
}

/** Opens a transaction, and shares what it sees. It waits idle for as long as others read, so it has no time limit. */
export async function shareSnapshot(client: PgClient): Promise<SharedSnapshot> {
  const era = await eraOf(client);
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  await client.query('SET LOCAL idle_in_transaction_session_timeout = 0');
  const { rows } = await client.query<SharedSnapshot>(
    `SELECT pg_export_snapshot() AS id, (pg_snapshot_xmin(pg_current_snapshot())::text::numeric % 4294967296)::text AS xmin`,
  );
  const [snapshot] = rows;
  if (!snapshot) throw new Error('the source shares no snapshot');
  return { ...snapshot, xmin: `${era}:${snapshot.xmin}` };
}

/** Opens a transaction that sees what the shared snapshot does. */
export async function joinSnapshot(client: PgClient, { id }: SharedSnapshot): Promise<void> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  await client.query(`SET TRANSACTION SNAPSHOT ${quoteLiteral(id)}`);
  await client.query('SET LOCAL idle_in_transaction_session_timeout = 0');
}

/**
 * Whether a chunk that was read before holds what this transaction sees. Where every row of the range was written by a transaction that had ended
 * then, it was visible then; and as many as were read then are all of them. A row whose age cannot be told counts as new, and so does all of a
 * chunk that was read in another life of the server than `now` is of.
 */
export async function isUnchanged(
  client: PgClient,
  spec: ExtractSpec,
  interval: SqlInterval,
  axis: ChunkAxis,
  chunk: ChunkRange & { readonly rows: number; readonly xmin: string },
  now: SharedSnapshot,
): Promise<boolean> {
  // A query's rows carry no transaction.
  if (!spec.table || axis === null) return false;
  const [[era, xmin], [present]] = [chunk.xmin.split(':'), now.xmin.split(':')];
  if (!era || xmin === undefined || era !== present) return false;
  const { rows } = await client.query<{ same: boolean }>(
    `SELECT count(*) = $1::bigint AND NOT coalesce(bool_or(age(sluice_s.xmin) <= age($2::text::xid)), false) AS same
     FROM ${relationSql(spec, interval)} AS sluice_s${whereSql(spec, interval, rangeSql(spec, axis, chunk))}`,
    [chunk.rows, xmin],
  );
  return rows[0]?.same === true;
}
