import { RequestError } from '../contracts/errors.js';
import { formatInterval, type Interval } from '../core/interval/interval.js';
import { subtract } from '../core/interval/set.js';
import { missingPieces, pieceGrain } from '../core/plan/pieces.js';
import type { PgClient } from '../postgres/pool.js';
import { quoteTable } from '../postgres/quote.js';
import type { TimeColumn } from '../postgres/time.js';
import type { Dataset } from '../project/project.js';
import {
  describePartitioning,
  pieceDdl,
  pieceOf,
  pieceSql,
  takenNames,
  type Partitioning,
  type Piece,
} from '../warehouse/postgres/pieces.js';
import { canBeUnique, type TargetState } from '../warehouse/postgres/target.js';
import type { Described } from './described.js';

/** Statements of an error, at most: it is read by a person. */
const SHOWN = 8;

/**
 * What a partitioned target lacks for `wanted`, and who keeps its key unique: an index where PostgreSQL allows one, else sluice.
 * @throws RequestError where the table has no place for what is to be built, and it is not ours to make one
 */
export async function planStorage(
  client: PgClient,
  dataset: Dataset,
  time: TimeColumn | null,
  state: TargetState,
  wanted: readonly Interval[],
): Promise<Pick<Described, 'ddl' | 'enforcesKey'>> {
  const { table, key, storage } = dataset;
  if (!state.exists) {
    if (storage === 'plain' || time === null) return { ddl: [], enforcesKey: false };
    const pieces = piecesFor(dataset, time, wanted, []);
    return { ddl: await ddlOf(client, dataset, pieces), enforcesKey: key.length > 0 && !canBeUnique(dataset) };
  }
  if (!state.isPartitioned) {
    if (storage === 'plain') return { ddl: [], enforcesKey: false };
    throw new RequestError(
      'not_partitioned',
      `${dataset.file}: storage: partitioned, but table ${quoteTable(table)} is there and is not partitioned`,
      'leave storage out, or rename that table, run `sluice forget` for the dataset and build it again',
    );
  }
  const found = await describePartitioning(client, table, key, time);
  const enforcesKey = key.length > 0 && !found.hasUniqueKey;
  if (storage === 'partitioned') requireByTime(dataset, found);
  if (time === null) return { ddl: [], enforcesKey };
  const pieces = piecesFor(dataset, time, wanted, found.cover);
  if (storage === 'partitioned') return { ddl: await ddlOf(client, dataset, pieces), enforcesKey };
  if (pieces.length > 0) throw missing(dataset, pieces, subtract(wanted, found.cover));
  return { ddl: [], enforcesKey };
}

function piecesFor(
  { table, axis }: Dataset,
  time: TimeColumn,
  wanted: readonly Interval[],
  cover: Partitioning['cover'],
): Piece[] {
  const grain = pieceGrain(axis.grain);
  const intervals = missingPieces({ grain, zone: time.timezone }, wanted, cover);
  return intervals.map((interval) => pieceOf(table, time, grain, interval));
}

async function ddlOf(client: PgClient, { file, table }: Dataset, pieces: readonly Piece[]): Promise<string[]> {
  const [taken] = await takenNames(
    client,
    pieces.map(({ name }) => name),
  );
  if (taken !== undefined) {
    throw new RequestError(
      'partition_name_taken',
      `${file}: ${taken}, the name of a partition that ${quoteTable(table)} lacks, belongs to another table`,
      'rename that table, or attach it: ALTER TABLE … ATTACH PARTITION …',
    );
  }
  return pieces.flatMap((piece) => pieceDdl(table, piece));
}

function requireByTime({ file, table, time }: Dataset, { isByTime, by }: Partitioning): void {
  if (isByTime) return;
  throw new RequestError(
    'partitioned_otherwise',
    `${file}: storage: partitioned, but table ${quoteTable(table)} is partitioned by ${by}, not by ranges of ${time ?? ''}`,
    'leave storage out, and make its partitions yourself',
  );
}

function missing({ file, table }: Dataset, pieces: readonly Piece[], gaps: readonly Interval[]): RequestError {
  const [gap] = gaps;
  const more = gaps.length > 1 ? ` and ${gaps.length - 1} more intervals` : '';
  const lines = pieces.slice(0, SHOWN).map((piece) => `${pieceSql(table, piece)};`);
  const left = pieces.length - lines.length;
  return new RequestError(
    'missing_partition',
    `${file}: no partition of table ${quoteTable(table)} holds ${gap ? formatInterval(gap) : ''}${more}`,
    `write storage: partitioned, and sluice makes them; or run, then plan again:\n${lines.join('\n')}${left > 0 ? `\n-- and ${left} more` : ''}`,
  );
}
