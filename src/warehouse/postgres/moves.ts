import type { StoredDataset } from '../../contracts/plan.js';
import type { TableName } from '../../contracts/table.js';
import { formatInstant } from '../../core/interval/interval.js';
import type { PgClient } from '../../postgres/pool.js';
import { quoteIdent, quoteTable } from '../../postgres/quote.js';
import { instantOf, within } from '../../postgres/time.js';
import { ForeignRowsError, targetTime, type Published, type Publisher } from './publish.js';

/** Rows whose keys another partition holds, where `moves: fail` forbids it. */
export class KeyMovedError extends Error {
  constructor(
    message: string,
    /** Where the partitions begin that hold them, ms; null for rows in no partition that sluice published. */
    readonly homes: readonly (number | null)[],
  ) {
    super(message);
  }
}

interface Left {
  /** The partition in the ledger; null where it has none. */
  readonly start: string | null;
  readonly end: string | null;
  readonly rows: number;
}

/**
 * Finds the rows of other partitions whose keys wait in `from`: their event time has moved. With `moves: follow` they go, and their
 * partitions are marked: the ledger's digest no longer says what they hold, so they are stale, and so is what reads them.
 * A partition that is being published at the same time makes one of the two fail to serialize, and try again.
 *
 * @throws KeyMovedError with `moves: fail`
 * @throws ForeignRowsError for rows that sluice did not write, unless the request says `overwrite`
 */
export async function settleMoves(
  client: PgClient,
  who: Publisher,
  dataset: StoredDataset,
  batch: readonly Published[],
  overwrite: boolean,
  from: TableName,
): Promise<void> {
  const time = targetTime(dataset);
  if (time === null || dataset.key.length === 0) return;
  const target = quoteTable(dataset.target);
  const elsewhere = `${sameKey(dataset)} AND (${within(time, '$1::timestamptz', '$2::timestamptz', 'sluice_t')}) IS NOT TRUE`;
  const at = instantOf(time, 'sluice_t');
  const follow = dataset.moves === 'follow';
  const gone = follow
    ? `DELETE FROM ${target} AS sluice_t USING ${quoteTable(from)} AS sluice_s WHERE ${elsewhere} RETURNING ${at} AS at`
    : `SELECT ${at} AS at FROM ${target} AS sluice_t JOIN ${quoteTable(from)} AS sluice_s ON ${elsewhere}`;
  const mark = `, marked AS (UPDATE sluice.partitions p
      SET moved = true, digest = '', rows = p.rows - h.rows, changed_xid = (SELECT sluice.current_xid()) FROM home h
      WHERE p.project = $3 AND p.environment = $4 AND p.dataset = $5 AND p.starts_at = h.starts_at)`;
  const { rows: left } = await client.query<Left>(
    `WITH gone AS (${gone}), home AS (
       SELECT p.starts_at, p.ends_at, sum(g.rows) AS rows FROM (SELECT at, count(*) AS rows FROM gone GROUP BY at) AS g
       LEFT JOIN LATERAL (SELECT starts_at, ends_at FROM sluice.partitions WHERE project = $3 AND environment = $4 AND dataset = $5
         AND starts_at <= g.at ORDER BY starts_at DESC LIMIT 1) AS p ON p.ends_at > g.at GROUP BY 1, 2)${follow ? mark : ''}
     SELECT to_json(starts_at)#>>'{}' AS start, to_json(ends_at)#>>'{}' AS end, rows::float8 AS rows FROM home ORDER BY 1`,
    [batch[0]?.start, batch.at(-1)?.end, who.project, who.environment, dataset.name],
  );
  const [first] = left;
  if (!first) return;
  if (!follow) {
    const there = first.start === null ? 'no partition that sluice published' : spanText(first.start, first.end);
    throw new KeyMovedError(
      `${first.rows} keys of partition ${spanText(batch[0]?.start, batch.at(-1)?.end)} are in ${there} already`,
      left.map(({ start }) => (start === null ? null : Date.parse(start))),
    );
  }
  const foreign = left.find(({ start }) => start === null);
  if (foreign && !overwrite)
    throw new ForeignRowsError(`${foreign.rows} rows of ${target} with the same keys were not written by sluice`);
}

/** Whether a row of the table and a staged one have one key. */
export function sameKey({ key }: StoredDataset): string {
  return key.map((name) => `sluice_t.${quoteIdent(name)} = sluice_s.${quoteIdent(name)}`).join(' AND ');
}

function spanText(start: string | undefined, end: string | null | undefined): string {
  return `[${formatInstant(Date.parse(start ?? ''))}, ${formatInstant(Date.parse(end ?? ''))})`;
}
