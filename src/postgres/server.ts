import type pg from 'pg';
import { RequestError } from '../contracts/errors.js';

/** Majors that the tests run on (docs/supported.md). Older ones are refused, newer ones are taken, and the doctor says so. */
export const MAJORS = { oldest: 13, newest: 18 } as const;

/** Servers that speak PostgreSQL's protocol and are not it, by what their `version()` says. Their version numbers are often PostgreSQL's own. */
const OTHERS: readonly (readonly [name: string, said: RegExp])[] = [
  ['Amazon Redshift', /redshift/i],
  ['Aurora DSQL', /\bdsql\b/i],
  ['CockroachDB', /cockroach/i],
  ['YugabyteDB', /yugabyte|-YB-/i],
  ['Greenplum', /greenplum/i],
  ['Cloudberry', /cloudberry/i],
  ['Materialize', /materialize/i],
  ['RisingWave', /risingwave/i],
  ['CrateDB', /cratedb/i],
  ['QuestDB', /questdb/i],
  ['openGauss', /opengauss|gaussdb/i],
  ['Google Spanner', /spanner/i],
  ['Vertica', /vertica/i],
];

/**
 * What publishing, staleness and reading in chunks stand on. A server without one of them would fail in the middle of the work, or worse, answer
 * with something else.
 */
const NEEDED: readonly string[] = [
  ...['pg_current_snapshot', 'pg_current_xact_id', 'pg_visible_in_snapshot', 'pg_export_snapshot'],
  ...['pg_try_advisory_lock', 'pg_advisory_xact_lock', 'pg_blocking_pids', 'pg_stat_get_activity'],
  ...['hash_array_extended', 'record_send', 'pg_relation_size'],
];

/** What a server says of itself. */
export interface ServerFacts {
  /** As `version()` says it. */
  readonly said: string;
  /** `server_version_num`. */
  readonly version: number;
  /** Functions of {@link NEEDED} that it lacks. */
  readonly missing: readonly string[];
}

/** Why a server cannot be worked with; undefined where it can. */
export function unsupported({ said, version, missing }: ServerFacts): string | undefined {
  const other = OTHERS.find(([, pattern]) => pattern.test(said));
  if (other) return `the server is ${other[0]}, not PostgreSQL`;
  const major = Math.floor(version / 10_000);
  if (!(major >= MAJORS.oldest)) return `the server is PostgreSQL ${major}, which is too old`;
  if (missing.length > 0)
    return `the server calls itself PostgreSQL ${major} and lacks what sluice stands on: ${missing.join(', ')}`;
  return undefined;
}

/** What to do about an unsupported server. */
export const SUPPORTED = `use PostgreSQL ${MAJORS.oldest} to ${MAJORS.newest}, or a service that runs it: docs/supported.md`;

/**
 * Refuses what is not PostgreSQL, or too old, by name, before anything is done there. Asked in two steps: some others know no `unnest`.
 * @throws RequestError unsupported_server
 */
export async function requireServer(client: pg.ClientBase): Promise<void> {
  const reason = unsupported(await serverFacts(client));
  if (reason !== undefined) throw new RequestError('unsupported_server', reason, SUPPORTED);
}

/** Asks a server what it is. */
export async function serverFacts(client: pg.ClientBase): Promise<ServerFacts> {
  const { rows } = await client.query<{ said: string; version: string | null }>(
    `SELECT version() AS said, current_setting('server_version_num') AS version`,
  );
  const said = rows[0]?.said ?? '';
  const facts = { said, version: Number(rows[0]?.version ?? 0), missing: [] };
  if (unsupported(facts) !== undefined) return facts;
  const lacking = await client.query<{ name: string }>(
    `SELECT name FROM unnest($1::text[]) AS n(name)
     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.proname = n.name AND p.pronamespace = 'pg_catalog'::regnamespace)`,
    [NEEDED],
  );
  return { ...facts, missing: lacking.rows.map(({ name }) => name) };
}
