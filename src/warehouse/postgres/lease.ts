import pg from 'pg';
import { inOneFlight } from '../../postgres/pipeline.js';
import type { PgClient } from '../../postgres/pool.js';
import { FencedError, type Publisher } from './publish.js';

type SpanPair = readonly [lo: number, hi: number];

/** `application_name` of an attempt's connections: how its successor finds and ends them. PostgreSQL keeps of it what {@link keptOfName} says. */
export function backendName(who: Pick<Publisher, 'epoch' | 'slice' | 'attempt'>, dataset: string): string {
  return `sluice/${who.epoch}/${who.slice}/${who.attempt}/${dataset}`;
}

/** SQL for the 63 bytes that PostgreSQL keeps of an `application_name`. */
export const keptOfName = (name: string): string =>
  `convert_from(substring(convert_to(${name}, 'UTF8') FOR 63), 'UTF8')`;

const LOCK = `SELECT pg_advisory_xact_lock(hashtextextended('sluice lease ' || $1 || ' ' || $2, 0))`;
const OVERLAPPING = `epoch = $1 AND dataset = $2 AND EXISTS (
  SELECT 1 FROM unnest($3::int[], $4::int[]) AS b(lo, hi) WHERE l.lo < b.hi AND b.lo < l.hi)`;

/**
 * Takes the lease of these batches for this attempt. Older attempts that hold any part of them lose it: their backends are ended,
 * and a publish under way is waited for. A newer attempt's lease, or an ended backfill, refuses us.
 *
 * In a transaction of its own; losing it in a crash only fences ourselves, so it need not wait for the disk.
 * @throws FencedError
 */
export async function takeLease(
  client: PgClient,
  who: Publisher,
  dataset: string,
  batches: readonly SpanPair[],
): Promise<void> {
  const los = batches.map(([lo]) => lo);
  const his = batches.map(([, hi]) => hi);
  const others: { slice: number; attempt: number }[] = [];
  try {
    await inOneFlight(client, [
      () => client.query('BEGIN'),
      () => client.query('SET LOCAL synchronous_commit = off'),
      // Frozen from here on, we must not keep our successors waiting longer than they wait for any lock.
      () => client.query(`SET LOCAL idle_in_transaction_session_timeout = '5s'`),
      () => client.query(LOCK, [String(who.epoch), dataset]),
      async () => {
        const sql = `SELECT DISTINCT slice, attempt FROM sluice.leases l WHERE ${OVERLAPPING}`;
        const { rows } = await client.query<{ slice: number; attempt: number }>(sql, [who.epoch, dataset, los, his]);
        others.push(...rows);
      },
    ]);
    if (others.some((other) => newer(other, who))) throw new FencedError('a newer attempt holds the lease');
    await endBackends(
      client,
      others.map((other) => backendName({ epoch: who.epoch, ...other }, dataset)),
    );
    await inOneFlight(client, [
      () => client.query(`DELETE FROM sluice.leases l WHERE ${OVERLAPPING}`, [who.epoch, dataset, los, his]),
      () =>
        client.query(
          `INSERT INTO sluice.leases (epoch, dataset, lo, hi, slice, attempt)
           SELECT $1, $2, b.lo, b.hi, $5, $6 FROM unnest($3::int[], $4::int[]) AS b(lo, hi)`,
          [who.epoch, dataset, los, his, who.slice, who.attempt],
        ),
      () => client.query('COMMIT'),
    ]);
  } catch (error) {
    await client.query('ROLLBACK');
    // The foreign key on the reservation: the backfill has ended.
    if (error instanceof pg.DatabaseError && error.code === '23503') throw new FencedError('the backfill has ended');
    throw error;
  }
}

function newer(other: { slice: number; attempt: number }, who: Publisher): boolean {
  return other.slice > who.slice || (other.slice === who.slice && other.attempt > who.attempt);
}

async function endBackends(client: PgClient, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  await client.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE pid <> pg_backend_pid() AND datname = current_database() AND application_name = ANY (
       SELECT ${keptOfName('n')} FROM unnest($1::text[]) AS n)`,
    [names],
  );
}

/** Gives the lease back once its slice is done. */
export async function dropLease(client: PgClient, who: Publisher, dataset: string): Promise<void> {
  await client.query('DELETE FROM sluice.leases WHERE epoch = $1 AND dataset = $2 AND slice = $3 AND attempt = $4', [
    who.epoch,
    dataset,
    who.slice,
    who.attempt,
  ]);
}
