import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { DevInfo } from '../../src/dev/dev-file.js';
import { readDevFile } from '../../src/dev/dev-file.js';
import { identify } from '../../src/dev/processes.js';
import { stopDev } from '../../src/dev/stop-dev.js';

/** A data dir that is ended and removed with its test. Open to all: as root, PostgreSQL runs as another user. */
export function dataDirFor(context: { after: (end: () => Promise<void>) => void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-dev-'));
  chmodSync(folder, 0o755);
  context.after(async () => {
    await stopDev(folder);
    // An initdb whose starter was killed writes on until it is done.
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  });
  return folder;
}

export interface Running {
  readonly child: ChildProcess;
  readonly info: DevInfo;
  /** Lines that it printed while it started. */
  readonly said: readonly string[];
}

/** Arguments of node for `sluice dev` in the foreground, as the command line will run it. */
export function devArgs(dataDir: string): string[] {
  return [...process.execArgv, fileURLToPath(new URL('dev-main.ts', import.meta.url)), dataDir];
}

/** Starts `dev` as a process and returns when it says that all serve. */
export async function runInProcess(dataDir: string): Promise<Running> {
  // A process group of its own, as a shell gives it.
  const child = spawn(process.execPath, devArgs(dataDir), { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const said: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk.toString()));
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(line);
    if (line === 'serving') break;
  }
  const info = readDevFile(dataDir);
  if (info === undefined) throw new Error(`dev does not serve: ${said.join('\n')}`);
  return { child, info, said };
}

/** Sends a signal to a child and its process group, as a terminal does; returns its exit code, or the signal that it died of. */
export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | string> {
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>;
  process.kill(-(child.pid ?? Number.NaN), signal);
  const [code, by] = await exited;
  return code ?? by ?? 'nothing';
}

/** Which of the processes that `dev` started still run. */
export function alive({ pids }: DevInfo): number[] {
  const { temporal, postgres, worker } = pids;
  return [temporal, postgres, ...(worker === null ? [] : [worker])].filter((pid) => identify(pid) !== undefined);
}
