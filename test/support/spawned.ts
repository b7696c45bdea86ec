import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { SLUICE, type Stack } from './stack.js';

/** A command that runs, and what it has said so far. */
export interface Spawned {
  readonly child: ChildProcess;
  readonly said: { out: string; err: string };
  readonly ended: Promise<{ code: number | null; out: string; err: string }>;
}

/** Starts a command beside the test, in the stack's folder: for one that is to be interrupted, or that waits for something. */
export function spawnSluice(stack: Stack, args: readonly string[]): Spawned {
  const child = spawn(process.execPath, [SLUICE, ...args], {
    env: stack.env,
    cwd: stack.dir,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (said.out += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (said.err += chunk));
  return { child, said, ended: once(child, 'close').then(() => ({ code: child.exitCode, ...said })) };
}
