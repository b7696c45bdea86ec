import { StoredDataset, StoredPlan } from '../contracts/plan.js';
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
    const rows = datasets.map((body, position) => ({ fingerprint, position, name: body.name, body: JSON.stringify(body) }));
    await tx.batchInsert('sluice.plan_datasets', rows, 200);
  });
}

export async function loadPlan(db: Db, fingerprint: string): Promise<StoredPlan | undefined> {
  const [row] = await rowsOf<{ head: object }>(db, 'SELECT head FROM sluice.plans WHERE fingerprint = ?', [fingerprint]);
  if (!row) return undefined;
  const bodies = await rowsOf<{ body: unknown }>(
    db,
    'SELECT body FROM sluice.plan_datasets WHERE fingerprint = ? ORDER BY position',
    [fingerprint],
  );
  return StoredPlan.parse({ ...row.head, datasets: bodies.map(({ body }) => body) });
}

/** One dataset of a plan, and the plan's head. */
export async function loadPlanDataset(db: Db, fingerprint: string, name: string): Promise<{ head: PlanHead; dataset: StoredDataset }> {
  const [row] = await rowsOf<{ head: object; body: unknown }>(
    db,
    'SELECT p.head, d.body FROM sluice.plans p JOIN sluice.plan_datasets d USING (fingerprint) WHERE fingerprint = ? AND d.name = ?',
    [fingerprint, name],
  );
  if (!row) throw new Error(`plan ${fingerprint} has no dataset ${name}`);
  return { head: StoredPlan.omit({ datasets: true }).parse(row.head), dataset: StoredDataset.parse(row.body) };
}

export type PlanHead = Omit<StoredPlan, 'datasets'>;
