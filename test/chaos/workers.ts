import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { keepWorker, type DevWorker } from '../../src/dev/dev-worker.js';
import { kill9 } from '../support/backfills.js';
import { startPipe, type Pipe } from './pipe.js';
import type { Servers } from './servers.js';

/** The build that is tested; a mutant is a changed copy of it. */
export const DIST = fileURLToPath(new URL('../../dist', import.meta.url));

/** Workers of one run: one that is kept alive, and those that were stopped and left behind. */
export interface Workers {
  /** kill -9; another is started. */
  readonly kill: () => void;
  /** SIGSTOP, and another is started. Returns what wakes the stopped one: it works on beside the other. */
  readonly freeze: () => Promise<() => void>;
  /** It no longer reaches Temporal, and does not know; the databases it reaches. Another is started. Returns what ends this. */
  readonly cutOff: () => Promise<() => void>;
  /** SIGSTOP and SIGCONT of those that another has taken the place of. */
  readonly freezeLeft: () => void;
  readonly wakeLeft: () => void;
  /** All that they logged, as lines of JSON. */
  readonly said: () => string;
  readonly stop: () => Promise<void>;
}

export async function startWorkers(servers: Servers, project: string, dist = DIST): Promise<Workers> {
  const temporalPort = Number(servers.stack.dev.info().temporalAddress.split(':')[1]);
  let text = '';
  const left: ChildProcess[] = [];
  const pipes: Pipe[] = [];
  const keepers: DevWorker[] = [];
  let current: ChildProcess | undefined;
  const start = (): ChildProcess => {
    const args = [`${dist}/src/cli/sluice.js`, 'worker', '-p', project, '--log-level', 'debug'];
    const child = spawn(process.execPath, args, {
      env: { ...servers.stack.env, CHAOS_URL: servers.url, TEMPORAL_ADDRESS: `127.0.0.1:${pipes.at(-1)?.port}` },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    servers.workers.add(child);
    current = child;
    return child;
  };
  const keep = async (): Promise<void> => {
    const nothing = (): void => undefined;
    pipes.push(await startPipe(temporalPort));
    keepers.push(await keepWorker({ start, onSpawn: nothing, onReady: nothing, log: nothing }));
  };
  /** The one at work is left behind; another takes its place. */
  const replace = async (leave: (child: ChildProcess | undefined, pipe: Pipe | undefined) => void): Promise<void> => {
    leave(current, pipes.at(-1));
    if (current) left.push(current);
    await keep();
  };
  await keep();
  return {
    kill: () => current?.kill('SIGKILL'),
    freeze: async () => {
      const stopped = current;
      await replace((child) => child?.kill('SIGSTOP'));
      return () => stopped?.kill('SIGCONT');
    },
    cutOff: async () => {
      const pipe = pipes.at(-1);
      await replace((_child, now) => now?.cutOff());
      return () => pipe?.heal();
    },
    freezeLeft: () => {
      for (const child of left) child.kill('SIGSTOP');
    },
    wakeLeft: () => {
      for (const child of left) child.kill('SIGCONT');
    },
    said: () => text,
    stop: async () => {
      for (const child of left) child.kill('SIGKILL');
      const now = AbortSignal.abort();
      for (const keeper of keepers) await keeper.stop(now);
      if (current && current.exitCode === null && current.signalCode === null) await kill9(current);
      for (const pipe of pipes) pipe.close();
    },
  };
}
