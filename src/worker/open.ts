import type { Pool } from '../postgres/pool.js';
import { findDev, type DevInfo } from '../dev/dev-file.js';
import { readProjectFiles } from '../project/files.js';
import { loadProject } from '../project/load.js';
import type { Project } from '../project/project.js';
import { openStore, type Db } from '../store/store.js';
import { createConnections, type Connections } from './connections.js';
import { resolveTemporal, type TemporalTarget } from './temporal-env.js';
import { SystemError } from '../contracts/errors.js';

/** Where a command stands: what it was told, and the environment that the process was given. */
export interface Place {
  readonly projectDir: string;
  readonly environment: string;
  readonly dataDir?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
}

/** A project with the databases and the Temporal server that it works with. */
export interface Opened {
  readonly project: () => Project;
  /** Reads the folder again; keeps the project that was when the new one is refused. */
  readonly reload: () => Promise<Project>;
  readonly connections: Connections;
  readonly pool: (connection: string) => Pool;
  readonly dev: () => DevInfo | undefined;
  /** The store of the warehouse, opened when first asked for. */
  readonly db: () => Promise<Db>;
  /** @throws SystemError no_temporal_server */
  readonly temporal: () => TemporalTarget;
  readonly close: () => Promise<void>;
}

/** Reads and checks a project; connects to nothing yet. */
export async function openProject(place: Place): Promise<Opened> {
  const { projectDir, environment, env } = place;
  const load = async (): Promise<Project> => loadProject(await readProjectFiles(projectDir), { environment, env });
  let project = await load();
  let store: Promise<Db> | undefined;
  const dev = (): DevInfo | undefined => findDev({ dataDir: place.dataDir, env, projectDir });
  const connections = createConnections({
    project: () => project,
    env,
    postgresUrl: () => env['SLUICE_EMBEDDED_URL'] ?? dev()?.postgresUrl,
  });
  return {
    project: () => project,
    reload: async () => (project = await load()),
    connections,
    pool: connections.pool,
    dev,
    db: () => (store ??= openStore(() => connections.urlOf(project.warehouse), project.warehouse)),
    temporal: () => {
      const target = resolveTemporal(env, dev());
      if (target) return target;
      throw new SystemError(
        'no_temporal_server',
        'no Temporal server: TEMPORAL_ADDRESS is not set and no `sluice dev` runs here',
        'start one with `sluice dev`, or set TEMPORAL_ADDRESS',
      );
    },
    close: async () => {
      await (await store?.catch(() => undefined))?.destroy();
      await connections.close();
    },
  };
}
