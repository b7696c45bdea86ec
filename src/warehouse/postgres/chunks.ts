import { createHash } from 'node:crypto';
import type { StoredDataset } from '../../contracts/plan.js';
import type { TableName } from '../../contracts/table.js';
import type { ChunkAxis } from '../../core/slice/chunks.js';
import type { PgClient } from '../../postgres/pool.js';
import { quoteColumns, quoteIdent, quoteTable } from '../../postgres/quote.js';
import { requireHeld, type Publisher } from './publish.js';

/** Staging that is not whole: another attempt has published and dropped it, or a crash of the warehouse emptied it. */
export class StagingLostError extends Error {}

/** One chunk of a staging: `[low, high)` of its axis, and what was read of it. */
export interface Chunk {
  readonly n: number;
  readonly low: string | null;
  readonly high: string | null;
  /** Null until it is read. */
  readonly rows: number | null;
  readonly xmin: string | null;
}

export interface Staging {
  readonly id: string;
  readonly table: TableName;
  readonly axis: ChunkAxis;
  readonly complete: boolean;
  readonly chunks: readonly Chunk[];
}

type Borders = Pick<Staging, 'axis'> & { readonly ranges: readonly Pick<Chunk, 'low' | 'high'>[] };

/** What is staged from ordinal `lo` on, by this execution; null if nothing is. */
export async function findStaging(
  client: PgClient,
  who: Publisher,
  dataset: string,
  lo: number,
): Promise<Staging | null> {
  const { rows } = await client.query<{
    id: string;
    axis: Staging['axis'];
    complete: boolean | null;
    chunks: Chunk[] | null;
  }>(
    `SELECT s.id::text, s.axis, bool_and(c.complete) AS complete,
       json_agg(json_build_object('n', c.n, 'low', c.low, 'high', c.high, 'rows', c.rows, 'xmin', c.source_xmin) ORDER BY c.n) AS chunks
     FROM sluice.staging s JOIN sluice.chunks c ON c.staging = s.id
     WHERE s.epoch = $1 AND s.dataset = $2 AND s.lo = $3 GROUP BY s.id`,
    [who.epoch, dataset, lo],
  );
  const [found] = rows;
  if (!found) return null;
  const { id, axis, complete, chunks } = found;
  return { id, table: tableOf(id), axis, complete: complete === true, chunks: chunks ?? [] };
}

/**
 * Makes a staging of the ordinals `[lo, hi)`, and its chunks: one transaction, which must find the lease of `leased`. What is left of one that
 * a crash emptied goes.
 */
export async function openStaging(
  client: PgClient,
  who: Publisher,
  dataset: StoredDataset,
  [lo, hi]: readonly [number, number],
  leased: number,
  { axis, ranges }: Borders,
): Promise<void> {
  await client.query('BEGIN');
  await requireHeld(client, who, dataset.name, leased);
  const { rows: old } = await client.query<{ id: string }>(
    'DELETE FROM sluice.staging WHERE epoch = $1 AND dataset = $2 AND lo = $3 RETURNING id::text',
    [who.epoch, dataset.name, lo],
  );
  for (const { id } of old) await client.query(dropSql(id));
  const { rows } = await client.query<{ id: string }>(
    `INSERT INTO sluice.staging (project, environment, epoch, dataset, lo, hi, axis) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id::text`,
    [who.project, who.environment, who.epoch, dataset.name, lo, hi, axis],
  );
  const [{ id } = { id: '' }] = rows;
  await client.query(
    `CREATE UNLOGGED TABLE ${quoteTable(tableOf(id))} AS SELECT ${quoteColumns(dataset.columns)} FROM ${quoteTable(dataset.target)} WITH NO DATA`,
  );
  await keepPrivate(client, tableOf(id));
  await client.query(
    `INSERT INTO sluice.chunks (staging, n, low, high)
     SELECT $1, n, low, high FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS u(low, high, n)`,
    [id, ranges.map(({ low }) => low), ranges.map(({ high }) => high)],
  );
  await client.query('COMMIT');
}

/**
 * Opens the transaction that fills a chunk, and makes its table: of its own, so that a chunk can be read again, and its rows are written
 * frozen, for nobody to touch their pages again.
 */
