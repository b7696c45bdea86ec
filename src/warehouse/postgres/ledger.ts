import type { StoredDataset } from '../../contracts/plan.js';
import type { PgClient } from '../../postgres/pool.js';
import { quoteTable } from '../../postgres/quote.js';
import { within } from '../../postgres/time.js';
import { named, targetTime, type Published, type Publisher, type SpanOfTime } from './publish.js';

/** All that the ledger keeps of a dataset. */
type Versioned = Pick<StoredDataset, 'name' | 'version' | 'shape' | 'inputs'>;

/**
 * The ledger rows of a batch, in the transaction that publishes its data. Older rows that overlap (a changed grain or zone) go as far as
 * they do: what they cover beyond stays, shorter, with its data. So a month that becomes days is never empty on the way, and its rows are
 * never taken for somebody else's. No partition has the borders of such a rest: it still counts as missing.
 *
 * @param snapshot - what the batch saw of its inputs, where that was not in this transaction
 * @param rowsLeft - SQL for the rows that the table holds between `starts_at` and `ends_at` of a rest
 */
export async function writeLedger(
  client: PgClient,
  who: Publisher,
  dataset: Versioned,
  published: readonly Published[],
  snapshot: string | null = null,
  rowsLeft = '0',
): Promise<void> {
  const starts = published.map(({ start }) => start);
  const ends = published.map(({ end }) => end);
  // Rows do not overlap one another, so only the last that starts at or before the batch can reach into it from there.
  const text = `WITH me AS MATERIALIZED (SELECT sluice.current_xid() AS xid, sluice.current_snapshot() AS snapshot),
      older AS MATERIALIZED (SELECT * FROM sluice.partitions p WHERE project = $1 AND environment = $2 AND dataset = $3
        AND ends_at > $11::timestamptz AND starts_at < $12::timestamptz
        AND starts_at >= coalesce((SELECT max(starts_at) FROM sluice.partitions
          WHERE project = $1 AND environment = $2 AND dataset = $3 AND starts_at <= $11::timestamptz), '-infinity')),
      gone AS (DELETE FROM sluice.partitions p USING older o WHERE p.project = $1 AND p.environment = $2 AND p.dataset = $3
        AND p.starts_at = o.starts_at AND o.starts_at >= $11::timestamptz AND o.starts_at <> ALL ($4::timestamptz[])),
      before AS (UPDATE sluice.partitions p SET ends_at = r.ends_at, rows = ${rowsLeft}, digest = ''
        FROM (SELECT starts_at, $11::timestamptz AS ends_at FROM older WHERE starts_at < $11::timestamptz) r
        WHERE p.project = $1 AND p.environment = $2 AND p.dataset = $3 AND p.starts_at = r.starts_at),
      after AS (INSERT INTO sluice.partitions (project, environment, dataset, starts_at, ends_at, rows, digest, backfill_id, version,
          published_at, epoch, first_xid, changed_xid, xid, snapshot, moved, read_from, shape, inputs)
        SELECT $1, $2, $3, r.starts_at, r.ends_at, ${rowsLeft}, '', r.backfill_id, r.version,
          r.published_at, r.epoch, r.first_xid, r.changed_xid, r.xid, r.snapshot, r.moved, r.read_from, r.shape, r.inputs
        FROM (SELECT $12::timestamptz AS starts_at, ends_at, backfill_id, version, published_at, epoch, first_xid, changed_xid, xid,
          snapshot, moved, read_from, shape, inputs FROM older WHERE ends_at > $12::timestamptz) r)
      INSERT INTO sluice.partitions AS p (project, environment, dataset, starts_at, ends_at, rows, digest,
        backfill_id, version, epoch, first_xid, changed_xid, xid, snapshot, read_from, shape, inputs)
      SELECT $1, $2, $3, u.starts_at, u.ends_at, u.rows, u.digest, $8, $9, $10,
        me.xid, me.xid, me.xid, coalesce($13::pg_snapshot, me.snapshot), $14, $15, $16::jsonb
      FROM unnest($4::timestamptz[], $5::timestamptz[], $6::bigint[], $7::text[]) AS u(starts_at, ends_at, rows, digest), me
      ON CONFLICT (project, environment, dataset, starts_at) DO UPDATE SET
        ends_at = excluded.ends_at, rows = excluded.rows, digest = excluded.digest, backfill_id = excluded.backfill_id,
        version = excluded.version, epoch = excluded.epoch, xid = excluded.xid, snapshot = excluded.snapshot,
        read_from = excluded.read_from, shape = excluded.shape,
        inputs = excluded.inputs,
        published_at = clock_timestamp(), publish_id = gen_random_uuid(), moved = false,
        changed_xid = CASE WHEN p.digest = excluded.digest AND p.shape IS NOT DISTINCT FROM excluded.shape THEN p.changed_xid ELSE excluded.xid END`;
  const values = [
    who.project,
    who.environment,
    dataset.name,
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
    who.readFrom ?? null,
    dataset.shape ?? null,
    dataset.inputs === undefined ? null : JSON.stringify(dataset.inputs),
  ];
  await client.query(named(text, values));
}

