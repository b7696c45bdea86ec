import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { readsItself, type StoredDataset } from '../contracts/plan.js';
import type { BackfillStatus, DatasetStatus } from '../contracts/status.js';
import { advise } from '../core/advice/advise.js';
import type { Advised, DatasetFacts, Facts, KeptUnique } from '../core/advice/types.js';
import { cheaper } from '../planning/advice.js';
import { loadPlan } from '../store/plans.js';
import { partitionCosts } from '../store/profiles.js';
import { epochOf, publishedBy } from '../store/published.js';
import { lookAt, type Look } from '../warehouse/postgres/looks.js';
import { canBeUnique, indexSql } from '../warehouse/postgres/target.js';
import { ACTIVITY_QUEUE, sliceQueue } from '../worker/limits.js';
import { pollersOf } from '../worker/pollers.js';
import type { Opened } from '../worker/open.js';
import type { Session } from './session.js';
import { standings } from './warehouse.js';

/** For how long a backfill is watched: long enough for some batches, short enough for a person who waits. */
const LOOKS = 30;
const LOOK_EVERY_MS = 100;
/** So many of the datasets with the most left are asked what would make them cheaper: each is two looks at a planner. */
const ASKED_MOST = 10;

/** The document of `advise --json`. */
export interface AdviceDocument extends Advised {
  readonly id: string;
  readonly state: BackfillStatus['state'];
  /** What it rests on; null where it was not looked at, for nothing runs. */
  readonly seen: Omit<Facts, 'id' | 'connection'> | null;
}

/** Watches a backfill for some seconds, and says what limits it and what would help. Changes nothing. */
export async function adviceOn(
  session: Session,
  status: BackfillStatus,
  workflowId: string,
  now: number,
): Promise<AdviceDocument> {
  const { id, state } = status;
  const nothing = (message: string): AdviceDocument => ({
    ...{ id, state, seen: null, secondsLeft: null, advice: [] },
    limit: { code: 'nothing', message },
  });
  const db = await session.opened.db();
  const epoch = await epochOf(db, workflowId);
  const plan = status.plan === undefined ? undefined : await loadPlan(db, status.plan);
  if (state !== 'running' || epoch === null || !plan) return nothing(`it is ${state}: ${status.reason}`);
  const facts = await factsOf(session, status, plan.datasets, epoch, now);
  const { id: _, connection: __, ...seen } = facts;
  return { id, state, ...advise(facts), seen };
}

async function factsOf(
  { opened }: Session,
  status: BackfillStatus,
  datasets: readonly StoredDataset[],
  epoch: string,
  now: number,
): Promise<Facts> {
  const [project, db] = [opened.project(), await opened.db()];
  const connection = project.connections.get(project.warehouse);
  if (!connection) throw new TypeError(`no connection ${project.warehouse}`);
  const scope = { project: project.name, environment: project.environment };
  const before = await publishedBy(db, epoch);
  const { looks, queued, workers, seconds } = await watch(opened, epoch);
  const after = await publishedBy(db, epoch);
  const [costs, [standing]] = [await partitionCosts(db, scope), await standings(opened, [connection], now)];
  const mean = (of: (look: Look) => number): number => looks.reduce((sum, look) => sum + of(look), 0) / looks.length;
  const rows = datasets.map(async (dataset): Promise<DatasetFacts> => {
    const { name, pool } = dataset;
    const shown = status.datasets.find((one) => one.name === name);
    const [was, is] = [before.partitions.get(name) ?? 0, after.partitions.get(name) ?? 0];
    const slotMs = mean(({ held }) => heldBy(held, name)) * seconds * 1000;
    const slots = pool === undefined ? undefined : project.pools.get(pool);
    return {
      name,
      remaining: remainingOf(shown, is),
      partitionMs: is > was && slotMs > 0 ? slotMs / (is - was) : (costs.get(name) ?? null),
      gapMs: is > was ? Math.max(0, (1000 * seconds - slotMs) / (is - was)) : 0,
      inOrder: readsItself(dataset) ? 'reads_itself' : keptUnique(dataset),
      pool: pool === undefined || slots === undefined ? null : { name: pool, slots },
      ...{ joining: null, index: null },
    };
  });
  return {
    ...{ id: status.id, connection: connection.name, queued, workers },
    slots: standing?.slots ?? null,
    cause: standing?.cause ?? 'budget',
    budget: connection.budget.slots,
    rate: standing?.rate ?? null,
    maxParallel: status.maxParallel ?? null,
    cores: connection.budget.cores ?? null,
    atWork: mean(({ held }) => [...held.values()].reduce((sum, one) => sum + one, 0)),
    others: mean(({ others }) => others),
    cpu: { ours: mean(({ cpu }) => cpu.ours), others: mean(({ cpu }) => cpu.others) },
    batchesPerSecond: (after.batches - before.batches) / seconds,
    datasets: await askedOfPlanners(opened, datasets, await Promise.all(rows)),
  };
}

