import type { StoredDataset } from '../../contracts/plan.js';
import type { TableName } from '../../contracts/table.js';
import { inOneFlight } from '../../postgres/pipeline.js';
import type { PgClient } from '../../postgres/pool.js';
import { quoteColumns, quoteIdent, quoteTable } from '../../postgres/quote.js';
import { within } from '../../postgres/time.js';
import { digestOf, rowHash } from './digest.js';
import { DuplicateKeyError, sameKey, settleMoves, type Settled, type Yields } from './moves.js';
import { STAGING, targetTime, type Published, type Publisher, type SpanOfTime } from './publish.js';

/** Rows of a `merge` without a key: each time they would be added again. */
export class NullKeyError extends Error {}

/** Makes {@link STAGING}, in the transaction that publishes from it. */
export async function createStaging(client: PgClient, { target, columns }: StoredDataset): Promise<void> {
  await client.query(
    `CREATE TEMP TABLE ${quoteIdent(STAGING.name)} ON COMMIT DROP AS SELECT ${quoteColumns(columns)} FROM ${quoteTable(target)} WITH NO DATA`,
  );
}

/** Adds the rows of a table to a dataset's own. */
export function takeAllSql({ target, columns }: StoredDataset, from: TableName): string {
  const list = quoteColumns(columns);
  return `INSERT INTO ${quoteTable(target)} (${list}) SELECT ${list} FROM ${quoteTable(from)}`;
}

/**
 * Takes a batch's rows from {@link STAGING}, or where else they wait, to their table: `replace` adds them to the partitions that were emptied, `merge` upserts them
 * by key; where no index keeps the key unique, it is judged here. Before that, rows of other partitions that have their keys follow, or are refused.
 *
 * @param staged - the batch's partitions, with the rows and digest of what was staged for each
 * @param yields - whether another partition has a key for good
 * @returns what each partition holds now
 */
export async function publishStaged(
  client: PgClient,
  who: Publisher,
  dataset: StoredDataset,
  staged: readonly Published[],
  overwrite: boolean,
  yields: Yields,
  from: TableName = STAGING,
): Promise<Published[]> {
  const merges = dataset.publish === 'merge';
  if (merges || dataset.enforcesKey) await requireKeys(client, dataset, from);
  const settled = await settleMoves(client, who, dataset, staged, overwrite, from, yields);
  const insert = takeAllSql(dataset, from);
  if (!merges) {
    await client.query(insert);
    return [...staged];
  }
  if (dataset.enforcesKey) {
    // ON CONFLICT needs an index. A row holds all columns of its table, so to replace it is the same.
    await client.query(
      `DELETE FROM ${quoteTable(dataset.target)} AS sluice_t USING ${quoteTable(STAGING)} AS sluice_s WHERE ${sameKey(dataset)}`,
    );
    await client.query(insert);
    return settle(client, who, dataset, staged, settled);
  }
  const set = dataset.columns.map(({ name }) => `${quoteIdent(name)} = excluded.${quoteIdent(name)}`).join(', ');
  await client.query(`${insert} ON CONFLICT (${dataset.key.map(quoteIdent).join(', ')}) DO UPDATE SET ${set}`);
  return settle(client, who, dataset, staged, settled);
}

/** What the batch's partitions hold now; what those hold that lost rows to them goes into the ledger. */
async function settle(
  client: PgClient,
  who: Publisher,
  dataset: StoredDataset,
  staged: readonly Published[],
  settled: readonly Settled[],
): Promise<Published[]> {
  const left = await contentOf(client, dataset, settled);
  if (left.length > 0) {
    await client.query(
      `UPDATE sluice.partitions p SET rows = u.rows, digest = u.digest
       FROM unnest($4::timestamptz[], $5::bigint[], $6::text[]) AS u(starts_at, rows, digest)
       WHERE p.project = $1 AND p.environment = $2 AND p.dataset = $3 AND p.starts_at = u.starts_at`,
      [
        ...[who.project, who.environment, dataset.name],
        left.map(({ start }) => start),
        left.map(({ rows }) => rows),
        left.map(({ digest }) => digest),
      ],
    );
  }
  return contentOf(client, dataset, staged);
}

async function requireKeys(client: PgClient, { key, publish }: StoredDataset, from: TableName): Promise<void> {
  const list = key.map(quoteIdent);
  const { rows } = await client.query<{ n: number; twice: boolean }>(
    `SELECT coalesce(sum(n) FILTER (WHERE absent), 0)::float8 AS n, coalesce(bool_or(n > 1 AND NOT absent), false) AS twice
     FROM (SELECT count(*) AS n, ${list.map((name) => `${name} IS NULL`).join(' OR ')} AS absent
       FROM ${quoteTable(from)} GROUP BY ${list.join(', ')}) AS k`,
  );
  const absent = rows[0]?.n ?? 0;
  if (absent > 0 && publish === 'merge') throw new NullKeyError(`${absent} rows have no ${key.join(', ')}`);
  if (rows[0]?.twice === true) throw new DuplicateKeyError(`rows of the batch share a ${key.join(', ')}`);
}

/** Rows and digest of each partition as its table has them: after a merge they are more than what was staged. */
async function contentOf(
  client: PgClient,
  dataset: StoredDataset,
  partitions: readonly SpanOfTime[],
): Promise<Published[]> {
  const time = targetTime(dataset);
  const hash = rowHash('sluice_t', dataset.columns);
  const where = time === null ? '' : ` WHERE ${within(time, '$1::timestamptz', '$2::timestamptz', 'sluice_t')}`;
  const sql = `SELECT count(*)::float8 AS rows, ${digestOf(hash)} AS digest FROM ${quoteTable(dataset.target)} AS sluice_t${where}`;
  const found: Published[] = [];
  const steps = partitions.map(({ start, end }, i) => async () => {
    const values = time === null ? [] : [start, end];
    const { rows } = await client.query<{ rows: number; digest: string }>(sql, values);
    const [content] = rows;
    if (!content) throw new Error('an aggregate answered without a row');
    found[i] = { start, end, ...content };
  });
  await inOneFlight(client, steps);
  return found;
}
