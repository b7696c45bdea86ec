import type { ChildProcess } from 'node:child_process';
import pg from 'pg';
import { restartsOf, type Restarts } from '../support/restarts.js';
import { startStack, type Stack } from '../support/stack.js';
import { startProxy, type Proxy } from './proxy.js';

/** Both servers of a campaign, which can be killed and come back on the same ports and files, and the proxy before PostgreSQL. */
export interface Servers extends Restarts {
  readonly stack: Stack;
  readonly proxy: Proxy;
  /** Workers that were started: what of them still runs is ended with the servers. */
  readonly workers: Set<ChildProcess>;
  /** As a worker reaches PostgreSQL: through the proxy, without a database. */
  readonly url: string;
  /** Work on a connection past the proxy, which is closed then. */
  readonly on: <T>(database: 'ops' | 'warehouse', work: (client: pg.Client) => Promise<T>) => Promise<T>;
  readonly stop: () => Promise<void>;
}

export async function startServers(): Promise<Servers> {
  const stack = await startStack();
  await stack.url('ops');
  await stack.url('warehouse');
  const info = stack.dev.info();
  const direct = new URL(info.postgresUrl);
  const proxy = await startProxy(Number(direct.port));
  const through = new URL(info.postgresUrl);
  through.port = String(proxy.port);
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
    ...restartsOf(stack),
    stop: async () => {
      for (const child of workers) child.kill('SIGKILL');
      await proxy.close();
      await stack.stop();
    },
  };
}
