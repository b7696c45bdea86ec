import { createHash } from 'node:crypto';
import type { StoredDataset } from '../../contracts/plan.js';
import type { TableName } from '../../contracts/table.js';
import { quoteColumns, quoteTable } from '../../postgres/quote.js';
import type { PgClient } from '../../postgres/pool.js';
import { digestOf, rowHash } from './digest.js';
import { isHeld, isHeldEarlier, orphansSql } from './earlier.js';
import { instantOf, partitionOf, within, type TimeColumn } from '../../postgres/time.js';

/** Instants as SQL reads them. */
export interface SpanOfTime {
  readonly start: string;
  readonly end: string;
}

/** Who publishes: what the ledger keeps, and what must still be held to be allowed to. */
export interface Publisher {
  readonly project: string;
  readonly environment: string;
  readonly backfillId: string;
  readonly epoch: number;
  readonly slice: number;
  readonly attempt: number;
  /** The alternate that the rows are read from; absent: the dataset's own connection. */
  readonly readFrom?: string;
}

/** A partition's outcome, ready for the ledger. Instants as SQL reads them. */
export interface Published {
  readonly start: string;
  readonly end: string;
  readonly rows: number;
  readonly digest: string;
}

/** A publish that must not be: another attempt or another backfill has taken over. */
export class FencedError extends Error {}

/** A publish of a backfill that began on another server: its warehouse was moved, by a dump, while it ran. */
export class ServerMovedError extends Error {}

/** Rows in the way that sluice did not write. */
export class ForeignRowsError extends Error {}

/** The time column of the target; null for `grain: none`, where the partition is the table. */
export function targetTime(dataset: Pick<StoredDataset, 'time' | 'spec' | 'zone'>): TimeColumn | null {
  if (dataset.time === null) return null;
  const unit = dataset.spec.kind === 'extract' ? dataset.spec.time?.unit : undefined;
  const timezone = (dataset.spec.kind === 'extract' ? dataset.spec.time?.timezone : undefined) ?? dataset.zone;
  return { ...dataset.time, unit, timezone };
}

/** Where the rows of a batch wait that are not written to their table at once: a table of the transaction's own, gone with it. */
export const STAGING: TableName = { schema: 'pg_temp', name: 'sluice_staging' };

/** First statement of a publishing transaction. */
export const BEGIN = 'BEGIN ISOLATION LEVEL REPEATABLE READ';

/**
 * Locks the reservation and the lease of this very attempt, in the transaction that {@link BEGIN} opened. Whoever wants to take them
 * away waits for our commit; if they are gone already we are fenced, even when our backfill is long over.
 * @throws FencedError
 * @throws ServerMovedError, where the ledger is bound to another server, or was when this execution began
 */
export async function requireHeld(client: PgClient, who: Publisher, dataset: string, lo: number): Promise<void> {
  const held = await client.query<{ here: boolean | null }>({
    name: 'sluice_fence',
    text: `SELECT (SELECT s.epoch < r.epoch AND s.identity = sluice.server_identity() FROM sluice.server s) AS here FROM sluice.reservations r JOIN sluice.leases l USING (epoch)
           WHERE r.epoch = $1 AND l.dataset = $2 AND l.slice = $3 AND l.attempt = $4 AND l.lo = $5 FOR KEY SHARE`,
    values: [who.epoch, dataset, who.slice, who.attempt, lo],
  });
  if (held.rowCount !== 1) throw new FencedError('another attempt took over');
  if (held.rows[0]?.here === false)
    throw new ServerMovedError('the warehouse was moved to another server since this was planned');
}

/**
 * Empties the partitions of a batch; `merge` empties none. Rows in a partition that the ledger does not know were written by somebody
 * else: they are never touched unless the request says `overwrite`. So what is known and what is not is looked at apart, and mostly all
 * is alike.
 */
export async function openPartitions(
  client: PgClient,
  who: Publisher,
  dataset: StoredDataset,
  partitions: readonly SpanOfTime[],
  known: ReadonlySet<string>,
  overwrite: boolean,
): Promise<void> {
  for (let lo = 0, hi = 0; lo < partitions.length; lo = hi) {
    const isKnown = known.has(partitions[lo]?.start ?? '');
    hi = partitions.findIndex(({ start }, i) => i > lo && !overwrite && known.has(start) !== isKnown);
    if (hi < 0) hi = partitions.length;
    await openInterval(
      client,
      who,
      dataset,
      partitions[lo]?.start ?? '',
      partitions[hi - 1]?.end ?? '',
      overwrite || isKnown,
    );
  }
}

