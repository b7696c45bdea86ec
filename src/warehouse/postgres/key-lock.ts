import type { StoredDataset } from '../../contracts/plan.js';
import { inOneFlight } from '../../postgres/pipeline.js';
import type { PgClient } from '../../postgres/pool.js';
import { quoteTable } from '../../postgres/quote.js';

/**
 * One batch at a time of a dataset whose key no index keeps unique: two that took one key to two partitions would not see one another.
 * Taken before the publishing transaction, whose snapshot then holds all that was published before. The session's lock_timeout is for the
 * locks of people; this one is held by a batch, which a statement's limit ends. It goes with the connection.
 */
export async function lockKey(client: PgClient, { target }: StoredDataset): Promise<void> {
  await inOneFlight(client, [
    () => client.query('BEGIN'),
    () => client.query('SET LOCAL lock_timeout = 0'),
    () => client.query(`SELECT pg_advisory_lock(${LOCK})`, [quoteTable(target)]),
    () => client.query('COMMIT'),
  ]);
}

/** Gives it back, once the batch is committed. */
export async function unlockKey(client: PgClient, { target }: StoredDataset): Promise<void> {
  await client.query(`SELECT pg_advisory_unlock(${LOCK})`, [quoteTable(target)]);
}

const LOCK = `hashtextextended('sluice key ' || $1, 0)`;
