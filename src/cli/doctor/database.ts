import pg from 'pg';
import { SluiceError } from '../../contracts/errors.js';
import type { Connection, Project } from '../../project/project.js';
import { systemError } from '../../postgres/error.js';
import { quoteTable } from '../../postgres/quote.js';
import { DEFAULT_SLOTS } from '../../worker/limits.js';
import type { Opened } from '../../worker/open.js';
import { fail, type Check } from './check.js';
import { judgeDatabase, type DatabaseFacts } from './judge-database.js';

const CONNECT_MS = 5_000;

/** One round trip, so that the clock is read between two readings of ours. Reserved slots are for superusers only. */
const FACTS = `
  SELECT current_setting('server_version_num')::int AS version, quote_ident(current_user) AS role, pg_backend_pid() AS pid,
    extract(epoch FROM clock_timestamp())::float8 * 1000 AS "clockMs", pg_is_in_recovery() AS "readOnly",
    current_setting('max_connections')::int
      - coalesce(current_setting('superuser_reserved_connections', true)::int, 0)
      - coalesce(current_setting('reserved_connections', true)::int, 0) AS "allowed",
    (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS "allowedRole",
    (SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS "allowedDatabase",
    (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name NOT LIKE 'sluice%') AS "usedByOthers",
    has_database_privilege(current_database(), 'CREATE') AS "mayCreateSchemas",
    (SELECT coalesce(array_agg(quote_ident(s)), '{}') FROM unnest($1::text[]) s WHERE to_regnamespace(quote_ident(s)) IS NULL) AS "missingSchemas",
    (SELECT coalesce(array_agg(quote_ident(s)), '{}') FROM unnest($1::text[]) s WHERE to_regnamespace(quote_ident(s)) IS NOT NULL
      AND NOT (has_schema_privilege(s, 'CREATE') AND has_schema_privilege(s, 'USAGE'))) AS "closedSchemas",
    (SELECT coalesce(array_agg(t), '{}') FROM unnest($2::text[]) t WHERE to_regclass(t) IS NULL) AS "missingTables",
    (SELECT coalesce(array_agg(t), '{}') FROM unnest($2::text[]) t WHERE NOT has_table_privilege(to_regclass(t), 'SELECT')) AS "closedTables"`;

/** Looks at one connection of the project: can it be reached, and may sluice do there what it will have to? */
export async function checkConnection(opened: Opened, connection: Connection): Promise<Check[]> {
  const project = opened.project();
  const isWarehouse = connection.name === project.warehouse;
  try {
    const facts = await factsOf(await opened.connections.urlOf(connection.name), {
      schemas: isWarehouse ? schemasOf(project) : [],
      tables: tablesOf(project, connection.name),
    });
    return judgeDatabase(connection.name, facts, {
      isWarehouse,
      slots: connection.budget.slots ?? DEFAULT_SLOTS,
    });
  } catch (error) {
    const known = error instanceof SluiceError ? error : systemError(error, connection.name);
    const message = known.message.replace(`connection ${connection.name}: `, '');
    return [fail(`connection ${connection.name}`, message, known.remedy ?? 'correct its url in sluice.yaml')];
  }
}

/** Where the warehouse is written to: the datasets' schemas and our own. */
function schemasOf(project: Project): string[] {
  const written = [...project.datasets.values()].filter(({ body }) => body.kind !== 'call');
  return [...new Set(['sluice', ...written.map(({ table }) => table.schema)])];
}

function tablesOf(project: Project, connection: string): string[] {
  return [...project.datasets.values()].flatMap(({ body }) =>
    body.kind === 'extract' && body.from === connection && body.table ? [quoteTable(body.table)] : [],
  );
}

interface Wanted {
  readonly schemas: readonly string[];
  /** Quoted. */
  readonly tables: readonly string[];
}

async function factsOf(url: string, { schemas, tables }: Wanted): Promise<DatabaseFacts> {
  return withClient(url, async (client) => {
    const sentAt = Date.now();
    const { rows } = await client.query<Omit<DatabaseFacts, 'skewMs' | 'roundTripMs' | 'sharesBackends'>>(FACTS, [
      schemas,
      tables,
    ]);
    const gotAt = Date.now();
    const [row] = rows;
    if (!row) throw new Error('the database answered without a row');
    return {
      ...row,
      roundTripMs: gotAt - sentAt,
      skewMs: Math.round(row.clockMs - (sentAt + gotAt) / 2),
      // A pooler that hands out a backend per transaction gives this second connection the one that the first has just let go of.
      sharesBackends: await withClient(url, async (other) => (await pidOf(other)) === row.pid),
    };
  });
}

async function pidOf(client: pg.Client): Promise<number | undefined> {
  return (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid;
}

/** A connection that is no part of any pool: what a pool would retry is to be said at once. */
async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: CONNECT_MS,
    application_name: 'sluice/doctor',
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