export async function openChunk(
  client: PgClient,
  who: Publisher,
  dataset: string,
  leased: number,
  { id, table }: Staging,
  n: number,
): Promise<TableName> {
  const chunk = { ...table, name: `${table.name}_${n}` };
  // Not REPEATABLE READ: the row of a chunk that another attempt has filled meanwhile must be seen.
  await client.query('BEGIN');
  await requireHeld(client, who, dataset, leased);
  const { rowCount } = await client.query('SELECT FROM sluice.chunks WHERE staging = $1 AND n = $2 FOR UPDATE', [
    id,
    n,
  ]);
  if (rowCount !== 1) throw new StagingLostError('the staging is gone');
  await client.query(`DROP TABLE IF EXISTS ${quoteTable(chunk)}`);
  await client.query(
    `CREATE UNLOGGED TABLE ${quoteTable(chunk)} (LIKE ${quoteTable(table)}) WITH (autovacuum_enabled = false)`,
  );
  await keepPrivate(client, chunk);
  return chunk;
}

/** Commits a chunk with what was read into it. It joins its staging last: until then, others may add theirs. */
export async function commitChunk(
  client: PgClient,
  { id, table }: Staging,
  chunk: TableName,
  read: { readonly n: number; readonly rows: number; readonly digest: string; readonly xmin: string },
  indexed: string | null,
): Promise<void> {
  if (indexed !== null) await client.query(`CREATE INDEX ON ${quoteTable(chunk)} (${quoteIdent(indexed)})`);
  await client.query(
    'UPDATE sluice.chunks SET rows = $3, digest = $4, source_xmin = $5 WHERE staging = $1 AND n = $2',
    [id, read.n, read.rows, read.digest, read.xmin],
  );
  await client.query(`ALTER TABLE ${quoteTable(chunk)} INHERIT ${quoteTable(table)}`);
  await client.query('COMMIT');
}

/** Says that all chunks are read, and are what one snapshot of the source shows. */
export async function completeStaging(
  client: PgClient,
  who: Publisher,
  dataset: string,
  leased: number,
  { id }: Staging,
): Promise<void> {
  await client.query('BEGIN');
  await requireHeld(client, who, dataset, leased);
  await client.query('UPDATE sluice.chunks SET complete = true WHERE staging = $1', [id]);
  await client.query('COMMIT');
}

/** Rows and digest of a staging, in the transaction that publishes from it. @throws StagingLostError */
export async function requireComplete(client: PgClient, { id }: Staging): Promise<{ rows: number; digest: string }> {
  const { rows } = await client.query<{ complete: boolean | null; rows: number; digests: string }>(
    `SELECT bool_and(complete) AS complete, sum(rows)::float8 AS rows, string_agg(digest, ' ' ORDER BY n) AS digests
     FROM sluice.chunks WHERE staging = $1`,
    [id],
  );
  const [found] = rows;
  if (found?.complete !== true) throw new StagingLostError('the staging is gone');
  return { rows: found.rows, digest: createHash('sha1').update(found.digests).digest('hex').slice(0, 24) };
}

/** Drops a staging in the transaction that has published all of it. */
export async function dropStaging(client: PgClient, { id }: Staging): Promise<void> {
  await client.query('DELETE FROM sluice.staging WHERE id = $1', [id]);
  await client.query(dropSql(id));
}

/**
 * Whether this session may make and fill the staging from ordinal `lo` on: one does at a time, on whatever machine, until it gives its
 * locks back or ends.
 */
export async function tryToFill(client: PgClient, who: Publisher, dataset: string, lo: number): Promise<boolean> {
  const { rows } = await client.query<{ mine: boolean }>(
    `SELECT pg_try_advisory_lock(hashtextextended('sluice staging ' || $1, 0)) AS mine`,
    [`${who.epoch} ${lo} ${dataset}`],
  );
  return rows[0]?.mine === true;
}

function tableOf(id: string): TableName {
  return { schema: 'sluice', name: `staging_${id}` };
}

/** Its chunks go with it. */
function dropSql(id: string): string {
  return `DROP TABLE IF EXISTS ${quoteTable(tableOf(id))} CASCADE`;
}

/** Roles that may read all of schema `sluice`, for its state, may not read rows on their way to another table. */
async function keepPrivate(client: PgClient, table: TableName): Promise<void> {
  const name = quoteTable(table);
  const { rows } = await client.query<{ role: string }>(
    `SELECT DISTINCT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS role
     FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = $1::regclass AND a.grantee <> c.relowner`,
    [name],
  );
  if (rows.length > 0) await client.query(`REVOKE ALL ON ${name} FROM ${rows.map(({ role }) => role).join(', ')}`);
}
