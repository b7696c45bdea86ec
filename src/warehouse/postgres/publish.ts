import { createHash } from 'node:crypto';
import type { StoredDataset } from '../../contracts/plan.js';
import type { TableName } from '../../contracts/table.js';
import { quoteIdent, quoteTable } from '../../postgres/quote.js';
import type { PgClient } from '../../postgres/pool.js';
import { digestOf, rowHash } from './digest.js';
import { partitionOf, within, type TimeColumn } from '../../postgres/time.js';

/** Instants as SQL reads them. */
interface SpanOfTime {
  readonly start: string;
  readonly end: string;
}

/** All that the ledger keeps of a dataset. */
type Versioned = Pick<StoredDataset, 'name' | 'version'>;

/** Who publishes: what the ledger keeps, and what must still be held to be allowed to. */
export interface Publisher {
  readonly project: string;
  readonly environment: string;
  readonly backfillId: string;
  readonly epoch: number;
  readonly slice: number;
  readonly attempt: number;
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

/** Rows in the way that sluice did not write. */
export class ForeignRowsError extends Error {}

/** The time column of the target; null for `grain: none`, where the partition is the table. */
export function targetTime(dataset: StoredDataset): TimeColumn | null {
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
 */
export async function requireHeld(client: PgClient, who: Publisher, dataset: string, lo: number): Promise<void> {
  const held = await client.query({
    name: 'sluice_fence',
    text: `SELECT 1 FROM sluice.reservations r JOIN sluice.leases l USING (epoch)
           WHERE r.epoch = $1 AND l.dataset = $2 AND l.slice = $3 AND l.attempt = $4 AND l.lo = $5 FOR KEY SHARE`,
    values: [who.epoch, dataset, who.slice, who.attempt, lo],
  });
  if (held.rowCount !== 1) throw new FencedError('another attempt took over');
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
  const where = time === null ? '' : ` WHERE ${within(time, '$1::timestamptz', '$2::timestamptz')}`;
  const merges = dataset.publish === 'merge';
  if (merges && mayDelete) return;
  const sql = merges ? `SELECT 1 FROM ${target}${where} LIMIT 1` : `DELETE FROM ${target}${where}`;
  const { rowCount } = await client.query(named(sql, time === null ? [] : [start, end]));
  if ((rowCount ?? 0) > 0 && !mayDelete && !(await isPublished(client, who, dataset.name, start, end))) {
    throw new ForeignRowsError(`${merges ? '' : `${rowCount} `}rows of ${target} were not written by sluice`);
  }
}

/** Prepared once a connection: a dataset runs the same few statements for every partition. */
function named<Values>(text: string, values: Values): { name: string; text: string; values: Values } {
  return { name: `sluice_${createHash('sha1').update(text).digest('hex')}`, text, values };
}

/** Whether the ledger has any row that overlaps the interval; its rows do not overlap one another, so two probes tell. */
async function isPublished(
  client: PgClient,
  who: Publisher,
  dataset: string,
  start: string,
  end: string,
): Promise<boolean> {
  const { rowCount } = await client.query({
    name: 'sluice_published',
    text: `SELECT 1 FROM (SELECT starts_at, ends_at FROM sluice.partitions
             WHERE project = $1 AND environment = $2 AND dataset = $3 AND starts_at < $5::timestamptz
             ORDER BY starts_at DESC LIMIT 1) p WHERE ends_at > $4::timestamptz`,
    values: [who.project, who.environment, dataset, start, end],
  });
  return (rowCount ?? 0) > 0;
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
  const columns = dataset.columns.map(({ name }) => quoteIdent(name)).join(', ');
  const outside =
    time === null ? 'false' : `(${within(time, '$1::timestamptz', '$2::timestamptz', 'sluice_t')}) IS NOT TRUE`;
  const hash = rowHash(
    'sluice_t',
    dataset.columns.map(({ type }) => type),
  );
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

/**
 * The ledger rows of a batch, in the transaction that publishes its data. Older rows that overlap (a changed grain) go.
 * @param snapshot - what the batch saw of its inputs, where that was not in this transaction
 */
export async function writeLedger(
  client: PgClient,
  who: Publisher,
  dataset: Versioned,
  published: readonly Published[],
  snapshot: string | null = null,
): Promise<void> {
  const starts = published.map(({ start }) => start);
  const ends = published.map(({ end }) => end);
  const keys = [who.project, who.environment, dataset.name];
  await client.query({
    name: 'sluice_ledger',
    text: `WITH gone AS (DELETE FROM sluice.partitions p WHERE project = $1 AND environment = $2 AND dataset = $3
        AND starts_at <> ALL ($4::timestamptz[]) AND ends_at > $11::timestamptz AND starts_at < $12::timestamptz
        AND starts_at >= coalesce((SELECT max(starts_at) FROM sluice.partitions
          WHERE project = $1 AND environment = $2 AND dataset = $3 AND starts_at <= $11::timestamptz), '-infinity'))
      INSERT INTO sluice.partitions AS p (project, environment, dataset, starts_at, ends_at, rows, digest,
        backfill_id, version, epoch, first_xid, changed_xid, xid, snapshot)
      SELECT $1, $2, $3, u.starts_at, u.ends_at, u.rows, u.digest, $8, $9, $10,
        pg_current_xact_id(), pg_current_xact_id(), pg_current_xact_id(), coalesce($13::pg_snapshot, pg_current_snapshot())
      FROM unnest($4::timestamptz[], $5::timestamptz[], $6::bigint[], $7::text[]) AS u(starts_at, ends_at, rows, digest)
      ON CONFLICT (project, environment, dataset, starts_at) DO UPDATE SET
        ends_at = excluded.ends_at, rows = excluded.rows, digest = excluded.digest, backfill_id = excluded.backfill_id,
        version = excluded.version, epoch = excluded.epoch, xid = excluded.xid, snapshot = excluded.snapshot,
        published_at = clock_timestamp(), publish_id = gen_random_uuid(), moved = false,
        changed_xid = CASE WHEN p.digest = excluded.digest THEN p.changed_xid ELSE excluded.xid END`,
    values: [
      ...keys,
      starts,
      ends,
      published.map(({ rows }) => rows),
      published.map(({ digest }) => digest),
      who.backfillId,
      dataset.version,
      who.epoch,
      starts[0],
      ends.at(-1),
      snapshot,
    ],
  });
}

/** What the ledger holds of a batch's partitions, by their starts. */
export interface BatchInLedger {
  /** Rows of those that this very execution has published already: what a retry need not redo. */
  readonly ours: ReadonlyMap<string, number>;
  /** Those that anybody has published. */
  readonly known: ReadonlySet<string>;
}

export async function ledgerOf(
  client: PgClient,
  who: Publisher,
  dataset: Versioned,
  starts: readonly string[],
): Promise<BatchInLedger> {
  const { rows } = await client.query<{ n: number; rows: number; ours: boolean }>({
    name: 'sluice_known',
    text: `SELECT u.n::int AS n, p.rows::float8 AS rows, p.epoch = $5 AND p.version = $6 AS ours
      FROM unnest($4::timestamptz[]) WITH ORDINALITY AS u(starts_at, n)
      JOIN sluice.partitions p ON p.project = $1 AND p.environment = $2 AND p.dataset = $3 AND p.starts_at = u.starts_at`,
    values: [who.project, who.environment, dataset.name, starts, who.epoch, dataset.version],
  });
  const startOf = (n: number): string => starts[n - 1] ?? '';
  return {
    ours: new Map(rows.filter(({ ours }) => ours).map(({ n, rows: count }) => [startOf(n), count])),
    known: new Set(rows.map(({ n }) => startOf(n))),
  };
}
