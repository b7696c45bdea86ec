import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** The command, as it is built. */
export const SLUICE = fileURLToPath(new URL('../../dist/src/cli/sluice.js', import.meta.url));

/** A command that runs, and what it has said so far. */
export interface Spawned {
  readonly child: ChildProcess;
  readonly said: { out: string; err: string };
  readonly ended: Promise<{ code: number | null; out: string; err: string }>;
}

/** Starts a command, in the folder of a stack or another: by itself for one that is to be interrupted, or that waits for something. */
export function spawnSluice(
  { env, dir }: { readonly env: NodeJS.ProcessEnv; readonly dir: string },
  args: readonly string[],
): Spawned {
  const child = spawn(process.execPath, [SLUICE, ...args], { env, cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (said.out += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (said.err += chunk));
  return { child, said, ended: once(child, 'close').then(() => ({ code: child.exitCode, ...said })) };
}
