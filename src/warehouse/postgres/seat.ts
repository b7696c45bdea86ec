import type { PgClient, Pool } from '../../postgres/pool.js';

/**
 * One governor a database, whichever Temporal and whichever warehouse it belongs to: a session-level advisory lock on the governed database.
 * Its holder's `application_name` says whose it is.
 */
const SEAT = 0x736c7566;

/** `sluice/governor/<identity of the store's database>/<epoch of the seat>`. */
export function governorName(store: string, epoch: number): string {
  return `sluice/governor/${store}/${epoch}`;
}

/** A seat that is held: let go of by closing the connection. */
export interface HeldSeat {
  /** The connection is gone, and the lock with it. */
  readonly lost: () => boolean;
  readonly leave: () => void;
}

/** Who holds it: the name of another's governor. */
export interface Taken {
  readonly by: string;
}

const HOLDERS = `
  FROM pg_locks l JOIN pg_stat_activity a USING (pid)
  WHERE l.locktype = 'advisory' AND l.granted AND l.classid = $1::oid AND l.objid = 0 AND l.objsubid = 2
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

/**
 * Takes the lock. A governor of our own store that still holds it has lost its seat in the store (a frozen worker, a network that is cut): its session
 * is ended. One of another store is left alone.
 */
export async function takeLock(pool: Pool, store: string, epoch: number): Promise<HeldSeat | Taken> {
  const client = await pool.acquire();
  try {
    const name = governorName(store, epoch);
    await client.query(
      `SELECT set_config('application_name', $1, false), set_config('statement_timeout', '5s', false)`,
      [name],
    );
    await client.query(
      `SELECT pg_terminate_backend(a.pid) ${HOLDERS} AND a.application_name LIKE $2 AND a.pid <> pg_backend_pid()`,
      [SEAT, `${governorName(store, 0).slice(0, -1)}%`],
    );
    if (await tryLock(client)) return held(client);
    const { rows } = await client.query<{ name: string }>(`SELECT a.application_name AS name ${HOLDERS}`, [SEAT]);
    client.release(true);
    return { by: rows[0]?.name ?? 'another session' };
  } catch (error) {
    client.release(true);
    throw error;
  }
}

async function tryLock(client: PgClient): Promise<boolean> {
  const { rows } = await client.query<{ got: boolean }>('SELECT pg_try_advisory_lock($1, 0) AS got', [SEAT]);
  return rows[0]?.got === true;
}

function held(client: PgClient): HeldSeat {
  let gone = false;
  let left = false;
  client.once('end', () => {
    gone = true;
  });
  return {
    lost: () => gone,
    leave: () => {
      if (!left) client.release(true);
      left = true;
    },
  };
}
