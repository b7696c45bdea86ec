import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { RequestError } from '../contracts/errors.js';
import { createPool, type Pool } from '../postgres/pool.js';
import { quoteIdent } from '../postgres/quote.js';
import type { Project } from '../project/project.js';
import { resolveTemplate, type Env } from '../project/template.js';

/** Connections of a worker's slices to one database: one each for the slices at work, and some for control. */
const POOL_MAX = 64;

/** The databases of a project, by the names that `sluice.yaml` gives them. */
export interface Connections {
  readonly pool: (connection: string) => Pool;
  /** Resolves `${VAR}`, `${file:…}` and `embedded:` anew on each call. Never logged, never kept. */
  readonly urlOf: (connection: string) => Promise<string>;
  readonly close: () => Promise<void>;
}

export interface ConnectionSource {
  /** The project as it is now: a reloaded one may have other connections. */
  readonly project: () => Project;
  readonly env: Env;
  /** Of the embedded PostgreSQL that `dev` serves, if it runs. */
  readonly postgresUrl: () => string | undefined;
}

const EMBEDDED = 'embedded:';

export function createConnections(source: ConnectionSource): Connections {
  const pools = new Map<string, Pool>();
  const made = new Set<string>();
  const urlOf = async (name: string): Promise<string> => {
    const connection = source.project().connections.get(name);
    if (!connection) {
      throw new RequestError(
        'unknown_connection',
        `this project has no connection ${JSON.stringify(name)}`,
        'name it under `connections:` in sluice.yaml',
      );
    }
    const url = await resolveTemplate(connection.url, source.env, (path) => readFile(path, 'utf8'), name);
    if (isPostgresUrl(url)) return url;
    if (!url.startsWith(EMBEDDED)) {
      // The driver would take it for the name of a host. What it says may be a secret.
      throw new RequestError(
        'bad_url',
        `connection ${name}: its url resolves to what is no PostgreSQL url`,
        'write postgres://user:password@host:5432/database (in a password / is written %2F, and so on), or embedded:<database>',
      );
    }
    const server = source.postgresUrl();
    if (server === undefined) {
      throw new RequestError(
        'no_embedded',
        `connection ${name} is ${url}, and no embedded PostgreSQL runs`,
        'start it with `sluice dev`, or give the connection a url',
      );
    }
    return embeddedUrl(server, url.slice(EMBEDDED.length), made);
  };
  return {
    urlOf,
    pool: (name) => {
      const known = pools.get(name) ?? createPool(() => urlOf(name), POOL_MAX);
      pools.set(name, known);
      return known;
    },
    close: async () => {
      await Promise.all([...pools.values()].map((pool) => pool.close()));
    },
  };
}

/** As the driver reads it, for which a host may be missing (`postgres://me@/db`). A password that is not encoded ends the host's name. */
function isPostgresUrl(url: string): boolean {
  return /^(postgres(ql)?|socket):/.test(url) && URL.canParse(url.replace('@/', '@host/'));
}

/** A database of the embedded server, made when it is missing: nobody else would. */
async function embeddedUrl(server: string, database: string, made: Set<string>): Promise<string> {
  const url = new URL(server);
  url.pathname = `/${encodeURIComponent(database)}`;
  if (made.has(url.href)) return url.href;
  const admin = new URL(server);
  admin.pathname = '/postgres';
  const client = new pg.Client({ connectionString: admin.href });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [database]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${quoteIdent(database)}`);
  } catch (error) {
    // Somebody else was quicker.
    if (!(error instanceof pg.DatabaseError) || (error.code !== '42P04' && error.code !== '23505')) throw error;
  } finally {
    await client.end();
  }
  made.add(url.href);
  return url.href;
}
