import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { SystemError } from '../contracts/errors.js';
import { cacheDir } from './cache.js';
import { ensureCluster, SUPERUSER } from './postgres-cluster.js';
import { postgresBinaries } from './postgres-binaries.js';
import { clearOrphan, END_POSTGRES } from './postgres-orphan.js';
import { postgresUser } from './postgres-user.js';
import { endProcess, type ProcessId } from './processes.js';
import { spawnServer, untilServing, type ServerCommand, type ServerProcess, type Waiting } from './server-process.js';

/** Recovery after a kill reads the log since the last checkpoint; by default that is at most 1 GB. */
const START_BOUND_MS = 60_000;

const LINGER_BOUND_MS = 20_000;
const LINGER_POLL_MS = 200;

export interface PostgresOptions {
  /** The cluster's folder; made when missing. */
  readonly dataDir: string;
  readonly port: number;
  /** Of the superuser `sluice`; taken when the cluster is made, and must stay the same. */
  readonly password: string;
  readonly logFile: string;
  /** Folder of an npm package with another version's programs; `SLUICE_POSTGRES_PACKAGE` by default, else the one installed with sluice. */
  readonly package?: string;
  readonly signal?: AbortSignal | undefined;
  readonly onSpawn?: ((id: ProcessId) => void) | undefined;
}

/** A server that serves. */
export interface PostgresServer extends ServerProcess {
  /** `postgres://sluice:<password>@127.0.0.1:<port>`, without a database; the one called `sluice` exists. */
  readonly url: string;
  /** Ends it by fast shutdown, by force after 25 s; at once when `hurry` aborts. */
  stop(hurry?: AbortSignal): Promise<void>;
}

/**
 * Starts the embedded PostgreSQL and returns when it answers. A server left over on the same folder is ended first.
 *
 * @throws {SystemError} `no_postgres`, `no_postgres_user`, `initdb_failed`, or `start_failed` with the end of its log.
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const { dataDir, port, password, logFile, signal } = options;
  const as = await postgresUser();
  const another = options.package ?? process.env['SLUICE_POSTGRES_PACKAGE'];
  const binaries = await postgresBinaries(as, cacheDir(process.env), another);
  const cluster = await ensureCluster(dataDir, password, binaries, as);
  await clearOrphan(cluster);
  signal?.throwIfAborted();
  const command = { file: binaries.postgres, args: argumentsOf(cluster, port), env: ENV, logFile, ...as };
  const end = Date.now() + LINGER_BOUND_MS;
  for (;;) {
    try {
      return await serve(command, options);
    } catch (error) {
      // A server that was killed leaves backends behind for a moment, and its memory with them.
      const lingers = error instanceof SystemError && error.message.includes('pre-existing shared memory');
      if (!lingers || Date.now() > end) throw error;
    }
    await wait(LINGER_POLL_MS);
  }
}

async function serve(command: ServerCommand, options: PostgresOptions): Promise<PostgresServer> {
  const { port, password, signal } = options;
  const server = await spawnServer(command, options.onSpawn);
  const stop = async (hurry?: AbortSignal): Promise<void> => {
    await endProcess(server, END_POSTGRES, hurry);
  };
  const url = `postgres://${SUPERUSER}:${encodeURIComponent(password)}@127.0.0.1:${String(port)}`;
  const waiting: Waiting = { what: 'PostgreSQL', process: server, boundMs: START_BOUND_MS, signal };
  try {
    await untilServing(() => ensureDatabase(url, SUPERUSER), waiting);
  } catch (error) {
    await stop();
    throw error;
  }
  return { ...server, url, stop };
}

const RESET = 'Restore the password file beside it, or remove the folder to begin anew.';

/** Nothing of ours: PGDATA, PGPORT or PGOPTIONS would change what it does. */
const ENV = { LC_ALL: 'C', TZ: 'UTC' };

function argumentsOf(cluster: string, port: number): string[] {
  const settings = {
    listen_addresses: '127.0.0.1',
    port,
    // TCP only: a socket's folder would have to be one that its user may write to.
    unix_socket_directories: '',
    max_connections: 100,
    wal_level: 'logical',
    timezone: 'UTC',
    log_timezone: 'UTC',
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${String(value)}`]);
  return ['-D', cluster, ...flags];
}

/**
 * Makes a database of the embedded server where it is missing; throws where the server does not answer.
 *
 * @param url - as in `PostgresServer.url`.
 */
export async function ensureDatabase(url: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: `${url}/postgres`, connectionTimeoutMillis: 5_000 });
  // Without a listener a connection that is cut would end this process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
  } catch (error) {
    const code = error instanceof pg.DatabaseError ? error.code : undefined;
    if (code === '28P01') throw new SystemError('wrong_password', 'The cluster was made with another password', RESET);
    // Another process made it in between.
    if (code !== '42P04' && code !== '23505') throw error;
  } finally {
    await client.end();
  }
}
