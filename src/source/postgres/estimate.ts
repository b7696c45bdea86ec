import { z } from 'zod';
import type { ExtractSpec } from '../../contracts/plan.js';
import type { PgClient } from '../../postgres/pool.js';
import { selectSql, type SqlInterval } from './extract.js';

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Plan Rows': number;
  readonly 'Total Cost': number;
  readonly Plans?: readonly PlanNode[] | undefined;
}

const PlanNode: z.ZodType<PlanNode> = z.lazy(() =>
  z.object({
    'Node Type': z.string(),
    'Plan Rows': z.number(),
    'Total Cost': z.number(),
    Plans: z.array(PlanNode).optional(),
  }),
);
const Explained = z.tuple([z.object({ Plan: PlanNode })]);

/** What the source's planner expects of reading an interval. Runs nothing. */
export async function estimateRead(
  client: PgClient,
  spec: ExtractSpec,
  interval: SqlInterval,
): Promise<{ rows: number; cost: number; scans: boolean }> {
  const { rows } = await client.query<{ 'QUERY PLAN': unknown }>(`EXPLAIN (FORMAT JSON) ${selectSql(spec, interval)}`);
  const [{ Plan }] = Explained.parse(rows[0]?.['QUERY PLAN']);
  return { rows: Plan['Plan Rows'], cost: Plan['Total Cost'], scans: scans(Plan) };
}

function scans(node: PlanNode): boolean {
  return node['Node Type'] === 'Seq Scan' || (node.Plans ?? []).some(scans);
}
