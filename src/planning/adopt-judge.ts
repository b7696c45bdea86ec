import { RequestError } from '../contracts/errors.js';
import { quoteIdent, quoteTable } from '../postgres/quote.js';
import { isBeyond, type TimeColumn } from '../postgres/time.js';
import type { Dataset } from '../project/project.js';
import { rowsOf, type Db } from '../store/store.js';
import { hasUniqueKey, indexSql } from '../warehouse/postgres/target.js';
import type { Described } from './described.js';

/** The time column of a target that is described but not planned; null for `grain: none`. */
export function timeColumnOf(
  { axis }: Pick<Dataset, 'axis'>,
  { time, spec }: Pick<Described, 'time' | 'spec'>,
): TimeColumn | null {
  if (time === null) return null;
  const source = spec.kind === 'extract' ? spec.time : undefined;
  return { ...time, unit: source?.unit, timezone: source?.timezone ?? axis.zone };
}

/**
 * Judges what a table holds, as publishing would: its key must be one. Returns what is no reason to refuse it, in sentences.
 * @throws RequestError duplicate_key
 */
export async function judgeTable(tx: Db, dataset: Dataset, described: Described): Promise<string[]> {
  const { enforcesKey } = described;
  const { time, key, table } = dataset;
  const indexes = described.table?.indexes ?? [];
  const hasTime = time === null || indexes.some(({ columns }) => columns[0] === time);
  const hasKey = key.length === 0 || hasUniqueKey(indexes, key);
  if (!hasKey) await refuseDuplicates(tx, dataset);
  const column = timeColumnOf(dataset, described);
  const lost =
    column === null ? 'false' : `sluice_t.${quoteIdent(column.column)} IS NULL OR ${isBeyond(column, 'sluice_t')}`;
  const timeless = await hasRow(tx, dataset, lost);
  const wanted = [
    ...(hasTime ? [] : [indexSql(table, [time], false)]),
    ...(hasKey ? [] : [indexSql(table, key, !enforcesKey)]),
  ];
  return [
    ...(timeless
      ? [
          `it has rows whose ${quoteIdent(time ?? '')} is NULL, or infinite: they belong to no partition, and stay where they are`,
        ]
      : []),
    ...wanted.map((statement) => `it lacks an index that sluice would have made; run: ${statement}`),
  ];
}

/** As a unique index would: NULLs are never equal. */
async function refuseDuplicates(tx: Db, { file, table, key }: Dataset): Promise<void> {
  const columns = key.map((name) => escaped(quoteIdent(name)));
  const [found] = await rowsOf<{ n: number }>(
    tx,
    `SELECT count(*)::float8 AS n FROM (SELECT 1 FROM ${escaped(quoteTable(table))}
       WHERE ${columns.map((column) => `${column} IS NOT NULL`).join(' AND ')}
       GROUP BY ${columns.join(', ')} HAVING count(*) > 1) AS d`,
  );
  if (!found || found.n === 0) return;
  throw new RequestError(
    'duplicate_key',
    `${file}: ${found.n} keys (${key.join(', ')}) occur more than once in ${quoteTable(table)}`,
    'remove the surplus rows, or correct key:',
  );
}

async function hasRow(tx: Db, { table }: Dataset, condition: string): Promise<boolean> {
  const rows = await rowsOf<object>(
    tx,
    `SELECT 1 FROM ${escaped(quoteTable(table))} AS sluice_t WHERE ${escaped(condition)} LIMIT 1`,
  );
  return rows.length > 0;
}

/** SQL for knex, which takes a bare `?` for a value. */
export function escaped(sql: string): string {
  return sql.replaceAll('?', '\\?');
}
