import type { EarlierTime, StoredDataset } from '../../contracts/plan.js';
import { quoteLiteral, quoteTable } from '../../postgres/quote.js';
import { instantOf, within, type TimeColumn } from '../../postgres/time.js';

/**
 * Rows of partitions that went by another time than the dataset does now: `time:` named another column, its zone or its unit was corrected. A
 * rebuild finds such a row by the time of today, where that puts it into a partition; where it puts it into none, by the time of then.
 */

/** A placeholder for each of project, environment and dataset. */
export interface ScopeParams {
  readonly project: string;
  readonly environment: string;
  readonly dataset: string;
}

/** Whether a row of the table is in the ledger by its time of today. */
export function isHeld(at: string, scope: ScopeParams, more = ''): string {
  return `EXISTS (SELECT FROM sluice.partitions p WHERE p.project = ${scope.project} AND p.environment = ${scope.environment} AND p.dataset = ${scope.dataset}
    AND p.starts_at <= ${at} AND p.ends_at > ${at}${more})`;
}

/** Whether a row of `sluice_t` is in the ledger by a time of then. */
export function isHeldEarlier({ earlier = [] }: Pick<StoredDataset, 'earlier'>, scope: ScopeParams): string {
  return earlier.length === 0 ? 'false' : `(${earlier.map((one) => heldBy(one, scope)).join(' OR ')})`;
}

function heldBy({ time, shapes }: EarlierTime, scope: ScopeParams): string {
  return isHeld(instantOf(time, 'sluice_t'), scope, ` AND p.shape IN (${shapes.map(quoteLiteral).join(', ')})`);
}

/** The instant by which a row of `sluice_t` has its partition: of today, or of then where that of today is in no partition. */
export function homeInstant(
  { earlier = [] }: Pick<StoredDataset, 'earlier'>,
  time: TimeColumn,
  scope: ScopeParams,
): string {
  const now = instantOf(time, 'sluice_t');
  if (earlier.length === 0) return now;
  const then = earlier.map((one) => `WHEN ${heldBy(one, scope)} THEN ${instantOf(one.time, 'sluice_t')}`);
  return `CASE WHEN ${isHeld(now, scope)} THEN ${now} ${then.join(' ')} ELSE ${now} END`;
}

/**
 * Deletes the rows that the partitions of an interval (`$1`, `$2`) held by a time of then, and that are in no partition by that of today: nothing else
 * would ever replace them. `$3` to `$5` are the scope.
 */
export function orphansSql(dataset: Pick<StoredDataset, 'target' | 'earlier'>, time: TimeColumn): string[] {
  const scope = { project: '$3', environment: '$4', dataset: '$5' };
  return (dataset.earlier ?? []).map(
    (one) => `DELETE FROM ${quoteTable(dataset.target)} AS sluice_t
      WHERE ${within(one.time, '$1::timestamptz', '$2::timestamptz', 'sluice_t')}
        AND ${heldBy(one, scope)} AND NOT ${isHeld(instantOf(time, 'sluice_t'), scope)}`,
  );
}
