import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import pg from 'pg';
import { recordProcess } from '../../src/dev/process-file.js';
import { identify } from '../../src/dev/processes.js';
import { startPostgres } from '../../src/dev/postgres-server.js';
import { findTemporal } from '../../src/dev/temporal-source.js';
import { startTemporal } from '../../src/dev/temporal-server.js';
import { eventually } from '../support/eventually.js';
import { startStack, type Stack } from '../support/stack.js';
import { startProxy, type Proxy } from './proxy.js';

/** Both servers of a campaign, which can be killed and come back on the same ports and files, and the proxy before PostgreSQL. */
export interface Servers {
  readonly stack: Stack;
  readonly proxy: Proxy;
  /** Workers that were started: what of them still runs is ended with the servers. */
  readonly workers: Set<ChildProcess>;
  /** As a worker reaches PostgreSQL: through the proxy, without a database. */
  readonly url: string;
  /** Work on a connection past the proxy, which is closed then. */
  readonly on: <T>(database: 'ops' | 'warehouse', work: (client: pg.Client) => Promise<T>) => Promise<T>;
  /** Stops PostgreSQL as `pg_ctl stop -m immediate` does (no checkpoint, all sessions cut), or with kill -9, and starts it again. */
  readonly restartPostgres: (how: 'SIGQUIT' | 'SIGKILL') => Promise<void>;
  /** kill -9 of the Temporal server, and another on its database file. */
  readonly restartTemporal: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

export async function startServers(): Promise<Servers> {
  const stack = await startStack();
  await stack.url('ops');
  await stack.url('warehouse');
  const info = stack.dev.info();
  const dataDir = join(stack.dir, '.sluice');
  const pids = { postgres: info.pids.postgres, temporal: info.pids.temporal };
  const direct = new URL(info.postgresUrl);
  const proxy = await startProxy(Number(direct.port));
  const through = new URL(info.postgresUrl);
  through.port = String(proxy.port);
  const killed = async (role: keyof typeof pids, signal: NodeJS.Signals): Promise<void> => {
    process.kill(pids[role], signal);
    await eventually(`${role} is gone`, () => identify(pids[role]) === undefined);
  };
  const onSpawn =
    (role: keyof typeof pids) =>
    (id: { pid: number; born: string }): void => {
      pids[role] = id.pid;
      recordProcess(dataDir, role, id);
    };
  const workers = new Set<ChildProcess>();
  return {
    stack,
    proxy,
    workers,
    url: through.href.replace(/\/$/, ''),
    on: async (database, work) => {
      const client = new pg.Client({ connectionString: `${info.postgresUrl}/${database}` });
      client.on('error', () => undefined);
      await client.connect();
      try {
        return await work(client);
      } finally {
        await client.end().catch(() => undefined);
      }
    },
    restartPostgres: async (how) => {
      await killed('postgres', how);
      await startPostgres({
        dataDir: join(dataDir, 'postgres'),
        port: Number(direct.port),
        password: decodeURIComponent(direct.password),
        logFile: join(dataDir, 'postgres.log'),
        onSpawn: onSpawn('postgres'),
      });
    },
    restartTemporal: async () => {
      await killed('temporal', 'SIGKILL');
      await startTemporal({
        binary: await findTemporal({ env: process.env, log: () => undefined }),
        dbFile: join(dataDir, 'temporal.db'),
        port: Number(info.temporalAddress.split(':')[1]),
        uiPort: Number(new URL(info.temporalUiUrl).port),
        logFile: join(dataDir, 'temporal.log'),
        onSpawn: onSpawn('temporal'),
      });
    },
    stop: async () => {
      for (const child of workers) child.kill('SIGKILL');
      await proxy.close();
      await stack.stop();
    },
  };
}
