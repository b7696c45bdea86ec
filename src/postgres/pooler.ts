import type pg from 'pg';
import { RequestError } from '../contracts/errors.js';

/** How long a second session is waited for: a pool of one that is in use gives none, and so cannot be judged. */
export const SECOND_SESSION_MS = 5_000;

/**
 * Refuses a connection whose session is not its own. Slots, leases and settings live in a session: behind a pooler that gives each
 * transaction another one (pgbouncer in transaction mode) they would be lost in silence, and work would run twice.
 *
 * A pooler is told by its key for cancelling, which does not hold the backend's pid. Then a second session asks, in a transaction: the
 * same backend for both, or another for the first meanwhile, is a pool of transactions.
 * @throws RequestError transaction_pooling
 */
export async function requireOwnSession(client: pg.ClientBase, another: () => Promise<pg.Client>): Promise<void> {
  const mine = await pidOf(client);
  if (!('processID' in client) || client.processID === mine) return;
  const second = await another().catch(() => undefined);
  if (!second) return;
  try {
    await second.query('BEGIN');
    if ((await pidOf(second)) !== mine && (await pidOf(client)) === mine) return;
  } catch {
    return;
  } finally {
    await second.end().catch(() => undefined);
  }
  throw new RequestError(
    'transaction_pooling',
    'the url leads to a pooler that gives each transaction another session (pgbouncer: pool_mode = transaction)',
    'connect to PostgreSQL itself, or to a pool with pool_mode = session: sluice keeps locks and settings in its sessions',
  );
}

async function pidOf(client: pg.ClientBase): Promise<number | undefined> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return rows[0]?.pid;
}
