import type { ExtractSpec, StoredDataset, TransformSpec } from '../src/contracts/plan.js';
import type { TableName } from '../src/contracts/table.js';
import type { PgClient } from '../src/postgres/pool.js';
import { quoteColumns, quoteTable } from '../src/postgres/quote.js';
import { within } from '../src/postgres/time.js';
import { copyOutSql, isBinary, type SqlInterval } from '../src/source/postgres/extract.js';
import { dropStaging, requireComplete, type Staging } from '../src/warehouse/postgres/chunks.js';
import { lockKey, unlockKey } from '../src/warehouse/postgres/key-lock.js';
import { createStaging, publishStaged, takeAllSql } from '../src/warehouse/postgres/staging.js';
import type { Yields } from '../src/warehouse/postgres/moves.js';
import { rowsLeftOf, writeLedger } from '../src/warehouse/postgres/ledger.js';
import { copyAcross } from '../src/postgres/copy.js';
import { atSource } from '../src/postgres/error.js';
import { inOneFlight } from '../src/postgres/pipeline.js';
import {
  BEGIN,
  insertSelect,
  openPartitions,
  requireHeld,
  STAGING,
  targetTime,
  type Published,
  type Publisher,
} from '../src/warehouse/postgres/publish.js';

/** Rows of a transform that do not belong to the partition that made them. */
export class RowsOutsideError extends Error {
  constructor(readonly rows: number) {
    super(`${rows} rows lie outside their partition`);
  }
}

/** A COPY that lost rows on the way. */
export class RowsLostError extends Error {}

export interface Batch {
  readonly who: Publisher;
  readonly dataset: StoredDataset;
  readonly lo: number;
  /** Adjacent, ascending. */
  readonly partitions: readonly SqlInterval[];
  /** Starts of those that the ledger knows. */
  readonly known: ReadonlySet<string>;
  readonly overwrite: boolean;
  /** Whether rows go through a table of the transaction's own: for `merge`, and for keys that another partition holds. */
  readonly staged: boolean;
  /** Where an extract's rows wait that were read in chunks; null: they are read now. */
  readonly staging: BatchStaging | null;
  /** Asks if a partition that gave up keys has them for good. */
  readonly yields: (warehouse: PgClient) => Yields;
}

export interface BatchStaging {
  readonly staging: Staging;
  /** Whether it holds other partitions too. */
  readonly shared: boolean;
}

/** One batch: opens, builds, judges and publishes its partitions, data and ledger in one transaction. */
export async function publishBatch(
  batch: Batch,
  warehouse: PgClient,
  source: PgClient | null,
): Promise<readonly Published[]> {
  const { who, dataset, partitions, lo, known, overwrite, staged } = batch;
  const { spec } = dataset;
  if (spec.kind === 'call') throw new Error(`${dataset.name} is a call: it has no batches`);
  if (dataset.publish === 'view') return publishView(batch, warehouse);
  const into = staged ? STAGING : dataset.target;
  if (dataset.enforcesKey) await lockKey(warehouse, dataset);
  if (batch.staging && !batch.staging.shared) return publishChunks(batch, batch.staging.staging, warehouse);
  const opening = [
    () => warehouse.query(BEGIN),
    () => requireHeld(warehouse, who, dataset.name, lo),
    () => openPartitions(warehouse, who, dataset, partitions, known, overwrite),
    ...(staged ? [() => createStaging(warehouse, dataset)] : []),
  ];
  let published: Published[] = [];
  if (batch.staging) {
    const { staging } = batch.staging;
    await inOneFlight(warehouse, [
      ...opening,
      () => requireComplete(warehouse, staging),
      async () => {
        published = await insertJudged(dataset, into, fromStaging(dataset, staging), partitions, warehouse);
      },
    ]);
  } else if (spec.kind === 'extract') {
    if (!source) throw new Error('an extract needs its source');
    await inOneFlight(warehouse, opening);
    published = await extract(dataset, spec, into, partitions, source, warehouse);
  } else {
    // All in one flight: a round trip for each statement would cost more than a small partition does.
    const built: Published[][] = [];
    const steps = statementsOf(spec, partitions).map((together, i) => async () => {
      built[i] = await transform(dataset, spec, into, together, warehouse);
    });
    await inOneFlight(warehouse, [...opening, ...steps]);
    published = built.flat();
  }
  if (staged) published = await publishStaged(warehouse, who, dataset, published, overwrite, batch.yields(warehouse));
  return commit(batch, published, warehouse);
}

/** One partition that was read in chunks, in the transaction that drops them. */
async function publishChunks(batch: Batch, staging: Staging, warehouse: PgClient): Promise<readonly Published[]> {
  const { who, dataset, partitions, lo, known, overwrite, staged } = batch;
  await inOneFlight(warehouse, [
    () => warehouse.query(BEGIN),
    () => requireHeld(warehouse, who, dataset.name, lo),
    () => openPartitions(warehouse, who, dataset, partitions, known, overwrite),
  ]);
  const content = await requireComplete(warehouse, staging);
  let published = partitions.map((interval) => ({ ...interval, ...content }));
  if (staged)
    published = await publishStaged(
      warehouse,
      who,
      dataset,
      published,
      overwrite,
      batch.yields(warehouse),
      staging.table,
    );
  else {
    const { rowCount } = await warehouse.query(takeAllSql(dataset, staging.table));
    if (rowCount !== content.rows) throw new RowsLostError(`${content.rows} rows were staged, ${rowCount} are there`);
  }
  await dropStaging(warehouse, staging);
  return commit(batch, published, warehouse);
}

