import { normalize } from '../core/interval/set.js';
import type { Interval } from '../core/interval/interval.js';
import { rowsOf, type Db, type Scope } from './store.js';

/**
 * Where batches of a backfill failed, by dataset. A batch of several partitions failed before its halves were tried: what of it was published since
 * is for the caller to leave out.
 * @param code - only failures of this code
 */
export async function failedIn(
  db: Db,
  { project, environment }: Scope,
  backfillId: string,
  code?: string,
): Promise<Map<string, Interval[]>> {
  const rows = await rowsOf<{ dataset: string; s: number; e: number }>(
    db,
    `SELECT DISTINCT dataset, extract(epoch FROM starts_at)::float8 * 1000 AS s, extract(epoch FROM ends_at)::float8 * 1000 AS e
     FROM sluice.failures WHERE project = ? AND environment = ? AND backfill_id = ? AND code = coalesce(?, code)`,
    [project, environment, backfillId, code ?? null],
  );
  const names = new Set(rows.map(({ dataset }) => dataset));
  return new Map(
    [...names].map((name) => [
      name,
      normalize(rows.filter(({ dataset }) => dataset === name).map(({ s, e }) => ({ start: s, end: e }))),
    ]),
  );
}
