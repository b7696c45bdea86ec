import type pg from 'pg';
import { RequestError } from '../contracts/errors.js';

/** How long a second session is waited for: a pool of one that is in use gives none, and so cannot be judged. */
export const SECOND_SESSION_MS = 5_000;

/**
 * Whether a connection's session is its own. Slots, leases and settings live in a session: behind a pooler that gives each
 * transaction another one (pgbouncer in transaction mode) they would be lost in silence, and work would run twice.
 *
 * A pooler is told by its key for cancelling, which does not hold the backend's pid. Then a second session asks, in a transaction: the
 * same backend for both, or another for the first meanwhile, is a pool of transactions. Where no second session is to be had it counts
 * as its own.
 */
export async function ownsSession(client: pg.ClientBase, another: () => Promise<pg.Client>): Promise<boolean> {
  const mine = await pidOf(client);
  if (!('processID' in client) || client.processID === mine) return true;
  const second = await another().catch(() => undefined);
  if (!second) return true;
  try {
    await second.query('BEGIN');
    return (await pidOf(second)) !== mine && (await pidOf(client)) === mine;
  } catch {
    return true;
  } finally {
    await second.end().catch(() => undefined);
  }
}

/** @throws RequestError transaction_pooling, for a connection whose session is not its own */
export async function requireOwnSession(client: pg.ClientBase, another: () => Promise<pg.Client>): Promise<void> {
  if (await ownsSession(client, another)) return;
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
