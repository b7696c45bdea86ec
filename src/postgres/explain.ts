import { z } from 'zod';
import type { PgClient } from './pool.js';

/** A node of what the planner would do. */
export interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Plan Rows': number;
  readonly 'Total Cost': number;
  readonly Schema?: string | undefined;
  readonly 'Relation Name'?: string | undefined;
  readonly Filter?: string | undefined;
  readonly Plans?: readonly PlanNode[] | undefined;
}

const PlanNode: z.ZodType<PlanNode> = z.lazy(() =>
  z.object({
    'Node Type': z.string(),
    'Plan Rows': z.number(),
    'Total Cost': z.number(),
    Schema: z.string().optional(),
    'Relation Name': z.string().optional(),
    Filter: z.string().optional(),
    Plans: z.array(PlanNode).optional(),
  }),
);
const Explained = z.tuple([z.object({ Plan: PlanNode })]);

/** What the planner would do of a SELECT. Runs nothing. */
export async function explain(client: PgClient, select: string, values: readonly string[] = []): Promise<PlanNode> {
  const { rows } = await client.query<{ 'QUERY PLAN': unknown }>(`EXPLAIN (FORMAT JSON, VERBOSE) ${select}`, [
    ...values,
  ]);
  const [{ Plan }] = Explained.parse(rows[0]?.['QUERY PLAN']);
  return Plan;
}

/** A node and all below it. */
export function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}