/** For {@link writeLedger}: counts what a rest `r` of an older partition holds. Only ever run where a grain or zone has changed. */
export function rowsLeftOf(dataset: Pick<StoredDataset, 'time' | 'spec' | 'zone' | 'target' | 'publish'>): string {
  const time = targetTime(dataset);
  if (time === null || dataset.publish === 'view') return '0';
  // No bigint holds the epoch of infinity, where `grain: none` was; nor that of other times than these in nanoseconds.
  const finite = time.unit === undefined;
  const start = finite ? 'r.starts_at' : `greatest(r.starts_at, '1678-01-01Z'::timestamptz)`;
  const end = finite ? 'r.ends_at' : `least(r.ends_at, '2262-01-01Z'::timestamptz)`;
  return `(SELECT count(*) FROM ${quoteTable(dataset.target)} AS sluice_t WHERE ${within(time, start, end, 'sluice_t')})`;
}

/** What the ledger holds of a batch's partitions, by their starts. */
export interface BatchInLedger {
  /**
   * Rows of those that this very execution has published already, or somebody since, which it no longer holds (decision 0025): what a retry
   * need not redo. Grows with what is published from here on.
   */
  readonly ours: Map<string, number>;
  /** Those that anybody has published, as they are: what only begins alike may have rows of others in it. */
  readonly known: ReadonlySet<string>;
}

export async function ledgerOf(
  client: PgClient,
  who: Publisher,
  dataset: Versioned,
  partitions: readonly SpanOfTime[],
): Promise<BatchInLedger> {
  const { rows } = await client.query<{ n: number; rows: number; ours: boolean; same: boolean }>({
    name: 'sluice_known',
    text: `SELECT u.n::int AS n, p.rows::float8 AS rows, (p.epoch > $5 OR p.epoch = $5 AND p.version = $6) AND p.ends_at = u.ends_at AS ours, p.ends_at = u.ends_at AS same
      FROM unnest($4::timestamptz[], $7::timestamptz[]) WITH ORDINALITY AS u(starts_at, ends_at, n)
      JOIN sluice.partitions p ON p.project = $1 AND p.environment = $2 AND p.dataset = $3 AND p.starts_at = u.starts_at`,
    values: [
      who.project,
      who.environment,
      dataset.name,
      partitions.map(({ start }) => start),
      who.epoch,
      dataset.version,
      partitions.map(({ end }) => end),
    ],
  });
  const startOf = (n: number): string => partitions[n - 1]?.start ?? '';
  return {
    ours: new Map(rows.filter(({ ours }) => ours).map(({ n, rows: count }) => [startOf(n), count])),
    known: new Set(rows.filter(({ same }) => same).map(({ n }) => startOf(n))),
  };
}
