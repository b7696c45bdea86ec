import type { ChildProcess } from 'node:child_process';
import { SystemError } from '../contracts/errors.js';
import { END_WORKER } from './leftovers.js';
import { endProcess, identify, type ProcessId } from './processes.js';
import { exitOf } from './server-process.js';
import { aborted } from './stop-signals.js';

const READY_BOUND_MS = 60_000;

/** A worker that dies is started again after 0.5 s, then twice as long each time, to 10 s; after a minute of life from 0.5 s again. */
const FIRST_DELAY_MS = 500;
const LAST_DELAY_MS = 10_000;
const HEALTHY_MS = 60_000;

export interface WorkerOptions {
  /** Spawns it. With an IPC channel it says `ready` when it polls; without one it counts as ready at once. */
  readonly start: () => ChildProcess;
  readonly onSpawn: (id: ProcessId) => void;
  /** A new process is ready, the first or a later one. */
  readonly onReady: (pid: number) => void;
  readonly log: (line: string) => void;
  /** Ends the waiting for `ready`, and the process. */
  readonly signal?: AbortSignal | undefined;
}

/** A worker process that is kept alive. */
export interface DevWorker {
  /** Ends it, draining, and starts another. Rejects with `worker_failed` where that one does not get ready: then none runs until the next call. */
  restart(): Promise<void>;
  /** Ends it; nothing is started any more. */
  stop(hurry?: AbortSignal): Promise<void>;
}

/**
 * Starts a worker and keeps one alive until `stop`.
 *
 * @throws {SystemError} `worker_failed` where the first one ends, or says nothing for 60 s, before it is ready.
 */
export async function keepWorker(options: WorkerOptions): Promise<DevWorker> {
  let current = await startOnce(options);
  let stopped = false;
  // Asked anew after each wait.
  const isStopped = (): boolean => stopped;
  let delayMs = FIRST_DELAY_MS;
  let timer: NodeJS.Timeout | undefined;
  let turn: Promise<void> = Promise.resolve();
  /** One replacement after another, so that two are never at work. */
  const replace = (): Promise<void> => {
    const done = turn.then(async () => {
      const before = current;
      if (isStopped()) return;
      expected.add(before.id);
      await endProcess(before.id, END_WORKER);
      current = await startOnce(options);
      if (isStopped()) await endProcess(current.id, END_WORKER);
      else watch(current);
    });
    turn = done.catch(() => undefined);
    return done;
  };
  /** Those that we end: theirs is no surprise. */
  const expected = new Set<ProcessId>();
  const watch = ({ id, exited, since }: Live): void => {
    void exited.then((how) => {
      if (stopped || expected.has(id)) return;
      if (Date.now() - since > HEALTHY_MS) delayMs = FIRST_DELAY_MS;
      options.log(`the worker ended (${how}); starting another`);
      again();
    });
  };
  const again = (): void => {
    timer = setTimeout(() => {
      replace().catch((error: unknown) => {
        if (stopped) return;
        options.log(error instanceof Error ? error.message : String(error));
        again();
      });
    }, delayMs);
    delayMs = Math.min(LAST_DELAY_MS, delayMs * 2);
  };
  watch(current);
  return {
    async restart() {
      clearTimeout(timer);
      await replace();
    },
    async stop(hurry) {
      stopped = true;
      clearTimeout(timer);
      await endProcess(current.id, END_WORKER, hurry);
    },
  };
}

interface Live {
  readonly id: ProcessId;
  readonly exited: Promise<string>;
  /** When it was started, in ms. */
  readonly since: number;
}

async function startOnce({ start, onSpawn, onReady, signal }: WorkerOptions): Promise<Live> {
  const child = start();
  const exited = exitOf(child);
  if (child.pid === undefined) throw new SystemError('worker_failed', `The worker cannot be run: ${await exited}`);
  const id = identify(child.pid) ?? { pid: child.pid, born: 'gone' };
  onSpawn(id);
  const stopped = signal === undefined ? [] : [aborted(signal).then(() => 'was stopped')];
  const failure = await Promise.race([exited.then((how) => `ended: ${how}`), untilReady(child), ...stopped]);
  if (failure !== undefined) {
    await endProcess(id, END_WORKER);
    signal?.throwIfAborted();
    throw new SystemError('worker_failed', `The worker ${failure}`);
  }
  onReady(child.pid);
  return { id, exited, since: Date.now() };
}

/** Resolves with what is wrong, or `undefined` when it is ready. */
function untilReady(child: ChildProcess): Promise<string | undefined> {
  if (child.channel === undefined || child.channel === null) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const bound = setTimeout(resolve, READY_BOUND_MS, `was not ready within ${String(READY_BOUND_MS / 1_000)} s`);
    child.once('exit', () => {
      clearTimeout(bound);
    });
    child.on('message', (message) => {
      if (message !== 'ready') return;
      clearTimeout(bound);
      resolve(undefined);
    });
  });
}
