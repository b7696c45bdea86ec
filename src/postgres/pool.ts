import { Socket } from 'node:net';
import pg from 'pg';
import { faultOf } from './error.js';
import { requireOwnSession, SECOND_SESSION_MS } from './pooler.js';
import { requireServer } from './server.js';
import { ReusingSocket } from './socket.js';
import { retryable } from '../core/retry.js';

/**
 * What answers depend on, so that they are the same whatever the server's and the role's own settings are: text that leaves one server is
 * read by another. A slice sets its dataset's `TimeZone` beside them.
 */
export const ANSWERS: Readonly<Record<string, string>> = {
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  extra_float_digits: '1',
  array_nulls: 'on',
  xmloption: 'content',
  // A text, a comparison and a search mean the same wherever they run, and as sluice's parser reads them.
  standard_conforming_strings: 'on',
  transform_null_equals: 'off',
  timezone_abbreviations: 'Default',
  gin_fuzzy_search_limit: '0',
  // Bare names are those of public, whatever the role's own setting is: one called sluice would find our schema first.
  search_path: 'public',
  // A table whose policies would hide rows from us is refused: part of it would look like all of it.
  row_security: 'off',
};

/**
 * Session settings that keep sluice's promises, set where the server knows them (13 lacks the first).
 * A killed worker's busy backend ends within a second instead of working on for nobody.
 */
const SESSION: Readonly<Record<string, string>> = {
  client_connection_check_interval: '500ms',
  tcp_keepalives_idle: '10',
  tcp_keepalives_interval: '5',
  tcp_keepalives_count: '3',
  tcp_user_timeout: '30s',
  idle_in_transaction_session_timeout: '10min',
  TimeZone: 'UTC',
  // A lock is taken first, and then what it guards is read: under another isolation that would be as it was before.
  default_transaction_isolation: 'read committed',
  idle_session_timeout: '0',
  jit: 'off',
  ...ANSWERS,
};

/** What was told to be published is: a commit that a crash undoes would leave its readers with rows that were never there. */
const DURABLE = `SELECT set_config(name, 'on', false) FROM pg_settings WHERE name = 'synchronous_commit' AND setting = 'off'`;

const SET_SESSION = `SELECT set_config(s.name, v.value, false) FROM pg_settings s
  JOIN unnest($1::text[], $2::text[]) AS v(name, value) ON lower(s.name) = lower(v.name)
  WHERE s.setting IS DISTINCT FROM v.value UNION ALL ${DURABLE}`;

/** Gives a new connection sluice's session settings, whatever its role or its database says. */
export async function settle(client: Pick<pg.Client, 'query'>): Promise<void> {
  await client.query(SET_SESSION, [Object.keys(SESSION), Object.values(SESSION)]);
}

export type PgClient = pg.PoolClient;

/** Resolves the URL anew on each call, so that a rotated secret is used by the next connection. */
export type UrlOf = () => Promise<string>;

/** Connections to one database. */
export interface Pool {
  /** A connection with sluice's session settings. Give it back with `release()`, or `release(true)` to close it. */
  acquire: () => Promise<PgClient>;
  /** Runs `work` on a connection and gives it back; after an error it is closed. */
  use: <T>(work: (client: PgClient) => Promise<T>) => Promise<T>;
  close: () => Promise<void>;
}

function poolAt(url: string, max: number): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max,
    idleTimeoutMillis: 10_000,
    connectionTimeoutMillis: 10_000,
    // Of a server that is gone without a word only this tells.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    application_name: 'sluice',
    // Of TLS pg makes its own.
    stream: (connection?: { readonly ssl?: unknown }) => (connection?.ssl ? new Socket() : new ReusingSocket()),
  });
  // An idle connection that dies is replaced; whoever uses one next meets the error itself.
  pool.on('error', () => undefined);
  return pool;
}

/** A pool that follows its URL: when the URL resolves to another one, new connections go there and the old ones drain. */
export function createPool(urlOf: UrlOf, max: number): Pool {
  let current: { url: string; pool: pg.Pool } | undefined;
  const poolFor = (url: string): pg.Pool => {
    if (current?.url !== url) {
      // Not waited for: it ends when the last of its connections is given back. And nothing may come between the look and the change.
      current?.pool.end().catch(() => undefined);
      current = { url, pool: poolAt(url, max) };
    }
    return current.pool;
  };
  const fresh = new WeakSet<object>();
  const judged = new WeakSet<pg.Pool>();
  const acquireFrom = async (url: string): Promise<PgClient> => {
    const pool = poolFor(url);
    const client = await pool.connect();
    if (!fresh.has(client)) {
      client.on('error', () => undefined);
      try {
        if (!judged.has(pool)) {
          await requireServer(client);
          await requireOwnSession(client, async () => connectOnce(await urlOf()));
        }
        judged.add(pool);
        await settle(client);
      } catch (error) {
        client.release(true);
        throw error;
      }
      fresh.add(client);
    }
    return client;
  };
  const acquire = async (): Promise<PgClient> => {
    const url = await urlOf();
    try {
      return await acquireFrom(url);
    } catch (error) {
      // A secret that was rotated between our look and the login is no wrong one.
      const now = await urlOf();
      if (now === url) throw error;
      return acquireFrom(now);
    }
  };
  return {
    acquire,
    use: async (work) => {
      const client = await acquire();
      let broken = true;
      try {
        const result = await work(client);
        broken = false;
        return result;
      } finally {
        client.release(broken);
      }
    },
    close: async () => {
      await current?.pool.end();
      current = undefined;
    },
  };
}

/** A connection outside of any pool; nothing on it is waited for long. */
export async function connectOnce(connectionString: string, connectMs = 10_000): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString,
    connectionTimeoutMillis: connectMs,
    query_timeout: SECOND_SESSION_MS,
    application_name: 'sluice/probe',
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}

/** Retries what a retry can help (a server that is starting), at once gives up on the rest. */
export async function withRetries<T>(
  work: () => Promise<T>,
  attempts: number,
  wait: (ms: number) => Promise<void>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= attempts || !retryable(faultOf(error, 'warehouse').class)) throw error;
      await wait(250 * 2 ** attempt);
    }
  }
}