async function openInterval(
  client: PgClient,
  who: Publisher,
  dataset: StoredDataset,
  start: string,
  end: string,
  mayDelete: boolean,
): Promise<void> {
  const time = targetTime(dataset);
  const target = quoteTable(dataset.target);
  const where = time === null ? 'true' : within(time, '$1::timestamptz', '$2::timestamptz', 'sluice_t');
  const bounds = time === null ? [] : [start, end];
  const merges = dataset.publish === 'merge';
  const scope = [who.project, who.environment, dataset.name];
  if (mayDelete) {
    if (!merges) await client.query(named(`DELETE FROM ${target} AS sluice_t WHERE ${where}`, bounds));
  } else await openUnknown(client, dataset, where, bounds, scope);
  if (merges || time === null) return;
  for (const sql of orphansSql(dataset, time)) await client.query(named(sql, [...bounds, ...scope]));
}

/**
 * Of partitions that the ledger does not know. After a changed grain or time sluice's own rows may be there, published as partitions that
 * ended elsewhere, and rows of others between them.
 * @throws ForeignRowsError
 */
async function openUnknown(
  client: PgClient,
  dataset: StoredDataset,
  where: string,
  bounds: readonly string[],
  scope: readonly string[],
): Promise<void> {
  const time = targetTime(dataset);
  const target = quoteTable(dataset.target);
  const merges = dataset.publish === 'merge';
  const [project = '', environment = '', name = ''] = scope.map((_, i) => `$${bounds.length + i + 1}`);
  const params = { project, environment, dataset: name };
  const at = time === null ? `'-infinity'` : instantOf(time, 'sluice_t');
  const ours = `(${isHeld(at, params)} OR ${isHeldEarlier(dataset, params)})`;
  const sql = merges
    ? `SELECT count(*)::int AS n FROM (SELECT FROM ${target} AS sluice_t WHERE ${where} AND NOT ${ours} LIMIT 1) AS sluice_f`
    : `WITH gone AS (DELETE FROM ${target} AS sluice_t WHERE ${where} RETURNING ${ours} AS ours)
       SELECT count(*)::int AS n FROM gone WHERE NOT ours`;
  const { rows } = await client.query<{ n: number }>(named(sql, [...bounds, ...scope]));
  const foreign = rows[0]?.n ?? 0;
  if (foreign > 0)
    throw new ForeignRowsError(`${merges ? '' : `${foreign} `}rows of ${target} were not written by sluice`);
}

/** Prepared once a connection: a dataset runs the same few statements for every partition. */
export function named<Values>(text: string, values: Values): { name: string; text: string; values: Values } {
  return { name: `sluice_${createHash('sha1').update(text).digest('hex')}`, text, values };
}

/** What a statement built of one partition. */
interface Built {
  readonly rows: number;
  readonly digest: string;
  readonly outside: number;
}

/** Of a partition without rows: the digest is that of no row. */
const NOTHING: Built = { rows: 0, digest: '0/0', outside: 0 };

/**
 * One statement: builds an interval, and judges it. Rows, digest and rows outside the interval come back for each of the partitions that
 * begin at `starts`, which tile the interval; a row belongs to the last one that begins at or before its time.
 */
export async function insertSelect(
  client: PgClient,
  dataset: StoredDataset,
  into: TableName,
  statement: string,
  { start, end }: SpanOfTime,
  starts: readonly string[],
): Promise<Built[]> {
  const time = targetTime(dataset);
  const columns = quoteColumns(dataset.columns);
  const outside =
    time === null ? 'false' : `(${within(time, '$1::timestamptz', '$2::timestamptz', 'sluice_t')}) IS NOT TRUE`;
  const hash = rowHash('sluice_t', dataset.columns);
  const joined = starts.length > 1 && time !== null;
  const part = joined ? partitionOf(time, 'sluice_t', '$3::timestamptz[]') : '1';
  const text = `WITH sluice_i AS (INSERT INTO ${quoteTable(into)} AS sluice_t (${columns})\n${statement}
    RETURNING ${hash} AS hash, ${outside} AS outside, ${part} AS part)
    SELECT part, count(*)::float8 AS rows, ${digestOf('hash')} AS digest, count(*) FILTER (WHERE outside)::float8 AS outside,
      $1::timestamptz IS NULL OR $2::timestamptz IS NULL AS unused FROM sluice_i GROUP BY part`;
  const { rows } = await client.query<Built & { part: number | null }>(
    named(text, [start, end, ...(joined ? [starts] : [])]),
  );
  // Without a time, or before the first partition: outside of every one.
  const astray = rows.filter(({ part: n }) => n === null || n === 0).reduce((sum, one) => sum + one.rows, 0);
  const found = new Map(rows.map((row) => [row.part, row]));
  return starts.map((_, i) => {
    const built = found.get(i + 1) ?? NOTHING;
    return i === 0 ? { ...built, outside: built.outside + astray } : built;
  });
}
