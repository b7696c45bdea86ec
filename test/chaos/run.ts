import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { BackfillClient } from '../../src/client/index.js';
import type { BackfillInput } from '../../src/contracts/request.js';
import type { BackfillStatus } from '../../src/contracts/status.js';
import { ENDED } from '../../src/contracts/status.js';
import { eventually } from '../support/eventually.js';
import { FAULTS, type Planned, type Scene } from './faults.js';
import { audit, outcomeOf, publishedBy, type Outcome } from './oracle.js';
import { FROM, makeSource, mendWords, moveRows, projectFiles, TO } from './project.js';
import type { Servers } from './servers.js';
import { sightings, type Sightings } from './sightings.js';
import { startWorkers } from './workers.js';

/** What came of one run. */
export interface Ran {
  readonly outcome: Outcome;
  readonly seen: Sightings;
  readonly published: number;
  readonly seconds: number;
  /** What the workers logged, to look at where it differs. */
  readonly said: string;
}

/** A fault may come when a server is down from the one before: it is tried again for this long. */
const FAULT_MS = 60_000;
const ENDS_MS = 300_000;
const RETRIES_MAX = 10;

export interface RunOptions {
  readonly servers: Servers;
  /** Of the project: never used before on these servers. */
  readonly name: string;
  readonly faults?: readonly Planned[];
  /** Choices that are left to the faults themselves. */
  readonly next?: () => number;
  readonly dist?: string;
  /** How long it may take to end. */
  readonly withinMs?: number;
}

/** Carries the project out on fresh tables while the faults happen, to its end, and says what is there then. */
export async function carryOut({
  servers,
  name,
  faults = [],
  next = () => 0,
  dist,
  withinMs = ENDS_MS,
}: RunOptions): Promise<Ran> {
  const began = Date.now();
  servers.stack.project(name, projectFiles(name));
  await servers.on('ops', (ops) => makeSource(ops, name));
  const workers = await startWorkers(servers, join(servers.stack.dir, name), dist);
  const client = await BackfillClient.connect({ address: servers.stack.dev.info().temporalAddress, project: name });
  try {
    // Rows that are published, and then move to other days: the backfill meets them.
    await client.start({ select: 'moving', from: FROM, to: TO }, { id: 'first' });
    await client.result('first');
    await servers.on('ops', (ops) => moveRows(ops, name));
    await servers.on('warehouse', audit);
    await startMain(servers, client, name);
    const progress = (): Promise<number> =>
      servers.on('warehouse', (warehouse) => publishedBy(warehouse, name)).catch(() => -1);
    const ending = toItsEnd(servers, client, name, withinMs);
    const scene = { servers, workers, project: name, isOver: ending.isOver };
    await Promise.all([ending.done, happen(scene, faults, next, progress)]);
    servers.proxy.heal();
    const outcome = await outcomeOf(servers, client, name);
    const seen = await sightings(servers, name, workers.said(), ending.holds());
    return { outcome, seen, published: await progress(), seconds: (Date.now() - began) / 1000, said: workers.said() };
  } catch (error) {
    throw new Error(`${name}: ${String(error)}\n${workers.said().split('\n').slice(-30).join('\n')}`, { cause: error });
  } finally {
    servers.proxy.heal();
    await client.close();
    await workers.stop();
  }
}

/**
 * As any client of Temporal may start it. A workflow task that a killed worker had begun is given to another after 10 s, not after the minute
 * that a backfill of a thousand datasets may need: otherwise a campaign would wait most of its time.
 */
async function startMain(servers: Servers, client: BackfillClient, project: string): Promise<void> {
  const connection = await Connection.connect({ address: servers.stack.dev.info().temporalAddress });
  try {
    await new Client({ connection }).workflow.start('backfill', {
      workflowId: client.workflowId('main'),
      taskQueue: 'sluice',
      args: [{ project, from: FROM, to: TO, rebuild: 'all' } satisfies BackfillInput],
      workflowTaskTimeout: '10s',
    });
  } finally {
    await connection.close();
  }
}

async function happen(
  scene: Scene,
  faults: readonly Planned[],
  next: () => number,
  progress: () => Promise<number>,
): Promise<void> {
  const { isOver } = scene;
  const under: Promise<void>[] = [];
  for (const { fault, after } of faults) {
    await eventually(
      `${after} partitions, for: ${fault}`,
      async () => isOver() || (await progress()) >= after,
      ENDS_MS,
    );
    if (isOver()) break;
    const act = async (): Promise<void> => {
      await eventually(
        fault,
        () =>
          FAULTS[fault](scene, next).then(
            () => true,
            () => false,
          ),
        FAULT_MS,
      );
    };
    // A server that is restarted is waited for: two restarts at once would be one.
    const doing = act();
    under.push(doing);
    if (/PostgreSQL|Temporal/.test(fault)) await doing;
  }
  await Promise.all(under);
}

/** Waits for the end. A person mends what is wrong with the data when the backfill is held, and tries again. */
function toItsEnd(
  servers: Servers,
  client: BackfillClient,
  name: string,
  withinMs: number,
): { done: Promise<void>; isOver: () => boolean; holds: () => number } {
  let [holds, over] = [0, false];
  const look = async (): Promise<BackfillStatus | false> => {
    const status = await client.status('main').catch(() => undefined);
    if (status === undefined) return false;
    if (status.state === 'held') {
      if (holds > RETRIES_MAX) throw new Error(`held again and again: ${JSON.stringify(status)}`);
      await servers.on('ops', (ops) => mendWords(ops, name));
      await client.retry('main');
      holds++;
      return false;
    }
    return ENDED.includes(status.state) && status;
  };
  let last = '';
  const done = eventually(
    'the backfill ends',
    () => look().catch((error: unknown) => ((last = String(error)), false as const)),
    withinMs,
  )
    .then(async ({ state, reason }) => {
      if (state !== 'completed') throw new Error(`it ended ${state}: ${reason}`);
      // It says so before it gives its reservation back.
      await eventually('its workflow ends', () => client.result('main').catch(() => false as const), ENDS_MS);
    })
    .catch(async (error: unknown) => {
      const status = await client.status('main').catch(String);
      throw new Error(`${String(error)} ${last} ${JSON.stringify(status)}`, { cause: error });
    })
    .finally(() => {
      over = true;
    });
  return { done, isOver: () => over, holds: () => holds };
}
