import { readsItself, type StoredDataset } from '../src/contracts/plan.js';
import type { PgClient } from '../src/postgres/pool.js';
import { quoteIdent } from '../src/postgres/quote.js';
import { selectSql } from '../src/source/postgres/extract.js';
import type { Yields } from '../src/warehouse/postgres/moves.js';

/**
 * Asks what builds a partition whether it would have one of these keys: the source of an extract, the statement of a transform. Asked only for keys
 * that another partition has taken, and only for the partitions that gave them up.
 */
export function yieldsOf(
  dataset: StoredDataset,
  warehouse: PgClient,
  source: (connection: string) => Promise<PgClient>,
): Yields {
  const { spec } = dataset;
  const names = dataset.key.map((name) => `sluice_q.${quoteIdent(name)}::text`).join(', ');
  return async ({ start, end }, keys) => {
    if (keys.length === 0 || spec.kind === 'call' || readsItself(dataset)) return false;
    const lists = dataset.key.map((_, i) => keys.map((key) => key[i] ?? null));
    const from = (sql: string, first: number): string =>
      `SELECT EXISTS (SELECT FROM (${sql}\n) AS sluice_q WHERE (${names}) IN (SELECT * FROM unnest(${lists.map((_, i) => `$${first + i}::text[]`).join(', ')}))) AS yes`;
    const { rows } =
      spec.kind === 'extract'
        ? await (await source(spec.connection)).query<{ yes: boolean }>(from(selectSql(spec, { start, end }), 1), lists)
        : await warehouse.query<{ yes: boolean }>({
            // Both are bound whether the statement uses them or not.
            text: `${from(spec.sql, 3)} WHERE $1::timestamptz < $2::timestamptz`,
            values: [start, end, ...lists],
          });
    return rows[0]?.yes === true;
  };
}
