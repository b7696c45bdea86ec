import { lengthWithin } from '../src/contracts/parts.js';
import type { PlannedRow } from '../src/contracts/messages.js';
import type { StoredPlan } from '../src/contracts/plan.js';
import { AT_RISK } from '../src/core/graph/freshness.js';
import { countRuns } from '../src/core/interval/runs.js';
import { runsOfJson } from '../src/planning/json.js';
import { loadPlan } from '../src/store/plans.js';
import { partitionCosts } from '../src/store/profiles.js';
import type { ExecutionRef } from './control.js';
import type { ControlDeps } from './deps.js';

/** Of rows in one answer, which enters a history: a thousand datasets are 230 KB. */
const BYTES_MAX = 64_000;

/** The datasets that a plan builds, from number `from` on, as many as fit into one answer. */
export async function plannedRows(
  { db }: ControlDeps,
  { ref, plan: fingerprint, from, late }: { ref: ExecutionRef; plan: string; from: number; late: readonly string[] },
): Promise<PlannedRow[]> {
  const plan = await loadPlan(db, fingerprint);
  if (!plan) throw new Error(`there is no plan ${fingerprint}`);
  return fitting(rowsOfPlan(plan, await partitionCosts(db, ref), new Set(late)).slice(from));
}

/** The first of them; at least one. */
export function fitting(rows: readonly PlannedRow[], bytesMax = BYTES_MAX): PlannedRow[] {
  return rows.slice(0, Math.max(1, lengthWithin(rows, bytesMax)));
}

/** All datasets that a plan builds; the `late` ones go first. */
export function rowsOfPlan(
  plan: StoredPlan,
  costs: ReadonlyMap<string, number>,
  late: ReadonlySet<string>,
): PlannedRow[] {
  const building = plan.datasets.filter(({ runs }) => runs.length > 0);
  const readers = new Map<string, string[]>(building.map(({ name }) => [name, []]));
  for (const { name, edges } of building)
    for (const upstream of new Set(edges.map((edge) => edge.upstream)))
      if (upstream !== name) readers.get(upstream)?.push(name);
  return building.map((dataset) => ({
    name: dataset.name,
    total: countRuns(runsOfJson(dataset.runs)),
    // One that reads itself needs nobody to tell it.
    needs: dataset.edges.map(({ upstream }) => upstream).filter((name) => name !== dataset.name),
    readers: readers.get(dataset.name) ?? [],
    ...(dataset.owner === undefined ? {} : { owner: dataset.owner }),
    priority: late.has(dataset.name) ? AT_RISK : dataset.priority,
    partitionMs: costs.get(dataset.name) ?? null,
    what: `${dataset.kind} by ${dataset.grain}, ${dataset.from} … ${dataset.to}${late.has(dataset.name) ? '; first, for its freshness is at risk' : ''}`,
  }));
}