/** Over all partitions of a table only an index with its time can keep a key unique. */
function keptUnique({ enforcesKey, key, time, target }: StoredDataset): KeptUnique | null {
  if (enforcesKey !== true || time === null) return null;
  const addToKey = canBeUnique({ time: time.column, key }) ? null : time.column;
  return { index: indexSql(target, addToKey === null ? key : [...key, addToKey], true), addToKey };
}

/** PostgreSQL keeps 63 bytes of what names a connection. */
function heldBy(held: Look['held'], name: string): number {
  return [...held].find(([cut]) => name === cut || (cut.length > 20 && name.startsWith(cut)))?.[1] ?? 0;
}

function remainingOf(shown: DatasetStatus | undefined, published: number): number {
  if (!shown) return 0;
  const { total, failed, blocked, skipped, done } = shown;
  return Math.max(0, total - failed - blocked - skipped - Math.max(done, published));
}

async function askedOfPlanners(
  opened: Opened,
  datasets: readonly StoredDataset[],
  rows: readonly DatasetFacts[],
): Promise<DatasetFacts[]> {
  const left = ({ remaining, partitionMs }: DatasetFacts): number => remaining * (partitionMs ?? 1);
  const most = rows.toSorted((a, b) => left(b) - left(a)).slice(0, ASKED_MOST);
  const answers = new Map<string, Pick<DatasetFacts, 'joining' | 'index'>>();
  for (const { name, remaining } of most) {
    const dataset = datasets.find((one) => one.name === name);
    if (dataset && remaining > 0)
      answers.set(name, await cheaper({ project: opened.project(), pool: opened.pool }, dataset));
  }
  return rows.map((row) => ({ ...row, ...answers.get(row.name) }));
}

interface Watched {
  readonly looks: readonly Look[];
  /** Slices without a worker, in the mean, and workers that ask for some. */
  readonly queued: number;
  readonly workers: number;
  readonly seconds: number;
}

async function watch(opened: Opened, epoch: string): Promise<Watched> {
  const project = opened.project();
  const { address, namespace, apiKey, tls } = opened.temporal();
  const temporal = await Connection.connect({ address, ...(apiKey && { apiKey }), ...(tls && { tls }) });
  const began = performance.now();
  try {
    const looks: Look[] = [];
    const backlogs: number[] = [];
    let workers = 0;
    for (let i = 0; i < LOOKS; i++) {
      looks.push(await opened.pool(project.warehouse).use((client) => lookAt(client, epoch)));
      if (i % 5 === 0) {
        const { pollers, backlog } = await pollersOf(temporal, namespace, sliceQueue(project), ACTIVITY_QUEUE);
        backlogs.push(backlog);
        workers = new Set(pollers.map(({ identity }) => identity)).size;
      }
      await sleep(LOOK_EVERY_MS);
    }
    const queued = backlogs.reduce((sum, one) => sum + one, 0) / backlogs.length;
    return { looks, queued, workers, seconds: (performance.now() - began) / 1000 };
  } finally {
    await temporal.close();
  }
}
