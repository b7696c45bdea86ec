import { SluiceError } from '../../contracts/errors.js';
import type { Connection, Project } from '../../project/project.js';
import { systemError } from '../../postgres/error.js';
import { connectOnce } from '../../postgres/pool.js';
import { ownsSession } from '../../postgres/pooler.js';
import { requireServer } from '../../postgres/server.js';
import { quoteTable } from '../../postgres/quote.js';
import type { Opened } from '../../worker/open.js';
import { fail, type Check } from './check.js';
import { judgeDatabase, type DatabaseFacts } from './judge-database.js';

/** A connection that is no part of any pool: what a pool would wait for is to be said at once. */
const CONNECT_MS = 5_000;

/** One round trip, so that the clock is read between two readings of ours. Reserved slots are for superusers only. */
const FACTS = `
  SELECT current_setting('server_version_num')::int AS version, quote_ident(current_user) AS role,
    extract(epoch FROM clock_timestamp())::float8 * 1000 AS "clockMs", pg_is_in_recovery() AS "standby", current_setting('transaction_read_only')::bool AS "readOnly",
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
      slots: connection.budget.slots,
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
  const client = await connectOnce(url, CONNECT_MS);
  try {
    await requireServer(client);
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
      sharesBackends: !(await ownsSession(client, () => connectOnce(url, CONNECT_MS))),
    };
  } finally {
    await client.end().catch(() => undefined);
  }
}
