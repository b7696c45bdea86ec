import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { SystemError } from '../contracts/errors.js';
import { PRIVATE, tailOf } from './files.js';
import { identify, type ProcessId } from './processes.js';

/** A server that this process started. */
export interface ServerProcess extends ProcessId {
  /** Settles when it ends, with how: `exit code 1`, `SIGKILL`. */
  readonly exited: Promise<string>;
  /** What it prints, appended, and where in the file that begins (bytes). */
  readonly logFile: string;
  readonly logFrom: number;
}

/** What to run, and as whom. */
export interface ServerCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Gets what it prints, appended. A file and no pipe: the server must not choke when we are killed. */
  readonly logFile: string;
  /** Present only where we are root and the server refuses to be. */
  readonly uid?: number;
  readonly gid?: number;
  /** Default `/`: a server must not keep a folder busy. */
  readonly cwd?: string;
}

/**
 * Starts a server in a process group of its own: Ctrl-C in the terminal reaches us alone, and we end things in order.
 *
 * @param onSpawn - called at once, in the same turn, to write down what was started.
 * @throws {SystemError} `start_failed` where it cannot be run at all.
 */
export async function spawnServer(command: ServerCommand, onSpawn?: (id: ProcessId) => void): Promise<ServerProcess> {
  const { file, args, env, logFile, ...as } = command;
  const log = openSync(logFile, 'a', PRIVATE);
  const logFrom = fstatSync(log).size;
  const child = spawn(file, args, { cwd: '/', ...as, env, detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  const exited = exitOf(child);
  if (child.pid === undefined) throw new SystemError('start_failed', `${file} cannot be run: ${await exited}`);
  const id = identify(child.pid) ?? { pid: child.pid, born: 'gone' };
  onSpawn?.(id);
  return { ...id, exited, logFile, logFrom };
}

/** Settles when a child ends, or could not be started, with how in a few words. */
export function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      resolve(error.message);
    });
    child.once('exit', (code, signal) => {
      resolve(signal ?? `exit code ${String(code)}`);
    });
  });
}

export interface Waiting {
  /** For errors: `Temporal`, `PostgreSQL`. */
  readonly what: string;
  readonly process: ServerProcess;
  readonly boundMs: number;
  readonly signal?: AbortSignal | undefined;
}

const POLL_MS = 25;

/**
 * Waits until `probe` returns; while it throws, the server is not ready.
 *
 * @throws {SystemError} `start_failed` with the end of the log, when the server ends or the bound passes.
 */
export async function untilServing<T>(probe: () => Promise<T>, waiting: Waiting): Promise<T> {
  const { what, process, boundMs, signal } = waiting;
  const { logFile, logFrom } = process;
  let ended: string | undefined;
  void process.exited.then((how) => (ended = how));
  let why = 'it did not answer';
  const end = Date.now() + boundMs;
  while (ended === undefined && Date.now() < end) {
    signal?.throwIfAborted();
    try {
      return await probe();
    } catch (error) {
      // What waiting cannot mend.
      if (error instanceof SystemError) throw error;
      why = error instanceof Error ? error.message : String(error);
    }
    await wait(POLL_MS);
  }
  const cause = ended === undefined ? `did not serve within ${String(boundMs / 1_000)} s: ${why}` : `ended: ${ended}`;
  throw new SystemError('start_failed', `${what} ${cause}\n${tailOf(logFile, logFrom)}`, `The whole log: ${logFile}`);
}

/** Resolves when something accepts connections there; throws where nothing does. */
export function accepts(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}
