import { rowsOf, type Db } from './store.js';

/** What an open backfill has published so far. */
export interface Published {
  readonly partitions: ReadonlyMap<string, number>;
  readonly batches: number;
}

/** The epoch of an open backfill; null where it has none, for it has ended or is not planned yet. */
export async function epochOf(db: Db, workflowId: string): Promise<string | null> {
  const sql = 'SELECT epoch::text AS epoch FROM sluice.reservations WHERE workflow_id = ?';
  const [row] = await rowsOf<{ epoch: string }>(db, sql, [workflowId]);
  return row?.epoch ?? null;
}

export async function publishedBy(db: Db, epoch: string): Promise<Published> {
  const rows = await rowsOf<{ dataset: string; partitions: number; batches: number }>(
    db,
    `SELECT dataset, count(*)::int AS partitions, count(DISTINCT xid)::int AS batches
     FROM sluice.partitions WHERE epoch = ?::bigint GROUP BY dataset`,
    [epoch],
  );
  return {
    partitions: new Map(rows.map(({ dataset, partitions }) => [dataset, partitions])),
    batches: rows.reduce((sum, row) => sum + row.batches, 0),
  };
}
