import { resolve } from 'node:path';
import { RequestError, SluiceError, SystemError } from '../contracts/errors.js';
import { isUnanswered } from '../core/fault.js';
import type { BackfillClient } from '../client/index.js';
import type { BackfillStatus } from '../contracts/status.js';
import { errorFacts, faultOf, isRefusedStatement, systemError } from '../postgres/error.js';
import { scopeOf } from '../project/project.js';
import { findBackfill } from '../store/backfills.js';
import { openProject, type Opened } from '../worker/open.js';
import { startTracing } from '../worker/tracing.js';
import type { Io } from './io.js';
import type { CommonOptions } from './options.js';
import { timesOf } from './render/times.js';

/** A project as a verb works with it. */
export interface Session {
  readonly opened: Opened;
  /** Loaded when first asked for: 0.7 s. */
  readonly client: () => Promise<BackfillClient>;
  /** The whole workflow id of what a person calls by its id. */
  readonly workflowId: (id: string) => string;
  /** Of one that has ended, as the warehouse keeps it; else from its workflow. */
  readonly status: (id: string) => Promise<BackfillStatus>;
}

/** Opens the project of a verb, and closes what was opened when it is done. */
export async function withProject<T>(
  io: Io,
  options: CommonOptions,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const opened = await openProject({
    projectDir: resolve(io.cwd(), options.project),
    environment: options.env,
    env: io.env,
    ...(options.dataDir === undefined ? {} : { dataDir: options.dataDir }),
  });
  io.showTimes(timesOf(opened.project()));
  let connected: Promise<Connected> | undefined;
  const connectOnce = (): Promise<Connected> => (connected ??= connect(opened, io.env));
  const client = async (): Promise<BackfillClient> => (await connectOnce()).client;
  const workflowId = (id: string): string => (id.includes('/') ? id : `backfill/${scopeOf(opened.project())}/${id}`);
  const unanswered = new Map<string, Promise<BackfillStatus>>();
  try {
    return await work({
      opened,
      client,
      workflowId,
      status: joined(unanswered, async (id) => {
        const db = await opened.db();
        const row = (await findBackfill(db, workflowId(id))) ?? (await findBackfill(db, id));
        // One that has just ended may still be on its way here.
        if (row?.status && row.status.leftOut === undefined) return row.status;
        return (await client()).status(id);
      }),
    });
  } catch (error) {
    throw databaseError(error, opened.project().warehouse);
  } finally {
    const closed = Promise.allSettled(unanswered.values())
      .then(() => connected?.catch(() => undefined))
      .then((made) => made?.close());
    // A question that was given up may be tried again by the SDK, which ends the process if its connection is closed by then. Nobody waits for that.
    if (unanswered.size === 0) await closed;
    else closed.catch(() => undefined);
    await opened.close();
  }
}

/**
 * Whoever asks for what is being asked for waits with the first: the server keeps a single query of a workflow that is busy and refuses the others, so that one who
 * asks again before he is answered is never answered.
 */
function joined<T>(open: Map<string, Promise<T>>, ask: (id: string) => Promise<T>): (id: string) => Promise<T> {
  return (id) => {
    const before = open.get(id);
    if (before) return before;
    const mine = ask(id).finally(() => open.delete(id));
    open.set(id, mine);
    return mine;
  };
}

/** What the store's database refused or broke off is the system's, unless the statement itself, which is ours, was at fault. */
function databaseError(error: unknown, warehouse: string): unknown {
  // What has a path is a file's, whose codes sockets have as well.
  if (!(error instanceof Error) || error instanceof SluiceError || 'path' in error) return error;
  const { sqlstate } = errorFacts(error);
  const ofDatabase = sqlstate === undefined ? isUnanswered(faultOf(error, 'warehouse')) : !isRefusedStatement(sqlstate);
  return ofDatabase ? systemError(error, warehouse) : error;
}

interface Connected {
  readonly client: BackfillClient;
  readonly close: () => Promise<void>;
}

async function connect(opened: Opened, env: NodeJS.ProcessEnv): Promise<Connected> {
  const { BackfillClient } = await import('../client/index.js');
  const { name, environment } = opened.project();
  const { address, namespace, apiKey, tls } = opened.temporal();
  const tracing = await startTracing(env, 'sluice');
  try {
    const client = await BackfillClient.connect({
      address,
      namespace,
      plugins: tracing?.plugins ?? [],
      project: name,
      environment,
      connectTimeout: '5s',
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(tls === undefined ? {} : { tls }),
    });
    return {
      client,
      close: async () => {
        await client.close();
        await tracing?.close();
      },
    };
  } catch (error) {
    await tracing?.close();
    throw new SystemError(
      'temporal_unreachable',
      `no Temporal server answers at ${address}`,
      'start one with `sluice dev`, or correct TEMPORAL_ADDRESS',
      { cause: error },
    );
  }
}

/** Runs a call of the client; what it refuses is the request's fault. */
export async function asked<T>(call: () => Promise<T>): Promise<T> {
  const { BackfillIdTakenError, BackfillNotFoundError, BackfillSystemError, MessageRefusedError, RequestRefusedError } =
    await import('../client/index.js');
  try {
    return await call();
  } catch (error) {
    if (error instanceof BackfillNotFoundError)
      throw new RequestError('unknown_backfill', error.message, '`sluice list` shows them', { cause: error });
    if (error instanceof BackfillIdTakenError)
      throw new RequestError('id_taken', error.message, 'leave out --id, or choose another', { cause: error });
    if (error instanceof MessageRefusedError)
      throw new RequestError('message_refused', error.message, undefined, { cause: error });
    if (error instanceof RequestRefusedError)
      throw new RequestError(error.code, error.message, error.remedy, { cause: error });
    if (error instanceof BackfillSystemError)
      throw new SystemError(error.code, error.message, error.remedy, { cause: error });
    // By name: their classes are Temporal's, which only a client that is connected has loaded.
    if (error instanceof Error && /^(NamespaceNotFoundError|ServiceError)$/.test(error.name)) {
      if (isNobody(error)) throw noWorker('no worker answers', error);
      const why = error.cause instanceof Error ? `: ${error.cause.message}` : '';
      throw new SystemError(
        'temporal_refused',
        `Temporal: ${error.message}${why}`,
        'is it up, and do TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and its key fit together?',
        { cause: error },
      );
    }
    throw error;
  }
}

/** No worker polls the workflow queue, or none of them gets an answer through: the query waits in vain. */
export function isNobody(error: unknown): boolean {
  // A server that is not there is another matter.
  if (error instanceof SluiceError) return false;
  const text = error instanceof Error ? `${error.message} ${String(error.cause)}` : String(error);
  return /no poller|DEADLINE_EXCEEDED|deadline exceeded|FAILED_PRECONDITION|Timeout expired|Unexpected error.*query/i.test(
    text,
  );
}

export function noWorker(message: string, cause?: unknown, start = 'sluice worker'): SystemError {
  return new SystemError('no_worker', message, `start one: \`${start}\`; one that is busy answers later`, { cause });
}
