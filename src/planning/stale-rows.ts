import type { Interval } from '../core/interval/interval.js';
import { quoteTable } from '../postgres/quote.js';
import { within } from '../postgres/time.js';
import type { Dataset } from '../project/project.js';
import { sqlInstant } from '../store/ledger.js';
import type { LedgerKey } from '../store/stale.js';
import { rowsOf, type Db } from '../store/store.js';
import { digestOf, rowHash } from '../warehouse/postgres/digest.js';
import { ADOPTED } from './adopt.js';
import { escaped, timeColumnOf } from './adopt-judge.js';
import type { Described } from './described.js';

/** A row of the ledger, as far as taking it for today's needs it. */
export interface Taken extends Interval {
  readonly version: string;
  /** Null: published before shapes were kept, and taken to have today's. */
  readonly shape: string | null;
  readonly rows: number;
  readonly backfillId: string;
}

/** What the ledger has within a span, oldest first. */
export async function publishedIn(
  tx: Db,
  { project, environment, key }: LedgerKey,
  { start, end }: Interval,
): Promise<Taken[]> {
  return rowsOf<Taken>(
    tx,
    `SELECT extract(epoch FROM starts_at)::float8 * 1000 AS start, extract(epoch FROM ends_at)::float8 * 1000 AS end,
       version, shape, rows::float8 AS rows, backfill_id AS "backfillId"
     FROM sluice.partitions WHERE project = ? AND environment = ? AND dataset = ?
       AND ends_at > ?::timestamptz AND starts_at < ?::timestamptz ORDER BY starts_at`,
    [project, environment, key, sqlInstant(start), sqlInstant(end)],
  );
}

/**
 * Writes them down as published now, from the current definition and what their inputs are now. `changed_xid` and the digest stay, for
 * the content does; but not of those that were built with other columns, whose content is judged by those of today.
 */
export async function take(
  tx: Db,
  { project, environment, key }: LedgerKey,
  taken: readonly Taken[],
  now: { readonly version: string; readonly shape: string; readonly inputs: Readonly<Record<string, string>> },
  table: { readonly dataset: Dataset; readonly described: Described; readonly reshaped: readonly Taken[] },
): Promise<void> {
  if (taken.length === 0) return;
  const starts = (rows: readonly Taken[]): string[] => rows.map(({ start }) => sqlInstant(start));
  await tx.raw(
    `WITH me AS MATERIALIZED (SELECT sluice.current_xid() AS xid, sluice.current_snapshot() AS snapshot, nextval('sluice.epochs') AS epoch)
     UPDATE sluice.partitions p SET version = ?, shape = ?, inputs = ?::jsonb, backfill_id = ?, epoch = me.epoch,
       xid = me.xid, snapshot = me.snapshot, moved = false
     FROM me WHERE p.project = ? AND p.environment = ? AND p.dataset = ? AND p.starts_at = ANY (?::timestamptz[])`,
    [now.version, now.shape, JSON.stringify(now.inputs), ADOPTED, project, environment, key, starts(taken)],
  );
  const { dataset, described, reshaped } = table;
  if (reshaped.length === 0) return;
  await tx.raw(
    `UPDATE sluice.partitions p SET rows = c.rows, digest = c.digest, changed_xid = p.xid
     FROM (SELECT s.starts_at, c.* FROM unnest(?::timestamptz[], ?::timestamptz[]) AS s(starts_at, ends_at)
       CROSS JOIN LATERAL (SELECT count(*) AS rows, ${escaped(digestOf(rowHash('sluice_t', described.columns)))} AS digest
         FROM ${escaped(quoteTable(dataset.table))} AS sluice_t WHERE ${rowsOfPartition(dataset, described)}) AS c) AS c
     WHERE p.project = ? AND p.environment = ? AND p.dataset = ? AND p.starts_at = c.starts_at`,
    [starts(reshaped), reshaped.map(({ end }) => sqlInstant(end)), project, environment, key],
  );
}

/** The condition on `sluice_t` of a partition `s`. */
export function rowsOfPartition(dataset: Dataset, described: Described): string {
  const time = timeColumnOf(dataset, described);
  return time === null ? 'true' : escaped(within(time, 's.starts_at', 's.ends_at', 'sluice_t'));
}
