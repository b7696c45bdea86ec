import { sessionZone, type StoredDataset } from '../src/contracts/plan.js';
import { atSource } from '../src/postgres/error.js';
import type { PgClient, Pool } from '../src/postgres/pool.js';
import { backendName } from '../src/warehouse/postgres/lease.js';
import type { Publisher } from '../src/warehouse/postgres/publish.js';
import { openAlternate, type Alternate } from './alternate.js';
import { UnansweredError } from './connecting.js';
import type { SliceDeps } from './deps.js';

/** No statement of a batch runs longer, and none waits longer for somebody's lock: a batch aims at half a second. */
const LIMITS = { statement_timeout: '1h', lock_timeout: '10s' };

/** What the next user of a pooled connection must not inherit: turns, a name by which it would be ended, limits, a zone. */
const FORGET = `SELECT pg_advisory_unlock_all(), set_config('application_name', 'sluice', false), set_config('TimeZone', 'UTC', false),
  set_config('statement_timeout', '0', false), set_config('lock_timeout', '0', false)`;

async function giveBack(client: PgClient): Promise<void> {
  try {
    await client.query(FORGET);
    client.release();
  } catch {
    client.release(true);
  }
}

/** The connections of one slice: opened when first needed, closed with it. */
export interface Session {
  warehouse: () => Promise<PgClient>;
  /** Of the source, or of an alternate while it does not answer: then {@link Session.alternate} says so. */
  source: (connection: string) => Promise<PgClient>;
  /** What is read in the source's place, and why; null: the source itself. */
  alternate: () => Pick<Alternate<unknown>, 'connection' | 'words'> | null;
  /** After an error: both connections go, and with them the transaction, the locks and the turns. */
  abandon: () => void;
  cancelled: () => boolean;
  close: () => Promise<void>;
}

interface Open {
  readonly client: PgClient;
  readonly pid: number;
  readonly connection: string;
  /** Of an alternate: why it is read. */
  readonly words?: string;
}

/** A connection of the pool, as a slice wants it. That it is set up is what shows that the database answers: a pooled one may be dead. */
async function begin(pool: Pool, settings: Readonly<Record<string, string>>): Promise<Pick<Open, 'client' | 'pid'>> {
  const client = await pool.acquire();
  try {
    const { rows } = await client.query<{ pid: number }>(
      'SELECT pg_backend_pid() AS pid, set_config(s.name, s.value, false) FROM unnest($1::text[], $2::text[]) AS s(name, value)',
      [Object.keys(settings), Object.values(settings)],
    );
    return { client, pid: rows[0]?.pid ?? 0 };
  } catch (error) {
    client.release(true);
    throw error;
  }
}

/**
 * Opens a slice's session. When the activity is cancelled its backends are ended: a statement alone could be stopped too early,
 * between two of them, and the next one would run on for nobody.
 */
export function openSession(
  deps: Pick<SliceDeps, 'pool' | 'warehouse' | 'log' | 'connecting' | 'alternates' | 'db' | 'metrics'>,
  who: Publisher,
  dataset: StoredDataset,
  signal: AbortSignal,
): Session {
  const open = new Map<string, Open>();
  const settings = {
    ...LIMITS,
    application_name: backendName(who, dataset.name),
    TimeZone: sessionZone(dataset),
  };
  const requireWanted = (): void => {
    if (signal.aborted) throw new Error('the slice was cancelled');
  };
  const connectTo = async (role: 'warehouse' | 'source', connection: string): Promise<Open> => {
    const at = (name: string): Promise<Pick<Open, 'client' | 'pid'>> => begin(deps.pool(name), settings);
    try {
      return { ...(await deps.connecting.connect(connection, () => at(connection))), connection };
    } catch (error) {
      if (role === 'warehouse' || !(error instanceof UnansweredError)) throw error;
      const { opened, connection: other, words } = await openAlternate(deps, who, connection, error, at);
      return { ...opened, connection: other, words };
    }
  };
  // A source that is the warehouse itself still gets a connection of its own: it streams while the other one reads.
  const connect = async (role: 'warehouse' | 'source', connection: string): Promise<PgClient> => {
    const there = open.get(role);
    if (there) return there.client;
    requireWanted();
    const opened = await connectTo(role, connection);
    open.set(role, opened);
    // Cancelled meanwhile, before there was anything to end; `close` takes it away.
    requireWanted();
    return opened.client;
  };
  const abandon = (): void => {
    for (const { client } of open.values()) client.release(true);
    open.clear();
  };
  const stop = (): void => {
    for (const { connection, pid } of open.values()) {
      const pool = deps.pool(connection);
      pool
        .use((client) => client.query('SELECT pg_terminate_backend($1)', [pid]))
        .catch((error: unknown) => {
          deps.log.warn({ err: error, connection }, 'could not end a backend');
        });
    }
  };
  signal.addEventListener('abort', stop, { once: true });
  return {
    warehouse: () => connect('warehouse', deps.warehouse),
    source: (connection) => atSource(connect('source', connection)),
    alternate: () => {
      const { connection, words } = open.get('source') ?? {};
      return connection === undefined || words === undefined ? null : { connection, words };
    },
    abandon,
    cancelled: () => signal.aborted,
    close: async () => {
      signal.removeEventListener('abort', stop);
      if (signal.aborted) abandon();
      for (const { client } of open.values()) await giveBack(client);
      open.clear();
    },
  };
}
