import { keysOf, rowsOf, type Db, type Scope } from './store.js';

/** Keeps the key that a definition version of a dataset says, before the first partition has that version. */
export async function keepVersion(
  db: Db,
  scope: Scope,
  { name, version, key }: { readonly name: string; readonly version: string; readonly key: readonly string[] },
): Promise<void> {
  await db('sluice.dataset_versions')
    .insert({ ...keysOf(scope), dataset: name, version, key: JSON.stringify(key) })
    .onConflict()
    .ignore();
}

/** Keys by version, of the versions that are known. */
export async function keysOfVersions(
  db: Db,
  { project, environment }: Scope,
  dataset: string,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = await rowsOf<{ version: string; key: string[] }>(
    db,
    'SELECT version, key FROM sluice.dataset_versions WHERE project = ? AND environment = ? AND dataset = ?',
    [project, environment, dataset],
  );
  return new Map(rows.map(({ version, key }) => [version, key]));
}
