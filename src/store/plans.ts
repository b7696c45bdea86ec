import { StoredDataset, StoredPlan } from '../contracts/plan.js';
import { RequestError } from '../contracts/errors.js';
import { BackfillRequest, type BackfillInput } from '../contracts/request.js';
import { rowsOf, type Db } from './store.js';

/** Keeps a plan under its fingerprint; a plan is immutable, so the same one twice is one row. */
export async function savePlan(db: Db, plan: StoredPlan): Promise<void> {
  const { datasets, ...head } = plan;
  const { fingerprint, project, environment } = plan;
  await db.transaction(async (tx) => {
    const made = await tx('sluice.plans')
      .insert({ fingerprint, project, environment, head: JSON.stringify(head) })
      .onConflict('fingerprint')
      .ignore()
      .returning('fingerprint');
    if (made.length === 0 || datasets.length === 0) return;
    const rows = datasets.map((body, position) => ({
      fingerprint,
      position,
      name: body.name,
      body: JSON.stringify(body),
    }));
    await tx.batchInsert('sluice.plan_datasets', rows, 200);
  });
}

export async function loadPlan(db: Db, fingerprint: string): Promise<StoredPlan | undefined> {
  const [row] = await rowsOf<{ head: object }>(db, 'SELECT head FROM sluice.plans WHERE fingerprint = ?', [
    fingerprint,
  ]);
  if (!row) return undefined;
  const bodies = await rowsOf<{ body: unknown }>(
    db,
    'SELECT body FROM sluice.plan_datasets WHERE fingerprint = ? ORDER BY position',
    [fingerprint],
  );
  return StoredPlan.parse({ ...row.head, datasets: bodies.map(({ body }) => body) });
}

/**
 * A request as it is carried out: `plan` without a range or selection of its own is the request that the plan answered.
 * @throws RequestError unknown_plan
 */
export async function asPlanned<Request extends BackfillInput>(db: Db, request: Request): Promise<Request> {
  if (request.plan === undefined) return request;
  const plan = await loadPlan(db, request.plan);
  if (!plan)
    throw new RequestError(
      'unknown_plan',
      `there is no plan ${request.plan} in this warehouse`,
      '`sluice plan` makes one and prints its fingerprint',
    );
  if (ASKED.some((key) => request[key] !== undefined)) return request;
  return { ...request, ...Answered.parse(plan.request), rebuild: plan.rebuild };
}

const ASKED = ['from', 'to', 'last', 'on', 'only', 'select', 'exclude', 'set'] as const;
const Answered = BackfillRequest.pick({
  from: true,
  to: true,
  last: true,
  on: true,
  only: true,
  select: true,
  exclude: true,
  set: true,
}).strip();

/** One dataset of a plan, and the plan's head. */
export async function loadPlanDataset(
  db: Db,
  fingerprint: string,
  name: string,
): Promise<{ head: PlanHead; dataset: StoredDataset }> {
  const [row] = await rowsOf<{ head: object; body: unknown }>(
    db,
    'SELECT p.head, d.body FROM sluice.plans p JOIN sluice.plan_datasets d USING (fingerprint) WHERE fingerprint = ? AND d.name = ?',
    [fingerprint, name],
  );
  if (!row) throw new Error(`plan ${fingerprint} has no dataset ${name}`);
  return { head: StoredPlan.omit({ datasets: true }).parse(row.head), dataset: StoredDataset.parse(row.body) };
}

export type PlanHead = Omit<StoredPlan, 'datasets'>;
