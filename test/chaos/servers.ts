import type { ChildProcess } from 'node:child_process';
import pg from 'pg';
import { restartsOf, type Restarts } from '../support/restarts.js';
import { startStack, type Stack } from '../support/stack.js';
import { mountDisk, type Disk } from './disk.js';
import { startProxy, type Proxy } from './proxy.js';
import { createQuiet, type Quiet } from './quiet.js';

/** Events after which a dataset's history is to be a fresh one: few, so that each backfill comes to it. The server's own is 4,096. */
const HISTORY = 'limit.historyCount.suggestContinueAsNew=60';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Both servers of a campaign, which can be killed and come back on the same ports and files. */
export interface Servers {
  readonly stack: Stack;
  /** Ways beside one another: each has databases of its own on the same servers. */
  readonly lane: () => Promise<Lane>;
  readonly stop: () => Promise<void>;
}

/** What the runs of one lane have: two databases, and the proxy before them. Servers that are killed are killed for all lanes. */
export interface Lane extends Restarts {
  readonly stack: Stack;
  readonly proxy: Proxy;
  /** What the warehouse of this lane is on, where such a disk could be had. */
  readonly disk: Disk | undefined;
  /** Workers that were started: what of them still runs is ended with the servers. */
  readonly workers: Set<ChildProcess>;
  /** Variables by which a worker finds its databases: through the proxy. */
  readonly env: Readonly<Record<'CHAOS_OPS' | 'CHAOS_WAREHOUSE', string>>;
  /** Work on a connection past the proxy, which is closed then. */
  readonly on: <T>(database: 'ops' | 'warehouse', work: (client: pg.Client) => Promise<T>) => Promise<T>;
  /** Work of the harness itself, during which no server is killed. */
  readonly quietly: Quiet['quietly'];
}

export async function startServers(): Promise<Servers> {
  const stack = await startStack();
  const restarts = restartsOf(stack);
  await restarts.restartTemporal([HISTORY]);
  const quiet = createQuiet();
  const lanes: Lane[] = [];
  let next = 0;
  const stop = async (): Promise<void> => {
    for (const signal of SIGNALS) process.off(signal, stopped);
    for (const { workers, proxy } of lanes) {
      for (const child of workers) child.kill('SIGKILL');
      await proxy.close();
    }
    await stack.stop();
    for (const { disk } of lanes) disk?.unmount();
  };
  const stopped = (): void => void stop().finally(() => process.exit(130));
  for (const signal of SIGNALS) process.once(signal, stopped);
  return {
    stack,
    lane: async () => {
      const lane = await openLane(stack, next++, restarts, quiet);
      lanes.push(lane);
      return lane;
    },
    stop,
  };
}

async function openLane(stack: Stack, number: number, restarts: Restarts, quiet: Quiet): Promise<Lane> {
  const info = stack.dev.info();
  const names = { ops: `ops_${number}`, warehouse: `warehouse_${number}` };
  const disk = await mountDisk(info.postgresUrl, names.warehouse);
  await stack.url(names.ops);
  await stack.url(names.warehouse);
  const proxy = await startProxy(Number(new URL(info.postgresUrl).port));
  const through = (database: string): string => {
    const url = new URL(`${info.postgresUrl}/${database}`);
    url.port = String(proxy.port);
    return url.href;
  };
  return {
    stack,
    proxy,
    disk,
    workers: new Set(),
    env: { CHAOS_OPS: through(names.ops), CHAOS_WAREHOUSE: through(names.warehouse) },
    on: async (database, work) => {
      const client = new pg.Client({ connectionString: `${info.postgresUrl}/${names[database]}` });
      client.on('error', () => undefined);
      await client.connect();
      try {
        return await work(client);
      } finally {
        await client.end().catch(() => undefined);
      }
    },
    quietly: quiet.quietly,
    restartPostgres: (how) => quiet.alone(() => restarts.restartPostgres(how)),
    restartTemporal: () => quiet.alone(() => restarts.restartTemporal([HISTORY])),
  };
}
