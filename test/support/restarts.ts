import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { recordProcess } from '../../src/dev/process-file.js';
import { identify } from '../../src/dev/processes.js';
import { startPostgres } from '../../src/dev/postgres-server.js';
import { findTemporal } from '../../src/dev/temporal-source.js';
import { startTemporal } from '../../src/dev/temporal-server.js';
import { eventually } from './eventually.js';
import type { Stack } from './stack.js';

/** Kills the servers of a stack, and starts them again on the same ports and files. */
export interface Restarts {
  /** Stops PostgreSQL as `pg_ctl stop -m immediate` does (no checkpoint, all sessions cut), or with kill -9, and starts it again. */
  readonly restartPostgres: (how: 'SIGQUIT' | 'SIGKILL') => Promise<void>;
  /** kill -9 of the Temporal server, and another on its database; with settings of its dynamic config, `name=number`. */
  readonly restartTemporal: (settings?: readonly string[]) => Promise<void>;
}

/**
 * While a server is down its port is anybody's: one of its own clients that connects in vain may be given it as its own end. So it is started again until
 * it has its port.
 */
async function started(start: () => Promise<unknown>): Promise<void> {
  let last: unknown;
  const tried = (): Promise<boolean> =>
    start().then(
      () => true,
      (error: unknown) => {
        last = error;
        return false;
      },
    );
  await eventually('it starts on its port', tried, STARTS_MS, 500).catch(() => {
    throw last;
  });
}

const STARTS_MS = 60_000;

export function restartsOf(stack: Stack): Restarts {
  const dataDir = join(stack.dir, '.sluice');
  const info = stack.dev.info();
  const pids = { postgres: info.pids.postgres, temporal: info.pids.temporal };
  const killed = async (role: keyof typeof pids, signal: NodeJS.Signals): Promise<void> => {
    if (identify(pids[role]) !== undefined) process.kill(pids[role], signal);
    await eventually(`${role} is gone`, () => identify(pids[role]) === undefined);
  };
  const onSpawn =
    (role: keyof typeof pids) =>
    (id: { pid: number; born: string }): void => {
      pids[role] = id.pid;
      recordProcess(dataDir, role, id);
    };
  return {
    restartPostgres: async (how) => {
      const { port, password } = new URL(info.postgresUrl);
      await killed('postgres', how);
      await started(() =>
        startPostgres({
          dataDir: join(dataDir, 'postgres'),
          port: Number(port),
          password: decodeURIComponent(password),
          logFile: join(dataDir, 'postgres.log'),
          onSpawn: onSpawn('postgres'),
        }),
      );
    },
    restartTemporal: async (settings = []) => {
      if (stack.production) return stack.production.restart(settings);
      const binary = await findTemporal({ env: process.env, log: () => undefined });
      await killed('temporal', 'SIGKILL');
      const command = settings.length > 0 ? withSettings(stack.dir, binary, settings) : binary;
      await started(() =>
        startTemporal({
          binary: command,
          dbFile: join(dataDir, 'temporal.db'),
          port: Number(info.temporalAddress.split(':')[1]),
          uiPort: Number(new URL(info.temporalUiUrl).port),
          logFile: join(dataDir, 'temporal.log'),
          onSpawn: onSpawn('temporal'),
        }),
      );
    },
  };
}

/** A command that runs the server with these settings beside ours. */
function withSettings(dir: string, binary: string, settings: readonly string[]): string {
  const file = join(dir, 'temporal-with-settings');
  const flags = settings.map((setting) => `--dynamic-config-value '${setting}'`).join(' ');
  writeFileSync(file, `#!/bin/sh\nexec '${binary}' "$@" ${flags}\n`);
  chmodSync(file, 0o755);
  return file;
}
