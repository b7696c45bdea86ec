import { createHash } from 'node:crypto';
import type { StoredDataset } from '../../contracts/plan.js';
import { quoteIdent, quoteTable } from '../../postgres/quote.js';
import type { PgClient } from '../../postgres/pool.js';
import { within, type TimeColumn } from '../../postgres/time.js';

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

/**
 * Opens the publishing transaction and locks the reservation and the lease of this very attempt. Whoever wants to take them
 * away waits for our commit; if they are gone already we are fenced, even when our backfill is long over.
 */
export async function beginPublish(client: PgClient, who: Publisher, dataset: string, lo: number): Promise<void> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  const held = await client.query({
    name: 'sluice_fence',
    text: `SELECT 1 FROM sluice.reservations r JOIN sluice.leases l USING (epoch)
           WHERE r.epoch = $1 AND l.dataset = $2 AND l.slice = $3 AND l.attempt = $4 AND l.lo = $5 FOR KEY SHARE`,
    values: [who.epoch, dataset, who.slice, who.attempt, lo],
  });
  if (held.rowCount !== 1) throw new FencedError('another attempt took over');
}

/** Deletes the rows of `[start, end)` from the target; answers how many. */
async function deleteInterval(client: PgClient, dataset: StoredDataset, start: string, end: string): Promise<number> {
  const time = targetTime(dataset);
  const target = quoteTable(dataset.target);
  const sql = time === null ? `DELETE FROM ${target}` : `DELETE FROM ${target} WHERE ${within(time, '$1::timestamptz', '$2::timestamptz')}`;
  const { rowCount } = await client.query(named(sql, time === null ? [] : [start, end]));
  return rowCount ?? 0;
}

/** Adjacent partitions, ascending, and where they begin in the plan. */
interface ToEmpty {
  readonly who: Publisher;
  readonly dataset: StoredDataset;
  readonly lo: number;
  readonly partitions: readonly Pick<Published, 'start' | 'end'>[];
  readonly overwrite: boolean;
}

/**
 * Empties the partitions of a batch, in the transaction of {@link beginPublish}. Rows in a partition that the ledger does not
 * know were written by somebody else: they are never deleted unless the request says `overwrite`.
 */
export async function emptyPartitions(client: PgClient, { who, dataset, lo, partitions, overwrite }: ToEmpty): Promise<void> {
  const [start, end] = [partitions[0]?.start ?? '', partitions.at(-1)?.end ?? ''];
  const deleted = await deleteInterval(client, dataset, start, end);
  if (deleted === 0 || overwrite) return;
  const unknown = await unpublished(client, who, dataset.name, partitions);
  if (unknown.length === 0) return;
  let foreign = deleted;
  if (unknown.length < partitions.length) {
    // Only some are published, and rows that are gone tell no partition: back, and look where they lie.
    await client.query('ROLLBACK');
    await beginPublish(client, who, dataset.name, lo);
    foreign = 0;
    for (const one of unknown) foreign += await deleteInterval(client, dataset, one.start, one.end);
  }
  if (foreign > 0) throw new ForeignRowsError(`${foreign} rows of ${quoteTable(dataset.target)} were not written by sluice`);
  await deleteInterval(client, dataset, start, end);
}

/** The partitions that no row of the ledger overlaps; its rows do not overlap one another, so two probes tell. */
async function unpublished(client: PgClient, who: Publisher, dataset: string, partitions: ToEmpty['partitions']): Promise<{ start: string; end: string }[]> {
  const { rows } = await client.query<{ start: string; end: string }>({
    name: 'sluice_unpublished',
    text: `SELECT u.starts AS start, u.ends AS end FROM unnest($4::text[], $5::text[]) AS u(starts, ends) WHERE NOT EXISTS (
             SELECT 1 FROM (SELECT starts_at, ends_at FROM sluice.partitions
               WHERE project = $1 AND environment = $2 AND dataset = $3 AND starts_at < u.ends::timestamptz
               ORDER BY starts_at DESC LIMIT 1) p WHERE p.ends_at > u.starts::timestamptz)`,
    values: [who.project, who.environment, dataset, partitions.map(({ start }) => start), partitions.map(({ end }) => end)],
  });
  return rows;
}

