import { keysOf, type Db, type Scope } from './store.js';

/** What the ledger knows by the name of a dataset. Rows of tables that are not current are known by their table. */
const BY_DATASET = ['partitions', 'tables', 'failures', 'profiles', 'shapes', 'dataset_versions'] as const;

/** Left over of a dataset that has nothing in the ledger any more. */
const LEFT_OVER = ['profiles', 'shapes', 'dataset_versions'] as const;

/** Gives all that the ledger has of a dataset to another one, which has nothing of its own. Returns how many partitions. */
export async function renameDataset(db: Db, scope: Scope, from: string, to: string): Promise<number> {
  for (const table of LEFT_OVER)
    await db(`sluice.${table}`)
      .where({ ...keysOf(scope), dataset: to })
      .delete();
  const counts: number[] = [];
  for (const table of BY_DATASET) {
    counts.push(
      await db(`sluice.${table}`)
        .where({ ...keysOf(scope), dataset: from })
        .update({ dataset: to }),
    );
  }
  return counts[0] ?? 0;
}

/** The same of all datasets of a project or an environment; what its workers deployed is deployed no longer. Returns how many partitions. */
export async function renameScope(db: Db, from: Scope, to: Scope): Promise<number> {
  for (const table of LEFT_OVER)
    await db.raw(
      `DELETE FROM sluice.${table} p WHERE project = ? AND environment = ?
         AND EXISTS (SELECT FROM sluice.${table} o WHERE o.project = ? AND o.environment = ? AND o.dataset = p.dataset)`,
      [to.project, to.environment, from.project, from.environment],
    );
  const counts: number[] = [];
  for (const table of [...BY_DATASET, 'staging'])
    counts.push(await db(`sluice.${table}`).where(keysOf(from)).update(keysOf(to)));
  await db('sluice.deployments').where(keysOf(from)).delete();
  return counts[0] ?? 0;
}
