import type { ExtractSpec } from '../../contracts/plan.js';
import { explain, nodesOf } from '../../postgres/explain.js';
import type { PgClient } from '../../postgres/pool.js';
import { selectSql, type SqlInterval } from './extract.js';

/** What the source's planner expects of reading an interval. Runs nothing. */
export async function estimateRead(
  client: PgClient,
  spec: ExtractSpec,
  interval: SqlInterval,
): Promise<{ rows: number; cost: number; scans: boolean }> {
  const plan = await explain(client, selectSql(spec, interval));
  const scans = nodesOf(plan).some((node) => node['Node Type'] === 'Seq Scan');
  return { rows: plan['Plan Rows'], cost: plan['Total Cost'], scans };
}
