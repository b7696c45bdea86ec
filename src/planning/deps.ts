import type { Pool } from '../postgres/pool.js';
import type { Project } from '../project/project.js';
import type { Db } from '../store/store.js';

/** What planning reads: a checked project, the ledger, and the databases that its statements name. */
export interface PlanningDeps {
  readonly project: Project;
  readonly db: Db;
  readonly pool: (connection: string) => Pool;
}
