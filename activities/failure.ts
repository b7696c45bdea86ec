import pg from 'pg';
import type { StoredDataset } from '../src/contracts/plan.js';
import type { Fault } from '../src/core/fault.js';
import { faultOf } from '../src/postgres/error.js';
import type { SqlInterval } from '../src/source/postgres/extract.js';
import { ForeignRowsError, type Publisher } from '../src/warehouse/postgres/publish.js';
import { RowsLostError, RowsOutsideError } from './batch.js';
import type { SliceDeps } from './deps.js';

/** What went wrong with a batch: our own judgements first, then the database's by the one error table. */
export function faultOfBatch(error: unknown, dataset: StoredDataset): Fault {
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
      message: `${error.message}: adopt ${target} first, or start with --overwrite`,
    };
  }
  if (error instanceof RowsLostError) return { code: 'rows_lost', class: 'transient', message: error.message };
  return faultOf(error, dataset.kind === 'extract' ? 'source' : 'warehouse');
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
      message: raw?.message ?? fault.message,
      detail: raw?.detail ?? null,
    });
  } catch (failed) {
    // The warehouse itself may be what fails: the failure is reported all the same, without its values.
    deps.log.warn({ err: failed }, 'could not keep a failure in sluice.failures');
  }
}
