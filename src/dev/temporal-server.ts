import { resolve } from 'node:path';
import { endProcess, type EndStep, type ProcessId } from './processes.js';
import { accepts, spawnServer, untilServing, type ServerProcess, type Waiting } from './server-process.js';

/** What the contract registers, all of type Keyword. */
export const SEARCH_ATTRIBUTES = ['SluiceProject', 'SluiceEnvironment', 'SluiceDataset', 'SluiceState', 'SluiceOwner'];

export const NAMESPACE = 'default';

/** The server closes its pollers first, which takes 1.2 s; SQLite survives a SIGKILL too. */
export const END_TEMPORAL: readonly EndStep[] = [{ signal: 'SIGTERM', waitMs: 8_000 }];

const START_BOUND_MS = 30_000;

export interface TemporalOptions {
  /** Path of the `temporal` executable. */
  readonly binary: string;
  /** SQLite file; made when missing. All that the server remembers. */
  readonly dbFile: string;
  readonly port: number;
  readonly uiPort: number;
  readonly logFile: string;
  readonly namespace?: string;
  /** Keyword attributes to register; one that exists already is kept. */
  readonly searchAttributes?: readonly string[];
  readonly signal?: AbortSignal | undefined;
  readonly onSpawn?: ((id: ProcessId) => void) | undefined;
}

/** A server that serves. */
export interface TemporalServer extends ServerProcess {
  /** `127.0.0.1:<port>`, gRPC. */
  readonly address: string;
  readonly uiUrl: string;
  /** Ends it, by force after 8 s; at once when `hurry` aborts. */
  stop(hurry?: AbortSignal): Promise<void>;
}

/**
 * Starts Temporal's development server and returns when it answers for its namespace.
 *
 * @throws {SystemError} `start_failed` with the end of its log: it ended, or did not serve within 30 s.
 */
export async function startTemporal(options: TemporalOptions): Promise<TemporalServer> {
  const { binary, port, uiPort, logFile, namespace = NAMESPACE, signal } = options;
  const address = `127.0.0.1:${String(port)}`;
  const command = { file: binary, args: argumentsOf(options), env: cleanEnv(process.env), logFile };
  const server = await spawnServer(command, options.onSpawn);
  const stop = async (hurry?: AbortSignal): Promise<void> => {
    await endProcess(server, END_TEMPORAL, hurry);
  };
  const waiting: Waiting = { what: 'Temporal', process: server, boundMs: START_BOUND_MS, signal };
  try {
    await untilServing(async () => {
      await accepts(port);
      await accepts(uiPort);
      await answers(address, namespace);
    }, waiting);
  } catch (error) {
    await stop();
    throw error;
  }
  return { ...server, address, uiUrl: `http://127.0.0.1:${String(uiPort)}`, stop };
}

function argumentsOf(options: TemporalOptions): string[] {
  const { dbFile, port, uiPort, namespace = NAMESPACE, searchAttributes = SEARCH_ATTRIBUTES } = options;
  return [
    ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--ui-port', String(uiPort)],
    ...['--db-filename', resolve(dbFile), '--namespace', namespace, '--log-level', 'warn', '--ui-disable-news-fetch'],
    // A dev server outlives its own kill -9 without asking the disk for each event; a power cut may cost it its last seconds, the ledger loses nothing.
    // One partition a task queue: a rate is divided among partitions, and one that happens to be empty would waste its part.
    ...['--dynamic-config-value', 'matching.numTaskqueueReadPartitions=1'],
    ...['--dynamic-config-value', 'matching.numTaskqueueWritePartitions=1'],
    // Within a priority a queue serves by weight: the longest chain of a backfill first.
    ...['--dynamic-config-value', 'matching.enableFairness=true'],
    // Of a workflow that is busy the server keeps so many questions until its step is over, and refuses others, which are asked again a second later: one unless told.
    ...['--dynamic-config-value', 'history.MaxBufferedQueryCount=100'],
    ...['--sqlite-pragma', 'journal_mode=WAL', '--sqlite-pragma', 'synchronous=off'],
    ...searchAttributes.flatMap((name) => ['--search-attribute', `${name}=Keyword`]),
  ];
}

/** Without TEMPORAL_*: the CLI would take an address or a profile for itself from them. */
function cleanEnv(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('TEMPORAL_')));
}

/** Throws while the frontend, or the namespace on it, is not up. */
async function answers(address: string, namespace: string): Promise<void> {
  // Imported late: it costs 0.7 s, which passes while the server starts.
  const { Connection } = await import('@temporalio/client');
  const connection = await Connection.connect({ address, connectTimeout: '2s' });
  try {
    const { namespaceInfo } = await connection.workflowService.describeNamespace({ namespace });
    if (namespaceInfo?.name !== namespace) throw new Error(`no namespace ${namespace}`);
  } finally {
    await connection.close();
  }
}