/** Prepared once a connection: a dataset runs the same few statements for every partition. */
function named(text: string, values: string[]): { name: string; text: string; values: string[] } {
  return { name: `sluice_${createHash('sha1').update(text).digest('hex')}`, text, values };
}

/** One statement: builds the interval, and judges it. Rows outside it and their count come back with the digest. */
export async function insertSelect(
  client: PgClient, dataset: StoredDataset, statement: string, start: string, end: string, digest: string,
): Promise<{ rows: number; digest: string; outside: number }> {
  const time = targetTime(dataset);
  const columns = dataset.columns.map(({ name }) => quoteIdent(name)).join(', ');
  const outside =
    time === null
      ? '0'
      : `count(*) FILTER (WHERE (${within(time, '$1::timestamptz', '$2::timestamptz', 'sluice_i')}) IS NOT TRUE)`;
  const text = `WITH sluice_i AS (INSERT INTO ${quoteTable(dataset.target)} AS sluice_t (${columns})\n${statement}\nRETURNING sluice_t.*)
    SELECT count(*)::float8 AS rows, ${digest} AS digest, ${outside}::float8 AS outside,
      $1::timestamptz IS NULL OR $2::timestamptz IS NULL AS unused FROM sluice_i`;
  const { rows } = await client.query<{ rows: number; digest: string; outside: number }>(named(text, [start, end]));
  const [result] = rows;
  if (!result) throw new Error('INSERT … SELECT answered without a row');
  return result;
}

/** The ledger rows of a batch, in the transaction that publishes its data. Older rows that overlap (a changed grain) go. */
export async function writeLedger(client: PgClient, who: Publisher, dataset: StoredDataset, published: readonly Published[]): Promise<void> {
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
        pg_current_xact_id(), pg_current_xact_id(), pg_current_xact_id(), pg_current_snapshot()
      FROM unnest($4::timestamptz[], $5::timestamptz[], $6::bigint[], $7::text[]) AS u(starts_at, ends_at, rows, digest)
      ON CONFLICT (project, environment, dataset, starts_at) DO UPDATE SET
        ends_at = excluded.ends_at, rows = excluded.rows, digest = excluded.digest, backfill_id = excluded.backfill_id,
        version = excluded.version, epoch = excluded.epoch, xid = excluded.xid, snapshot = excluded.snapshot,
        published_at = clock_timestamp(), publish_id = gen_random_uuid(),
        changed_xid = CASE WHEN p.digest = excluded.digest THEN p.changed_xid ELSE excluded.xid END`,
    values: [
      ...keys, starts, ends, published.map(({ rows }) => rows), published.map(({ digest }) => digest),
      who.backfillId, dataset.version, who.epoch, starts[0], ends.at(-1),
    ],
  });
}

/** The partitions of `[lo, hi)` that this very execution has published already: what a retry need not redo. */
export async function publishedByUs(
  client: PgClient, who: Publisher, dataset: StoredDataset, starts: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const { rows } = await client.query<{ n: number; rows: number }>({
    name: 'sluice_done',
    text: `SELECT u.n::int AS n, p.rows::float8 AS rows FROM unnest($4::timestamptz[]) WITH ORDINALITY AS u(starts_at, n)
      JOIN sluice.partitions p ON p.project = $1 AND p.environment = $2 AND p.dataset = $3 AND p.starts_at = u.starts_at
      WHERE p.epoch = $5 AND p.version = $6`,
    values: [who.project, who.environment, dataset.name, starts, who.epoch, dataset.version],
  });
  return new Map(rows.map(({ n, rows: count }) => [starts[n - 1] ?? '', count]));
}
