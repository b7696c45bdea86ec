import { totalsOf } from '../contracts/parts.js';
import { BackfillState, BackfillStatus, unheardOf, type DatasetStatus } from '../contracts/status.js';
import { keptAsked } from './backfills.js';
import { rowsOf, type Db } from './store.js';

/**
 * Where a backfill stands by what the warehouse keeps, for when nobody answers for its workflow: the final document of one that has ended, else its plan and the
 * ledger. What failed and what runs is not in those, for only the workflow knows what of that still counts.
 * @param waiting - what it waits for, and what to type
 * @returns undefined for one that the warehouse does not know
 */
export async function keptStatus(
  db: Db,
  workflowId: string,
  waiting: { readonly for: string; readonly next: string },
): Promise<BackfillStatus | undefined> {
  const [row] = await rowsOf<HeadRow>(
    db,
    `SELECT b.backfill_id AS id, b.project, b.environment, b.state, b.status, b.request, b.plan, b.started_at, c.priority, c.max_parallel,
       coalesce(c.heartbeat_at, b.started_at) AS heard_at
     FROM sluice.backfills b LEFT JOIN sluice.control c USING (workflow_id) WHERE b.workflow_id = ?`,
    [workflowId],
  );
  if (!row) return undefined;
  const asked = keptAsked(row.request);
  if (row.status !== null) return { asked, ...BackfillStatus.parse(row.status) };
  const datasets = row.plan === null ? [] : await datasetsOf(db, row, row.plan);
  return {
    id: row.id,
    project: row.project,
    environment: row.environment,
    state: BackfillState.parse(row.state),
    asked,
    reason: 'nobody answers for it: this is what the ledger has of its plan',
    startedAt: row.started_at.toISOString(),
    endedAt: null,
    ...totalsOf(datasets),
    waiting: { ...waiting, since: row.heard_at.toISOString() },
    warnings: [],
    datasets,
    ...(row.plan === null ? {} : { plan: row.plan }),
    ...(row.priority === null ? {} : { priority: row.priority }),
    ...(row.max_parallel === null ? {} : { maxParallel: row.max_parallel }),
  };
}

interface HeadRow {
  readonly id: string;
  readonly project: string;
  readonly environment: string;
  readonly state: string;
  /** The final document. */
  readonly status: unknown;
  readonly request: unknown;
  readonly plan: string | null;
  readonly started_at: Date;
  readonly heard_at: Date;
  readonly priority: number | null;
  readonly max_parallel: number | null;
}

async function datasetsOf(db: Db, { id, project, environment }: HeadRow, plan: string): Promise<DatasetStatus[]> {
  const rows = await rowsOf<{ name: string; needs: string[]; total: number; done: number; rows: number }>(
    db,
    `SELECT d.name, d.body -> 'needs' AS needs, coalesce(l.done, 0) AS done, coalesce(l.rows, 0) AS rows,
       (SELECT coalesce(sum((r ->> 'count')::int), 0)::int FROM jsonb_array_elements(d.body -> 'runs') r) AS total
     FROM sluice.plan_datasets d LEFT JOIN (
       SELECT dataset, count(*)::int AS done, sum(rows)::float8 AS rows FROM sluice.partitions
       WHERE project = ? AND environment = ? AND backfill_id = ? GROUP BY 1) l ON l.dataset = d.name
     WHERE d.fingerprint = ? ORDER BY d.position`,
    [project, environment, id, plan],
  );
  const names = new Set(rows.map(({ name }) => name));
  return rows.map(({ name, needs, total, rows: count, done }) => ({
    ...unheardOf(
      name,
      needs.filter((one) => names.has(one)),
    ),
    state: done >= total ? 'done' : done > 0 ? 'running' : 'waiting',
    total,
    // What a re-plan left out was published before it.
    done: Math.min(done, total),
    rows: count,
  }));
}
