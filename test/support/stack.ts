import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { startDev, type Dev } from '../../src/dev/dev.js';
import { ensureDatabase } from '../../src/dev/postgres-server.js';
import type { ProductionServer } from './production-server.js';
import { runSluice, type Ran } from './command.js';

export type { Ran };

const DIST = fileURLToPath(new URL('../../dist', import.meta.url));

/** A real PostgreSQL and a real Temporal, with a project folder; what a test starts is stopped with it. */
export interface Stack {
  readonly dir: string;
  readonly env: NodeJS.ProcessEnv;
  /** `postgres://…/<database>`; the database is made when it is missing. */
  readonly url: (database: string) => Promise<string>;
  /** A connection that is closed with the stack. */
  readonly connect: (database: string) => Promise<pg.Client>;
  /** Writes a project's files, and returns its folder. */
  readonly project: (name: string, files: Readonly<Record<string, string>>) => string;
  /** Runs a command to its end, in the stack's folder. */
  readonly sluice: (args: readonly string[], options?: { env?: NodeJS.ProcessEnv }) => Promise<Ran>;
  /** Starts a worker for a project folder; resolves when it polls. `build` is the folder of another build than `dist`. */
  readonly worker: (
    project: string,
    args?: readonly string[],
    more?: NodeJS.ProcessEnv,
    build?: string,
  ) => Promise<ChildProcess>;
  readonly dev: Dev;
  /** The Temporal server of `npm run test:server`, where it is that: `dev` names it, its own idles beside it. */
  readonly production: ProductionServer | undefined;
  readonly stop: () => Promise<void>;
}

/** Starts the stack: about 4 s. Call it in `before`, and `stop` in `after`. */
export async function startStack(): Promise<Stack> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-test-'));
  const dataDir = join(dir, '.sluice');
  const { dev, production } = await startServers(dir, dataDir);
  const { temporalAddress, postgresUrl } = dev.info();
  const env = {
    ...process.env,
    SLUICE_DATA_DIR: dataDir,
    TEMPORAL_ADDRESS: temporalAddress,
    SLUICE_EMBEDDED_URL: postgresUrl,
  };
  const clients: pg.Client[] = [];
  const workers = new Set<ChildProcess>();
  const url = async (database: string): Promise<string> => {
    await ensureDatabase(postgresUrl, database);
    return `${postgresUrl}/${database}`;
  };
  return {
    dir,
    env,
    url,
    dev,
    production,
    connect: async (database) => {
      const client = new pg.Client({ connectionString: await url(database) });
      client.on('error', () => undefined);
      await client.connect();
      clients.push(client);
      return client;
    },
    project: (name, files) => {
      const folder = join(dir, name);
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(dirname(join(folder, path)), { recursive: true });
        writeFileSync(join(folder, path), text);
      }
      return folder;
    },
    sluice: (args, options = {}) => runSluice({ env: { ...env, ...options.env }, dir }, args),
    worker: async (project, args = [], more = {}, build = DIST) => {
      const main = join(build, 'src/cli/sluice.js');
      const child = spawn(process.execPath, [main, 'worker', '-p', project, '--log-level', 'error', ...args], {
        env: { ...env, ...more },
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });
      workers.add(child);
      const [message] = await Promise.race([
        once(child, 'message'),
        once(child, 'exit').then(([code]) => [`exit ${code}`]),
      ]);
      if (message !== 'ready') throw new Error(`worker: ${String(message)}`);
      return child;
    },
    stop: async () => {
      for (const child of workers) await ended(child);
      for (const client of clients) await client.end().catch(() => undefined);
      await production?.stop();
      await dev.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function startServers(
  dir: string,
  dataDir: string,
): Promise<{ dev: Dev; production: ProductionServer | undefined }> {
  const dev = await startDev({ dataDir, startWorker: null, env: process.env, log: () => undefined });
  const bin = process.env['SLUICE_TEST_SERVER'];
  if (!bin) return { dev, production: undefined };
  const { startProductionServer } = await import('./production-server.js');
  const production = await startProductionServer(bin, dir, dev.info().postgresUrl).catch(async (error: unknown) => {
    await dev.stop();
    throw error;
  });
  return { dev: { ...dev, info: () => ({ ...dev.info(), temporalAddress: production.address }) }, production };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
