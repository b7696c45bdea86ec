import { identityOf } from '../../postgres/identity.js';
import type { PgClient } from '../../postgres/pool.js';

/** A replica may be this much behind what its primary had when it was last heard of. */
export const LAG_MAX_MS = 30_000;

/** Why a database may not be read in another one's place. */
export class NoReplicaError extends Error {}

/**
 * Requires that this database is a physical replica of one that does not answer, or was, and lacks no more than {@link LAG_MAX_MS} of it. A
 * copy of another kind could have other types, and its rows other transactions.
 *
 * @param identity - of the primary, as last seen; null is unknown
 * @param sinceMs - when it stopped answering, in ms since the epoch
 */
export async function requireReplica(client: PgClient, identity: string | null, sinceMs: number): Promise<void> {
  if (identity === null) throw new NoReplicaError('its primary has never said what it is');
  const own = await identityOf(client);
  if (clusterOf(own) !== clusterOf(identity)) throw new NoReplicaError('it is no physical replica of it');
  const { rows } = await client.query<{ standby: boolean; replayed: number | null }>(
    'SELECT pg_is_in_recovery() AS standby, extract(epoch FROM pg_last_xact_replay_timestamp())::float8 * 1000 AS replayed',
  );
  const [row] = rows;
  if (row?.standby === false) return;
  const replayed = row?.replayed ?? null;
  if (replayed === null) throw new NoReplicaError('how far it has replayed is unknown');
  const lag = sinceMs - replayed;
  if (lag > LAG_MAX_MS) throw new NoReplicaError(`its last transaction is ${Math.round(lag / 1000)} s older than that`);
}

/** Cluster and database, without the address that tells a standby from its primary. */
function clusterOf(identity: string): string {
  return identity.split('.').slice(0, 2).join('.');
}
