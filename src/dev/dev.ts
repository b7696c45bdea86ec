import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { takeLock } from './dev-lock.js';
import { writeDevFile, type DevInfo } from './dev-file.js';
import { keepWorker, type DevWorker } from './dev-worker.js';
import { readIfThere, writeAtomically } from './files.js';
import { endRecorded } from './leftovers.js';
import { keepPorts, readPorts, type Ports } from './kept-ports.js';
import { freePorts } from './ports.js';
import { startPostgres, type PostgresServer } from './postgres-server.js';
import { recordProcess, type Role } from './process-file.js';
import type { ProcessId } from './processes.js';
import { findTemporal } from './temporal-source.js';
import { startTemporal, type TemporalServer } from './temporal-server.js';

export interface DevOptions {
  /** All that is kept: databases, logs, `dev.json`. Made when missing. */
  readonly dataDir: string;
  /**
   * Spawns the worker, when both servers serve; null for none. Spawn it `detached`, so that Ctrl-C reaches it through us. `pids.worker` is null still.
   * With an IPC channel it must send `ready` when it polls.
   */
  readonly startWorker: ((info: DevInfo) => ChildProcess) | null;
  readonly env: NodeJS.ProcessEnv;
  /** What a person should see while it starts and runs; one line each. */
  readonly log: (line: string) => void;
  /** Ends starting; what was begun is ended too. */
  readonly signal?: AbortSignal | undefined;
}

/** Both servers, and a worker, at work. */
export interface Dev {
  /** As in `dev.json`; the worker's pid changes when it is started again. */
  readonly info: () => DevInfo;
  /** Settles when a server ends by itself, with which and how. `stop` is still to be called. */
  readonly failed: Promise<string>;
  /** Ends the worker, draining, and starts another, for a changed project. */
  restartWorker(): Promise<void>;
  /** Ends worker, Temporal and PostgreSQL, in this order; by SIGKILL when `hurry` aborts. */
  stop(hurry?: AbortSignal): Promise<void>;
}

/**
 * Starts PostgreSQL, Temporal and a worker on a data dir, and writes `dev.json` when all serve.
 * What an earlier `dev` that was killed left running there is ended first. Data stays from one start to the next.
 *
 * The caller must call `stop`, also after signals: see `untilStopped`.
 *
 * @throws {RequestError} `dev_running` @throws {SystemError} from either server, `no_temporal`, `worker_failed`.
 */
