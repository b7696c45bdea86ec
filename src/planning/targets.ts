import type { StoredPlan } from '../contracts/plan.js';
import type { Project } from '../project/project.js';
import { rowsOf, type Db } from '../store/store.js';
import { keepShape, rowTime } from '../store/shapes.js';
import { targetTime } from '../warehouse/postgres/publish.js';
import { tableOwned } from './ddl.js';
import { scopeOfProject } from './ledger-change.js';
import { changeTable } from './lock.js';

/** Makes what the plan's tables still lack, and their owner, in the transaction that reserves them. */
export async function deployTargets(tx: Db, project: Project, plan: StoredPlan): Promise<void> {
  for (const dataset of plan.datasets) {
    const { name, kind, target, ddl, runs, columns } = dataset;
    if (runs.length === 0 || kind === 'call') continue;
    await changeTable(tx, target, ddl);
    await own(tx, project, name, target, ddl.length > 0);
    await keepShape(tx, scopeOfProject(project), name, { columns, time: rowTime(targetTime(dataset)) });
  }
}

/** Makes a dataset the owner of its table, and gives up the one it had. */
export async function own(
  tx: Db,
  project: Project,
  dataset: string,
  target: { schema: string; name: string },
  made: boolean,
): Promise<void> {
  const scope = { project: project.name, environment: project.environment };
  await tx('sluice.tables')
    .where({ ...scope, dataset })
    .andWhereNot({ schema_name: target.schema, table_name: target.name })
    .delete();
  await tx('sluice.tables')
    .insert({ schema_name: target.schema, table_name: target.name, ...scope, dataset, created_by_sluice: made })
    .onConflict(['schema_name', 'table_name'])
    .ignore();
  const [owner] = await rowsOf<{ dataset: string; project: string; environment: string }>(
    tx,
    'SELECT project, environment, dataset FROM sluice.tables WHERE schema_name = ? AND table_name = ?',
    [target.schema, target.name],
  );
  if (owner?.project === scope.project && owner.environment === scope.environment && owner.dataset === dataset) return;
  throw tableOwned(target, { ...scope, dataset }, owner);
}
