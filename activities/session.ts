import type { StoredDataset } from '../src/contracts/plan.js';
import type { PgClient } from '../src/postgres/pool.js';
import { giveTurn } from '../src/warehouse/postgres/gate.js';
import { backendName } from '../src/warehouse/postgres/lease.js';
import type { Publisher } from '../src/warehouse/postgres/publish.js';
import type { SliceDeps } from './deps.js';

/** No statement of a batch runs longer, and none waits longer for somebody's lock: a batch aims at half a second. */
const LIMITS = { statement_timeout: '1h', lock_timeout: '10s' };

/** The connections of one slice: opened when first needed, closed with it. */
export interface Session {
  warehouse: () => Promise<PgClient>;
  source: (connection: string) => Promise<PgClient>;
  /** Gives the turns of all its connections back, after a batch. */
  giveTurns: () => Promise<void>;
  /** After an error: both connections go, and with them the transaction, the locks and the turns. */
  abandon: () => void;
  cancelled: () => boolean;
  close: () => Promise<void>;
}

interface Open {
  readonly client: PgClient;
  readonly pid: number;
  readonly connection: string;
}

/** What a cancelled activity meets where it asks for a connection. */
class SessionCancelledError extends Error {}

/**
 * Opens a slice's session. When the activity is cancelled its backends are ended: a statement alone could be stopped too early,
 * between two of them, and the next one would run on for nobody.
 */
export function openSession(deps: SliceDeps, who: Publisher, dataset: StoredDataset, signal: AbortSignal): Session {
  const open = new Map<string, Open>();
  const settings = {
    ...LIMITS,
    application_name: backendName(who, dataset.name),
    TimeZone: dataset.kind === 'extract' ? 'UTC' : dataset.zone,
  };
  // A source that is the warehouse itself still gets a connection of its own: it streams while the other one reads.
  const connect = async (role: 'warehouse' | 'source', connection: string): Promise<PgClient> => {
    const there = open.get(role);
    if (there) return there.client;
    const client = await deps.pool(connection).acquire();
    const { rows } = await client.query<{ pid: number }>(
      'SELECT pg_backend_pid() AS pid, set_config(s.name, s.value, false) FROM unnest($1::text[], $2::text[]) AS s(name, value)',
      [Object.keys(settings), Object.values(settings)],
    );
    open.set(role, { client, pid: rows[0]?.pid ?? 0, connection });
    // Cancelled meanwhile, before there was anything to end; `close` takes it away.
    if (signal.aborted) throw new SessionCancelledError('cancelled');
    return client;
  };
  const closeAll = (broken: boolean): void => {
    for (const { client } of open.values()) client.release(broken);
    open.clear();
  };
  const stop = (): void => {
    for (const { connection, pid } of open.values()) {
      const pool = deps.pool(connection);
      pool.use((client) => client.query('SELECT pg_terminate_backend($1)', [pid])).catch((error: unknown) => {
        deps.log.warn({ err: error, connection }, 'could not end a backend');
      });
    }
  };
  signal.addEventListener('abort', stop, { once: true });
  return {
    warehouse: () => connect('warehouse', deps.warehouse),
    source: (connection) => connect('source', connection),
    giveTurns: async () => {
      for (const { client } of open.values()) await giveTurn(client);
    },
    abandon: () => {
      closeAll(true);
    },
    cancelled: () => signal.aborted,
    close: async () => {
      signal.removeEventListener('abort', stop);
      // In the pool it is nobody's: whoever ends this attempt's backends by name must not meet the next user of one.
      const unnamed = [...open.values()].map(({ client }) => client.query("SET application_name = 'sluice'"));
      const left = await Promise.allSettled(signal.aborted ? [] : unnamed);
      closeAll(signal.aborted || left.some(({ status }) => status === 'rejected'));
    },
  };
}
