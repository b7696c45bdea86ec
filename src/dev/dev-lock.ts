import { linkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { RequestError } from '../contracts/errors.js';
import { PRIVATE, readJson } from './files.js';
import { identify, isRunning, type ProcessId } from './processes.js';

const holder = z.object({ pid: z.number().int().positive(), born: z.string() });

const fileOf = (dataDir: string): string => join(dataDir, 'dev.lock');

/** The `dev` that runs on a data dir; `undefined` where none does, also when it was killed and left its lock. */
export function runningDev(dataDir: string): ProcessId | undefined {
  const { success, data } = holder.safeParse(readJson(fileOf(dataDir)));
  return success && isRunning(data) ? data : undefined;
}

/**
 * Takes a data dir for this process.
 *
 * @returns gives it back.
 * @throws {RequestError} `dev_running`, with the pid of the one that has it.
 */
export function takeLock(dataDir: string): () => void {
  const file = fileOf(dataDir);
  const draft = `${file}.${String(process.pid)}`;
  writeFileSync(draft, JSON.stringify(identify(process.pid)), { mode: PRIVATE });
  try {
    // A link appears whole or not at all, and fails where the name is taken.
    while (!tryLink(draft, file)) clearStale(dataDir, file);
  } finally {
    rmSync(draft, { force: true });
  }
  return () => {
    rmSync(file, { force: true });
  };
}

/** @throws {RequestError} `dev_running` */
export function refuseSecond(dataDir: string): void {
  const running = runningDev(dataDir);
  if (running === undefined) return;
  const message = `sluice dev already runs on ${dataDir}, as process ${String(running.pid)}`;
  throw new RequestError('dev_running', message, 'To end it: sluice dev --stop');
}

function tryLink(draft: string, file: string): boolean {
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Moves a dead holder's lock away. Two may find it dead at once: who moved away the lock of one that lives puts it back. */
function clearStale(dataDir: string, file: string): void {
  refuseSecond(dataDir);
  const aside = `${file}.stale.${String(process.pid)}`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  const { success, data } = holder.safeParse(readJson(aside));
  if (success && isRunning(data)) tryLink(aside, file);
  rmSync(aside, { force: true });
}
