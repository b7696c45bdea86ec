import type { NativeConnection } from '@temporalio/worker';
import { RequestError } from '../contracts/errors.js';
import { CHUNK_ROWS } from '../core/slice/chunks.js';
import { scopeOf, type Project } from '../project/project.js';
import type { Env } from '../project/template.js';
import { setLimit } from '../store/control.js';
import type { Db } from '../store/store.js';

/** TASK_QUEUE_TYPE_ACTIVITY of Temporal's API. */
export const ACTIVITY_QUEUE = 2;

/** Workflows that a worker keeps in memory; of any other it reads the history again, whenever something happens to it. */
const CACHED_WORKFLOWS = 300;

/** Rows of a chunk: `SLUICE_CHUNK_ROWS`, or what suits most. */
export function chunkRowsOf({ SLUICE_CHUNK_ROWS: written }: Env): number {
  if (written === undefined) return CHUNK_ROWS;
  if (/^[1-9]\d{0,9}$/.test(written)) return Number(written);
  throw new RequestError(
    'bad_chunk_rows',
    `SLUICE_CHUNK_ROWS is ${JSON.stringify(written)}, which is no number of rows`,
    `write a whole number such as ${CHUNK_ROWS}, or leave it out`,
  );
}

/** `SLUICE_CACHED_WORKFLOWS`, or what suits most. With 0 every workflow task is a replay. */
export function cachedWorkflowsOf({ SLUICE_CACHED_WORKFLOWS: written }: Env): number {
  if (written === undefined) return CACHED_WORKFLOWS;
  if (/^\d{1,6}$/.test(written)) return Number(written);
  throw new RequestError(
    'bad_cached_workflows',
    `SLUICE_CACHED_WORKFLOWS is ${JSON.stringify(written)}, which is no number of workflows`,
    `write a whole number such as ${CACHED_WORKFLOWS}, or leave it out`,
  );
}

/** The queue of a project's slices: rate-limited by the Temporal server; nothing else runs there. */
export function sliceQueue(project: Project): string {
  return `sluice.${scopeOf(project)}.${project.warehouse}`;
}

/**
 * Puts the project's budgets into force: slots where the gate reads them, the warehouse's rate at the Temporal server, which then holds over all workers.
 * The seam for the governor, which will write the same two.
 */
export async function applyBudgets(
  db: Db,
  connection: NativeConnection,
  namespace: string,
  project: Project,
): Promise<void> {
  const scope = { project: project.name, environment: project.environment };
  for (const { name, budget } of project.connections.values()) {
    await setLimit(db, scope, name, { slots: budget.slots, rate: budget.rate ?? null }, 'budget in sluice.yaml');
  }
  const rate = project.connections.get(project.warehouse)?.budget.rate;
  await connection.workflowService.updateTaskQueueConfig({
    namespace,
    taskQueue: sliceQueue(project),
    // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the enum is in a package that is not ours to depend on
    taskQueueType: ACTIVITY_QUEUE,
    updateQueueRateLimit: {
      reason: rate === undefined ? 'no rate in the budget' : `budget of connection ${project.warehouse} in sluice.yaml`,
      ...(rate === undefined ? {} : { rateLimit: { requestsPerSecond: rate } }),
    },
  });
}
