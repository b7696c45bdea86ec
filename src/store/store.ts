import knexFactory, { type Knex } from 'knex';
import type pg from 'pg';
import { migrate } from './migrations.js';
import { bindServer } from './server.js';
import { systemError } from '../postgres/error.js';
import { connectOnce, settle, withRetries, type UrlOf } from '../postgres/pool.js';
import { requireOwnSession } from '../postgres/pooler.js';
import { requireServer } from '../postgres/server.js';

/** The `sluice` schema of one warehouse. Its modules are functions over this. */
export type Db = Knex;

const RESOLVE_AGAIN_MS = 250;

/**
 * A worker that is frozen in the middle of a transaction keeps its locks, on a breaker or an order, no longer than this: by itself a database lets it have them for ever.
 * Between two statements of ours there are milliseconds.
 */
const STILL_MAX = '30s';

const drop = (): void => undefined;
const SILENT = { warn: drop, error: drop, deprecate: drop, debug: drop };

/** Whose rows: every table of the store is divided by project and environment. */
export interface Scope {
  readonly project: string;
  readonly environment: string;
}

/** The two key columns of whatever carries them, and nothing else of it. */
export function keysOf({ project, environment }: Scope): { project: string; environment: string } {
  return { project, environment };
}

/**
 * Opens the store of a warehouse and brings its schema to this version.
 * @throws SystemError after retries where a retry can help, at once where it cannot (wrong password, unknown database)
 */
export async function openStore(urlOf: UrlOf, connection: string, max = 4): Promise<Db> {
  const db = knexFactory({
    client: 'pg',
    connection: async () => {
      const resolvedAt = Date.now();
      return {
        connectionString: await urlOf(),
        application_name: 'sluice/store',
        connectionTimeoutMillis: 10_000,
        // knex asks before it connects, so that a rotated secret is used by the next connection; and takes it ill when what it has just
        // been given counts as old.
        expirationChecker: () => Date.now() - resolvedAt > RESOLVE_AGAIN_MS,
      };
    },
    pool: {
      min: 0,
      max,
      idleTimeoutMillis: 10_000,
      afterCreate: (client: pg.Client, done: (error: Error | null) => void) => {
        settle(client)
          .then(() => client.query(`SET idle_in_transaction_session_timeout = '${STILL_MAX}'`))
          .then(() => done(null), done);
      },
    },
    acquireConnectionTimeout: 15_000,
    // What knex says of itself it says on stdout, in the middle of a document or a display; what matters of it is thrown as well.
    log: SILENT,
    // knex would write the bound values into the message of every error, and so into logs and histories.
    compileSqlOnError: false,
  });
  try {
    // Connect by hand first: knex hides why a connection was refused behind a time-out of its pool.
    await withRetries(
      async () => {
        await probe(urlOf);
        await migrate(db);
      },
      4,
      (ms) => new Promise((done) => setTimeout(done, ms)),
    );
    await bindServer(db);
  } catch (error) {
    await db.destroy();
    throw systemError(error, connection);
  }
  return db;
}

async function probe(urlOf: UrlOf): Promise<void> {
  const client = await connectOnce(await urlOf());
  try {
    await requireServer(client);
    await requireOwnSession(client, async () => connectOnce(await urlOf()));
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Rows of a raw query, their shape as the SQL next to it selects it. */
export async function rowsOf<Row>(
  db: Db,
  sql: string,
  bindings: Knex.RawBinding[] | Knex.ValueDict = [],
): Promise<Row[]> {
  const { rows } = await db.raw<{ rows: Row[] }>(sql, bindings);
  return rows;
}
