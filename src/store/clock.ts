import type { Instant } from '../core/interval/interval.js';
import { rowsOf, type Db } from './store.js';

/**
 * The warehouse's clock. It alone says what is complete, what is old and what `--last` counts from: those of workers and of people's
 * machines may be wrong, and differ from one another.
 */
export async function clockOf(db: Db): Promise<Instant> {
  const [row] = await rowsOf<{ now: number }>(
    db,
    'SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now',
  );
  if (!row) throw new Error('the clock was read without a row');
  return row.now;
}
