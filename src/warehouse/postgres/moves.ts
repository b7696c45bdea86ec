import type { StoredDataset } from '../../contracts/plan.js';
import type { TableName } from '../../contracts/table.js';
import { formatInstant } from '../../core/interval/interval.js';
import type { PgClient } from '../../postgres/pool.js';
import { quoteIdent, quoteTable } from '../../postgres/quote.js';
import { within } from '../../postgres/time.js';
import { homeInstant } from './earlier.js';
import { ForeignRowsError, targetTime, type Published, type Publisher, type SpanOfTime } from './publish.js';

/** Rows that share a key, in one batch or in two partitions: no upsert could tell which of them is meant. */
export class DuplicateKeyError extends Error {}

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

/** Keys that a partition gave up, at most: of one that is no key, one of so many is surely still there. */
const KEYS_ASKED = 10_000;

/**
 * Whether a partition, built again now, would have rows with one of these keys. Then they did not move: the key is in two partitions, which
 * would take the row from each other for ever.
 */
export type Yields = (partition: SpanOfTime, keys: Keys) => Promise<boolean>;

/** Values of a key's columns as text, for each row. */
export type Keys = readonly (readonly string[])[];

/** A partition that lost rows, and which building again now would not change: its ledger row is to be written anew. */
export type Settled = SpanOfTime;

interface Left {
  /** Published by this very execution, under `merge`: it held the rows only because that deletes nothing. */
  readonly ours: boolean;
  /** The partition in the ledger; null where it has none. */
  readonly start: string | null;
  readonly end: string | null;
  readonly rows: number;
  /** With `moves: follow`. */
  readonly keys: Keys;
}

/**
 * Finds the rows of other partitions whose keys wait in `from`: their event time has moved. With `moves: follow` they go, and their
 * partitions are marked: the ledger's digest no longer says what they hold, so they are stale, and so is what reads them. Under `merge` one that
 * this execution has built already is not stale: it is settled, and only its readers are.
 * A partition that is being published at the same time makes one of the two fail to serialize, and try again.
 *
 * @throws KeyMovedError with `moves: fail`
 * @throws DuplicateKeyError for a key that both partitions have
 * @throws ForeignRowsError for rows that sluice did not write, unless the request says `overwrite`
 */
export async function settleMoves(
  client: PgClient,
  who: Publisher,
  dataset: StoredDataset,
  batch: readonly Published[],
  overwrite: boolean,
  from: TableName,
  yields: Yields,
): Promise<readonly Settled[]> {
  const time = targetTime(dataset);
  if (time === null || dataset.key.length === 0) return [];
  const target = quoteTable(dataset.target);
  const elsewhere = `${sameKey(dataset)} AND (${within(time, '$1::timestamptz', '$2::timestamptz', 'sluice_t')}) IS NOT TRUE`;
  const home = homeInstant(dataset, time, { project: '$3', environment: '$4', dataset: '$5' });
  // A row without a time is in no partition, as is one at infinity.
  const at = `coalesce(${home}, 'infinity')`;
  const follow = dataset.moves === 'follow';
  const keys = `json_build_array(${dataset.key.map((name) => `sluice_t.${quoteIdent(name)}::text`).join(', ')})`;
  const gone = follow
    ? `DELETE FROM ${target} AS sluice_t USING ${quoteTable(from)} AS sluice_s WHERE ${elsewhere} RETURNING ${at} AS at, ${keys} AS keys`
    : `SELECT ${at} AS at, NULL::json AS keys FROM ${target} AS sluice_t JOIN ${quoteTable(from)} AS sluice_s ON ${elsewhere}`;
  const ours = dataset.publish === 'merge' ? 'p.epoch = $6' : 'p.epoch IS NULL AND $6::bigint IS NULL';
  const mark = `, marked AS (UPDATE sluice.partitions p
      SET moved = NOT h.ours, digest = '', rows = p.rows - h.rows, changed_xid = (SELECT sluice.current_xid()) FROM home h
      WHERE p.project = $3 AND p.environment = $4 AND p.dataset = $5 AND p.starts_at = h.starts_at)`;
  const { rows: left } = await client.query<Left>(
    `WITH gone AS (${gone}), placed AS (
       SELECT g.at, p.starts_at, p.ends_at, coalesce(p.ours, false) AS ours FROM (SELECT DISTINCT at FROM gone) AS g
       LEFT JOIN LATERAL (SELECT starts_at, ends_at, ${ours} AS ours FROM sluice.partitions p WHERE project = $3 AND environment = $4 AND dataset = $5
         AND starts_at <= g.at ORDER BY starts_at DESC LIMIT 1) AS p ON p.ends_at > g.at
     ), home AS (
       SELECT starts_at, ends_at, ours, count(*) AS rows, json_agg(keys) FILTER (WHERE n <= ${KEYS_ASKED}) AS keys
       FROM (SELECT *, row_number() OVER () AS n FROM gone) AS g JOIN placed USING (at) GROUP BY 1, 2, 3)${follow ? mark : ''}
     SELECT to_json(starts_at)#>>'{}' AS start, to_json(ends_at)#>>'{}' AS end, ours, rows::float8 AS rows, coalesce(keys, '[]') AS keys
     FROM home ORDER BY 1`,
    [batch[0]?.start, batch.at(-1)?.end, who.project, who.environment, dataset.name, who.epoch],
  );
  const [first] = left;
  if (!first) return [];
  if (!follow) {
    const there = first.start === null ? 'no partition that sluice published' : spanText(first.start, first.end);
    throw new KeyMovedError(
      `${first.rows} keys of partition ${spanText(batch[0]?.start, batch.at(-1)?.end)} are in ${there} already`,
      left.map(({ start }) => (start === null ? null : Date.parse(start))),
    );
  }
  for (const { start, end, keys: moved } of left) {
    if (start === null || end === null || !(await yields({ start, end }, moved))) continue;
    const both = `${spanText(batch[0]?.start, batch.at(-1)?.end)} and ${spanText(start, end)}`;
    throw new DuplicateKeyError(`partitions ${both} both have rows with one ${dataset.key.join(', ')}`);
  }
  const foreign = left.find(({ start }) => start === null);
  if (foreign && !overwrite)
    throw new ForeignRowsError(`${foreign.rows} rows of ${target} with the same keys were not written by sluice`);
  return left.flatMap(({ ours: settled, start, end }) =>
    settled && start !== null && end !== null ? [{ start, end }] : [],
  );
}

/** Whether a row of the table and a staged one have one key. */
export function sameKey({ key }: StoredDataset): string {
  return key.map((name) => `sluice_t.${quoteIdent(name)} = sluice_s.${quoteIdent(name)}`).join(' AND ');
}

function spanText(start: string | undefined, end: string | null | undefined): string {
  return `[${formatInstant(Date.parse(start ?? ''))}, ${formatInstant(Date.parse(end ?? ''))})`;
}
