import type { PgClient } from './pool.js';

/**
 * What a database is, under whatever name or address it is reached: the cluster's system identifier and the database's oid. A standby has
 * both of its primary but bears its own load, so its address tells it apart.
 */
const IDENTITY = `
  SELECT (SELECT system_identifier FROM pg_control_system()) || '.' || (SELECT oid FROM pg_database WHERE datname = current_database())
    || CASE WHEN pg_is_in_recovery() THEN '.' || coalesce(host(inet_server_addr()) || ':' || inet_server_port(), 'standby') ELSE '' END AS identity`;

export async function identityOf(client: PgClient): Promise<string> {
  const { rows } = await client.query<{ identity: string }>(IDENTITY);
  const [row] = rows;
  if (!row) throw new Error('the database answered without a row');
  return row.identity;
}
