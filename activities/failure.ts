import pg from 'pg';
import type { StoredDataset } from '../src/contracts/plan.js';
import type { Fault } from '../src/core/fault.js';
import { typedIn } from '../src/contracts/typed.js';
import { faultOf, sideOf } from '../src/postgres/error.js';
import type { SqlInterval } from '../src/source/postgres/extract.js';
import { runEnd } from '../src/core/interval/runs.js';
import { runsOfJson } from '../src/planning/json.js';
import { StagingLostError } from '../src/warehouse/postgres/chunks.js';
import { DuplicateKeyError, KeyMovedError } from '../src/warehouse/postgres/moves.js';
import { NullKeyError } from '../src/warehouse/postgres/staging.js';
import { ForeignRowsError, ServerMovedError, type Publisher } from '../src/warehouse/postgres/publish.js';
import { RowsLostError, RowsOutsideError } from './batch.js';
import type { SliceDeps } from './deps.js';

/** What went wrong with a batch: our own judgements first, then the database's by the one error table. */
export function faultOfBatch(
  error: unknown,
  dataset: StoredDataset,
  { environment }: Pick<Publisher, 'environment'>,
  [first]: readonly SqlInterval[],
): Fault {
  const target = `${dataset.target.schema}.${dataset.target.name}`;
  if (error instanceof RowsOutsideError) {
    return {
      code: 'rows_outside',
      class: 'poison',
      message: `${error.rows} rows have a "${dataset.time?.column ?? ''}" outside their partition`,
    };
  }
  if (error instanceof ForeignRowsError) {
    return {
      code: 'foreign_rows',
      class: 'poison',
      message: `${error.message}: to take them into the ledger: ${typedIn(environment, `sluice adopt ${dataset.name}${rangeOf(first)}`)}; then retry`,
    };
  }
  if (error instanceof ServerMovedError) {
    return {
      code: 'server_moved',
      class: 'fatal',
      message: `${error.message}: what it published since may be missing there. Plan it again: retry it --with-current`,
    };
  }
  if (error instanceof KeyMovedError) {
    return {
      code: 'key_moved',
      class: mayYetMove(dataset, error) ? 'key_moved' : 'poison',
      message: `${error.message}: ${dataset.publish === 'merge' ? '' : 'rebuild that one too, or '}write moves: follow`,
    };
  }
  if (error instanceof DuplicateKeyError) return { code: 'duplicate_key', class: 'poison', message: error.message };
  if (error instanceof NullKeyError) return { code: 'null_key', class: 'poison', message: error.message };
  if (error instanceof RowsLostError) return { code: 'rows_lost', class: 'transient', message: error.message };
  if (error instanceof StagingLostError) return { code: 'staging_lost', class: 'transient', message: error.message };
  // A check has a name; a row that fits into no partition of its table has none.
  if (error instanceof pg.DatabaseError && error.code === '23514' && error.constraint === undefined) {
    return {
      code: 'missing_partition',
      class: 'poison',
      message: `no partition of ${target} takes a row of this interval: run CREATE TABLE … PARTITION OF ${target} FOR VALUES …, or correct the query if the row does not belong here`,
    };
  }
  return faultOf(error, sideOf(error));
}

function rangeOf(first: SqlInterval | undefined): string {
  const whole = first === undefined || first.start === '-infinity';
  return whole ? '' : ` --from ${first.start} --to ${first.end}`.replaceAll('.000Z', 'Z');
}

/** Whether all of the partitions that hold the keys are in this plan too, and give them up when they are built: `merge` deletes nothing. */
function mayYetMove({ publish, runs }: StoredDataset, { homes }: KeyMovedError): boolean {
  const planned = runsOfJson(runs);
  return (
    publish !== 'merge' &&
    homes.every((home) => home !== null && planned.some((run) => run.start <= home && home < runEnd(run)))
  );
}

/** Whether a row could not be written because its key is there already: in another partition, or twice in this batch. */
export function isKeyTaken(error: unknown, { key, time }: StoredDataset): boolean {
  return error instanceof pg.DatabaseError && error.code === '23505' && key.length > 0 && time !== null;
}

/** Keeps the whole message in the warehouse: values of data may be in it, so it goes nowhere else. */
export async function keepFailure(
  deps: Pick<SliceDeps, 'db' | 'log'>,
  who: Publisher,
  dataset: StoredDataset,
  partitions: readonly SqlInterval[],
  fault: Pick<Fault, 'code' | 'message'>,
  error: unknown,
): Promise<void> {
  const raw = error instanceof pg.DatabaseError ? error : undefined;
  // Nobody can tell which column a value in PostgreSQL's words is from: where some are masked, none of its words are kept.
  const words = dataset.mask.length === 0 ? raw : undefined;
  try {
    await deps.db('sluice.failures').insert({
      project: who.project,
      environment: who.environment,
      dataset: dataset.name,
      backfill_id: who.backfillId,
      starts_at: partitions[0]?.start,
      ends_at: partitions.at(-1)?.end,
      code: fault.code,
      sqlstate: raw?.code ?? null,
      message: words?.message ?? fault.message,
      detail: words?.detail ?? null,
    });
  } catch (failed) {
    // The warehouse itself may be what fails: the failure is reported all the same, without its values.
    deps.log.warn({ err: failed }, 'could not keep a failure in sluice.failures');
  }
}
