import { keysOf, rowsOf, type Db, type Scope } from './store.js';

/** A registered project: its files, connection URLs left out. */
export interface Definition extends Scope {
  readonly hash: string;
  readonly files: Readonly<Record<string, string>>;
}

/** Keeps a definition under its hash; the same content twice is one row. */
export async function registerDefinition(db: Db, definition: Definition): Promise<void> {
  const { hash, project, environment, files } = definition;
  await db('sluice.definitions')
    .insert({ hash, project, environment, files: JSON.stringify(files) })
    .onConflict('hash')
    .ignore();
}

export async function loadDefinition(db: Db, hash: string): Promise<Definition | undefined> {
  const [row] = await rowsOf<Definition>(
    db,
    'SELECT hash, project, environment, files FROM sluice.definitions WHERE hash = ?',
    [hash],
  );
  return row;
}

/** Says that the workers run this definition from now on. */
export async function deployDefinition(db: Db, scope: Scope, hash: string): Promise<void> {
  await db('sluice.deployments')
    .insert({ ...keysOf(scope), definition: hash, deployed_at: db.fn.now() })
    .onConflict(['project', 'environment'])
    .merge();
}

/** The hash that the workers run; undefined when none ever started. */
export async function deployedDefinition(db: Db, scope: Scope): Promise<string | undefined> {
  const [row] = await rowsOf<{ definition: string }>(
    db,
    'SELECT definition FROM sluice.deployments WHERE project = ? AND environment = ?',
    [scope.project, scope.environment],
  );
  return row?.definition;
}
