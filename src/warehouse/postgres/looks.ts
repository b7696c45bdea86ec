import type { PgClient } from '../../postgres/pool.js';
import { SLOTS } from './gate.js';

/** What was at work on a database at one moment. */
export interface Look {
  /** Slots that a backfill's datasets held, by the name of the dataset, cut as PostgreSQL cuts it. */
  readonly held: ReadonlyMap<string, number>;
  readonly others: number;
  /** Backends on a CPU: of this backfill, and of everybody else. */
  readonly cpu: { readonly ours: number; readonly others: number };
}

/** A backend that is active and waits for nothing is on a CPU, or would be. Governors and this look do not count. */
const LOOK = `
  WITH a AS (SELECT pid, application_name LIKE 'sluice/' || $1 || '/%' AS ours, state = 'active' AND wait_event IS NULL AND pid <> pg_backend_pid() AS cpu,
      substring(application_name FROM '^sluice/[0-9]+/[0-9]+/[0-9]+/(.*)$') AS dataset
    FROM pg_stat_activity WHERE backend_type IN ('client backend', 'parallel worker') AND application_name NOT LIKE 'sluice/governor/%')
  , held AS (SELECT pid, count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = $2::oid AND objsubid = 2
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY 1)
  SELECT CASE WHEN ours THEN dataset END AS dataset, coalesce(ours, false) AS ours, coalesce(sum(n), 0)::int AS held, count(*) FILTER (WHERE cpu)::int AS cpu
  FROM a LEFT JOIN held USING (pid) GROUP BY 1, 2`;

export async function lookAt(client: PgClient, epoch: string): Promise<Look> {
  const { rows } = await client.query<{ dataset: string | null; ours: boolean; held: number; cpu: number }>(LOOK, [
    epoch,
    SLOTS,
  ]);
  const sum = (ours: boolean, of: 'held' | 'cpu'): number =>
    rows.filter((row) => row.ours === ours).reduce((total, row) => total + row[of], 0);
  return {
    held: new Map(rows.flatMap(({ dataset, ours, held }) => (ours && dataset !== null ? [[dataset, held]] : []))),
    others: sum(false, 'held'),
    cpu: { ours: sum(true, 'cpu'), others: sum(false, 'cpu') },
  };
}
