import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { SystemError } from '../contracts/errors.js';
import { readDevFile, type DevInfo } from './dev-file.js';
import { refuseSecond } from './dev-lock.js';
import { tailOf } from './files.js';
import { endProcess } from './processes.js';
import { spawnServer } from './server-process.js';

export interface DetachOptions {
  readonly dataDir: string;
  /** Arguments of node that run `dev` in the foreground on that data dir. */
  readonly nodeArgs: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Ends the waiting, and what was started. */
  readonly signal?: AbortSignal | undefined;
}

/** A first start may download 44 MB; its own bounds are shorter. */
const BOUND_MS = 400_000;
const POLL_MS = 50;

/**
 * `sluice dev --detach`: starts `dev` as a process that outlives this one, and waits until all serve.
 *
 * @throws {RequestError} `dev_running` @throws {SystemError} `dev_failed` with the end of its log (`dev.log` in the data dir).
 */
export async function detachDev({ dataDir, nodeArgs, env, signal }: DetachOptions): Promise<DevInfo> {
  mkdirSync(dataDir, { recursive: true });
  refuseSecond(dataDir);
  const logFile = join(dataDir, 'dev.log');
  const child = await spawnServer({ file: process.execPath, args: nodeArgs, env, logFile, cwd: process.cwd() });
  let ended: string | undefined;
  void child.exited.then((how) => (ended = how));
  const end = Date.now() + BOUND_MS;
  while (ended === undefined && Date.now() < end && signal?.aborted !== true) {
    const info = readDevFile(dataDir);
    // Not one that a killed `dev` left.
    if (info?.pids.dev === child.pid) return info;
    await wait(POLL_MS);
  }
  await endProcess(child, [{ signal: 'SIGTERM', waitMs: 60_000 }]);
  signal?.throwIfAborted();
  throw new SystemError(
    'dev_failed',
    `sluice dev ${ended ?? 'did not serve'}\n${tailOf(logFile, child.logFrom)}`,
    `See ${logFile}`,
  );
}