/** The statement that builds partitions from what was staged for many. */
function fromStaging(dataset: StoredDataset, { table }: Staging): string {
  const time = targetTime(dataset);
  if (time === null) throw new Error(`${dataset.name} has no partitions to share a staging`);
  return `SELECT ${quoteColumns(dataset.columns)} FROM ${quoteTable(table)} WHERE ${within(time, '$1::timestamptz', '$2::timestamptz')}`;
}

/** The COPY that takes what `copyOutSql` sends. @param frozen - for a table that the same transaction has made */
export function copyInSql(dataset: StoredDataset, spec: ExtractSpec, target: TableName, frozen: boolean): string {
  const options = [...(isBinary(spec) ? ['FORMAT binary'] : []), ...(frozen ? ['FREEZE'] : [])];
  return `COPY ${quoteTable(target)} (${quoteColumns(dataset.columns)}) FROM STDIN${options.length === 0 ? '' : ` WITH (${options.join(', ')})`}`;
}

/** What the transaction has published goes into the ledger, and is there for all. A COMMIT behind a ledger row that failed rolls back. */
async function commit(
  { who, dataset }: Batch,
  published: readonly Published[],
  warehouse: PgClient,
): Promise<readonly Published[]> {
  await inOneFlight(warehouse, [
    () => writeLedger(warehouse, who, dataset, published, null, rowsLeftOf(dataset)),
    () => warehouse.query('COMMIT'),
    ...(dataset.enforcesKey ? [() => unlockKey(warehouse, dataset)] : []),
  ]);
  return published;
}

/**
 * A view has no rows of its own: its partitions are done when their inputs are. What its readers see through it may have changed
 * whenever it was found stale, so every execution's digest is another.
 */
async function publishView(batch: Batch, warehouse: PgClient): Promise<readonly Published[]> {
  const { who, dataset, partitions, lo } = batch;
  const published = partitions.map((interval) => ({ ...interval, rows: 0, digest: `view ${who.epoch}` }));
  await inOneFlight(warehouse, [() => warehouse.query(BEGIN), () => requireHeld(warehouse, who, dataset.name, lo)]);
  return commit(batch, published, warehouse);
}

/** A COPY for each partition, under one snapshot of the source: rows and digest of each come for free with it. */
async function extract(
  dataset: StoredDataset,
  spec: ExtractSpec,
  target: TableName,
  partitions: readonly SqlInterval[],
  source: PgClient,
  warehouse: PgClient,
): Promise<Published[]> {
  const copyIn = copyInSql(dataset, spec, target, false);
  const published: Published[] = [];
  await atSource(source.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'));
  for (const interval of partitions) {
    const { left, arrived, digest } = await copyAcross(
      { client: source, sql: copyOutSql(spec, interval) },
      { client: warehouse, sql: copyIn },
    );
    if (left !== arrived) throw new RowsLostError(`${left} rows left the source, ${arrived} arrived`);
    if (spec.params.length > 0) await requireInside(warehouse, dataset, target, interval, arrived);
    published.push({ ...interval, rows: arrived, digest });
  }
  await atSource(source.query('COMMIT'));
  return published;
}

/** The interval was emptied before: what it holds now are the rows that belong there, and no others. */
async function requireInside(
  warehouse: PgClient,
  dataset: StoredDataset,
  target: TableName,
  { start, end }: SqlInterval,
  copied: number,
): Promise<void> {
  const time = targetTime(dataset);
  if (time === null) return;
  const inside = within(time, '$1::timestamptz', '$2::timestamptz');
  const { rows } = await warehouse.query<{ n: number }>(
    `SELECT count(*)::float8 AS n FROM ${quoteTable(target)} WHERE ${inside}`,
    [start, end],
  );
  const outside = copied - (rows[0]?.n ?? 0);
  if (outside !== 0) throw new RowsOutsideError(Math.abs(outside));
}

/** The partitions that each statement of a batch builds: all of them, or one. */
function statementsOf({ coalescing }: TransformSpec, partitions: readonly SqlInterval[]): (readonly SqlInterval[])[] {
  return coalescing?.joined === true ? [partitions] : partitions.map((one) => [one]);
}

async function transform(
  dataset: StoredDataset,
  spec: TransformSpec,
  into: TableName,
  partitions: readonly SqlInterval[],
  warehouse: PgClient,
): Promise<Published[]> {
  return insertJudged(dataset, into, spec.sql, partitions, warehouse, spec.window);
}

/** Builds partitions by one statement; rows outside of them are none. */
async function insertJudged(
  dataset: StoredDataset,
  into: TableName,
  sql: string,
  partitions: readonly SqlInterval[],
  warehouse: PgClient,
  window?: TransformSpec['window'],
): Promise<Published[]> {
  const interval = window ?? { start: partitions[0]?.start ?? '', end: partitions.at(-1)?.end ?? '' };
  const starts = partitions.map(({ start }) => start);
  const built = await insertSelect(warehouse, dataset, into, sql, interval, starts);
  const outside = built.reduce((sum, one) => sum + one.outside, 0);
  if (outside > 0) throw new RowsOutsideError(outside);
  return partitions.map((partition, i) => ({
    ...partition,
    rows: built[i]?.rows ?? 0,
    digest: built[i]?.digest ?? '',
  }));
}
