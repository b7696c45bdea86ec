import { RequestError } from '../contracts/errors.js';
import { loadProject } from '../project/load.js';
import type { BackfillRequest } from '../contracts/request.js';
import type { Project } from '../project/project.js';
import { setFlags } from '../project/set-flags.js';
import type { Env } from '../project/template.js';
import { deployDefinition, loadDefinition, registerDefinition } from '../store/definitions.js';
import type { Db } from '../store/store.js';

/** Projects by the hash of their definition: what runs keeps the one that it began with, whatever is deployed meanwhile. */
export function createDefinitions(
  db: Db,
  current: () => Project,
  env: Env,
): (hash: string | undefined) => Promise<Project> {
  const loaded = new Map<string, Promise<Project>>();
  const load = async (hash: string): Promise<Project> => {
    const definition = await loadDefinition(db, hash);
    const { environment } = current();
    if (!definition)
      throw new RequestError(
        'unknown_definition',
        `definition ${hash} is not registered in this warehouse`,
        'leave it out to use what the workers deploy',
      );
    return loadProject(definition.files, { environment, env, registered: true, accepted: true });
  };
  return async (hash) => {
    const now = current();
    if (hash === undefined || hash === now.hash) return now;
    const known = loaded.get(hash) ?? load(hash);
    loaded.set(hash, known);
    // It may be registered, or its variables set, a moment later.
    known.catch(() => loaded.delete(hash));
    return known;
  };
}

/** The project with other values of its flags, for one backfill; its connections are those that are open. */
export async function withFlags(project: Project, set: BackfillRequest['set'], env: Env): Promise<Project> {
  if (set === undefined || Object.keys(set).length === 0) return project;
  const files = setFlags(project.files, project.flags, set);
  return loadProject(files, { environment: project.environment, env, registered: true });
}

/** The same, registered: what was carried out can be looked up by its hash. */
export async function registerFlagged(
  db: Db,
  project: Project,
  set: BackfillRequest['set'],
  env: Env,
): Promise<Project> {
  const flagged = await withFlags(project, set, env);
  if (flagged !== project) await register(db, flagged);
  return flagged;
}

/** Registers a project and says that the workers run it. */
export async function deploy(db: Db, project: Project): Promise<void> {
  await register(db, project);
  await deployDefinition(db, { project: project.name, environment: project.environment }, project.hash);
}

export async function register(db: Db, { hash, name, environment, files }: Project): Promise<void> {
  await registerDefinition(db, { hash, project: name, environment, files });
}
