import { setTimeout as sleep } from 'node:timers/promises';
import type { NativeConnection } from '@temporalio/worker';
import { RequestError } from '../contracts/errors.js';
import { CHUNK_ROWS } from '../core/slice/chunks.js';
import { identityOf } from '../postgres/identity.js';
import type { Pool } from '../postgres/pool.js';
import { isGoverned } from '../project/budget.js';
import { scopeOf, type Project } from '../project/project.js';
import type { Env } from '../project/template.js';
import { setLimit } from '../store/control.js';
import type { Db } from '../store/store.js';
import type { Beside } from './beside.js';

/** TASK_QUEUE_TYPE_ACTIVITY of Temporal's API. */
export const ACTIVITY_QUEUE = 2;

/**
 * Workflows that a worker keeps in memory; of any other it reads the history again, whenever something happens to it. With 300 of a thousand kept
 * `status` took 1,971 ms in the median, with all of them 766; each costs some 70 KB.
 */
const CACHED_WORKFLOWS = 1_200;

/** Rows of a chunk: `SLUICE_CHUNK_ROWS`, or what suits most. */
export function chunkRowsOf(env: Env): number {
  return countOf(env, 'SLUICE_CHUNK_ROWS', CHUNK_ROWS, { code: 'bad_chunk_rows', of: 'rows', is: /^[1-9]\d{0,9}$/ });
}

/** `SLUICE_CACHED_WORKFLOWS`, or what suits most. With 0 every workflow task is a replay. */
export function cachedWorkflowsOf(env: Env): number {
  const wanted = { code: 'bad_cached_workflows', of: 'workflows', is: /^\d{1,6}$/ };
  return countOf(env, 'SLUICE_CACHED_WORKFLOWS', CACHED_WORKFLOWS, wanted);
}

function countOf(
  env: Env,
  name: string,
  usual: number,
  { code, of, is }: { readonly code: string; readonly of: string; readonly is: RegExp },
): number {
  const written = env[name];
  if (written === undefined) return usual;
  if (is.test(written)) return Number(written);
  throw new RequestError(
    code,
    `${name} is ${JSON.stringify(written)}, which is no number of ${of}`,
    `write a whole number such as ${usual}, or leave it out`,
  );
}

/** The queue of a project's slices: rate-limited by the Temporal server; nothing else runs there. */
export function sliceQueue(project: Project): string {
  return `sluice.${scopeOf(project)}.${project.warehouse}`;
}

/** A database that does not answer must not keep a worker from its others. */
const IDENTIFY_MS = 5_000;

/** What the database of a connection is; null where it does not say so now. */
async function identify(pool: Pool): Promise<string | null> {
  const asked = pool.use(identityOf).catch(() => null);
  const timer = new AbortController();
  const late = sleep(IDENTIFY_MS, null, { signal: timer.signal, ref: false }).catch(() => null);
  return Promise.race([asked, late]).finally(() => {
    timer.abort();
  });
}

/** A connection whose database has a governor. */
export interface Governed {
  readonly connection: string;
  readonly database: string;
}

/** What came of putting budgets into force. */
export interface Applied {
  /** Connections that need a governor, as far as their databases answer. */
  readonly governed: readonly Governed[];
  /** Those that need one and do not say what they are: nothing passes there until they have. */
  readonly unknown: readonly string[];
}

/** What budgets are put into force with. */
export interface BudgetDeps {
  readonly db: Db;
  readonly pool: (connection: string) => Pool;
  readonly setRate: SetRate;
  readonly beside: Beside;
}

/**
 * Puts the project's budgets into force: slots where the gate reads them, the warehouse's rate at the Temporal server, which then holds over all
 * workers, beside the work; but where there is a governor, the queue's rate is the governor's.
 */
export async function applyBudgets({ db, pool, setRate, beside }: BudgetDeps, project: Project): Promise<Applied> {
  const scope = { project: project.name, environment: project.environment };
  const governed: Governed[] = [];
  const unknown: string[] = [];
  const applied = [...project.connections.values()].map(async ({ name, budget }) => {
    const database = await identify(pool(name));
    const queue = name === project.warehouse ? sliceQueue(project) : null;
    const limit = { slots: budget.slots, rate: budget.rate ?? null, database, governed: isGoverned(budget), queue };
    await setLimit(db, scope, name, limit, 'budget in sluice.yaml');
    if (limit.governed && database !== null) governed.push({ connection: name, database });
    if (limit.governed && database === null) unknown.push(name);
    const rate = limit.rate ?? undefined;
    const reason = rate === undefined ? 'no rate in the budget' : `budget of connection ${name} in sluice.yaml`;
    if (queue !== null && !limit.governed) await beside(`the rate of ${queue}`, () => setRate(queue, rate, reason));
  });
  await Promise.all(applied);
  return { governed, unknown };
}

/** Sets how many slices a second the Temporal server hands out of a queue, over all workers; undefined is no limit, 0 none at all. */
export type SetRate = (queue: string, rate: number | undefined, reason: string) => Promise<void>;

/** The server answers this in milliseconds, or not at all. */
const RATE_MS = 10_000;

export function rateSetter(connection: NativeConnection, namespace: string): SetRate {
  return (taskQueue, rate, reason) =>
    connection.withDeadline(Date.now() + RATE_MS, async () => {
      await connection.workflowService.updateTaskQueueConfig({
        namespace,
        taskQueue,
        // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the enum is in a package that is not ours to depend on
        taskQueueType: ACTIVITY_QUEUE,
        updateQueueRateLimit: { reason, ...(rate === undefined ? {} : { rateLimit: { requestsPerSecond: rate } }) },
      });
    });
}