export async function startDev(options: DevOptions): Promise<Dev> {
  const dataDir = resolve(options.dataDir);
  mkdirSync(dataDir, { recursive: true });
  const unlock = takeLock(dataDir);
  const stop = async (hurry?: AbortSignal): Promise<void> => {
    await endRecorded(dataDir, hurry);
    unlock();
  };
  try {
    const left = await endRecorded(dataDir);
    if (left.length > 0) options.log(`ended what an earlier dev had left: ${left.join(', ')}`);
    return await serve({ ...options, dataDir }, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function serve(options: DevOptions, stopRecorded: Dev['stop']): Promise<Dev> {
  const { dataDir, startWorker, log, signal } = options;
  const [postgres, temporal] = await startServers(options);
  let info = infoOf(postgres, temporal);
  const publish = (worker: number | null): void => {
    info = { ...info, pids: { ...info.pids, worker } };
    writeDevFile(dataDir, info);
  };
  const onSpawn = recorder(dataDir, 'worker');
  const start = startWorker && ((): ChildProcess => startWorker(info));
  const worker: DevWorker | null = start && (await keepWorker({ start, onSpawn, onReady: publish, log, signal }));
  if (worker === null) publish(null);
  return {
    info: () => info,
    failed: Promise.race([
      temporal.exited.then((how) => `Temporal ended: ${how} (${join(dataDir, LOGS.temporal)})`),
      postgres.exited.then((how) => `PostgreSQL ended: ${how} (${join(dataDir, LOGS.postgres)})`),
    ]),
    restartWorker: async () => worker?.restart(),
    stop: async (hurry) => {
      await worker?.stop(hurry);
      await stopRecorded(hurry);
    },
  };
}

const LOGS = { temporal: 'temporal.log', postgres: 'postgres.log' } as const;

/** Side by side; what fails first ends the other. Both settle before this does, so that nothing is started after its failure was handled. */
async function startServers(options: DevOptions): Promise<[PostgresServer, TemporalServer]> {
  const failing = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, failing.signal]) : failing.signal;
  const both = { ...options, signal };
  const abort = (error: unknown): never => {
    failing.abort(error);
    throw error;
  };
  const kept = readPorts(options.dataDir);
  const [port = 0, ...others] = await freePorts(3, [kept.postgres, kept.temporal, kept.ui]);
  const [postgres, temporal] = await Promise.allSettled([
    withPorts([port], (ports) => startDatabase(both, ports)).catch(abort),
    findTemporal(both)
      .then((binary) => withPorts(others, (ports) => startScheduler(both, binary, ports)))
      .catch(abort),
  ]);
  if (postgres.status === 'fulfilled' && temporal.status === 'fulfilled') {
    keepPorts(options.dataDir, portsOf(postgres.value, temporal.value), options.log);
    return [postgres.value, temporal.value];
  }
  // The person's stop, or else whichever failed first: the other failed because of it.
  throw signal.reason;
}

function startDatabase({ dataDir, signal }: DevOptions, [port = 0]: readonly number[]): Promise<PostgresServer> {
  return startPostgres({
    dataDir: join(dataDir, 'postgres'),
    port,
    password: passwordOf(dataDir),
    logFile: join(dataDir, LOGS.postgres),
    signal,
    onSpawn: recorder(dataDir, 'postgres'),
  });
}

function startScheduler(options: DevOptions, binary: string, ports: readonly number[]): Promise<TemporalServer> {
  const { dataDir, signal } = options;
  const [port = 0, uiPort = 0] = ports;
  return startTemporal({
    binary,
    dbFile: join(dataDir, 'temporal.db'),
    port,
    uiPort,
    logFile: join(dataDir, LOGS.temporal),
    signal,
    onSpawn: recorder(dataDir, 'temporal'),
  });
}

function recorder(dataDir: string, role: Role): (id: ProcessId) => void {
  return (id) => {
    recordProcess(dataDir, role, id);
  };
}

/** A free port may be taken before it is used: then with others, twice. */
async function withPorts<T>(
  ports: readonly number[],
  start: (ports: readonly number[]) => Promise<T>,
  again = 2,
): Promise<T> {
  try {
    return await start(ports);
  } catch (error) {
    if (again === 0 || !(error instanceof Error) || !/address already in use/i.test(error.message)) throw error;
    return withPorts(await freePorts(ports.length), start, again - 1);
  }
}

function portsOf(postgres: PostgresServer, temporal: TemporalServer): Ports {
  const [database, scheduler, ui] = [postgres.url, `tcp://${temporal.address}`, temporal.uiUrl].map((url) =>
    Number(new URL(url).port),
  );
  return { postgres: database ?? 0, temporal: scheduler ?? 0, ui: ui ?? 0 };
}

/** Random, kept beside the cluster that was made with it. */
function passwordOf(dataDir: string): string {
  const file = join(dataDir, 'postgres.password');
  const kept = readIfThere(file);
  if (kept !== undefined && kept !== '') return kept;
  const password = randomBytes(18).toString('base64url');
  writeAtomically(file, password);
  return password;
}

function infoOf(postgres: PostgresServer, temporal: TemporalServer): DevInfo {
  return {
    temporalAddress: temporal.address,
    temporalUiUrl: temporal.uiUrl,
    postgresUrl: postgres.url,
    pids: { dev: process.pid, temporal: temporal.pid, postgres: postgres.pid, worker: null },
  };
}
