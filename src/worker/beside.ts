import { setTimeout as sleep } from 'node:timers/promises';
import type { NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';

/** Between two tries: half a second, then twice as long each time, to 15 s. */
const FIRST_MS = 500;
const LAST_MS = 15_000;
/** So long a worker waits for the first try before it begins without it; the SDK itself tries for ten seconds. */
const WAIT_MS = 3_000;

/**
 * Does what a worker does not need to begin: waits for the first try, and goes on trying beside the work where that one failed or is slow. A Temporal
 * server may refuse a thing for minutes (what a killed worker was setting stays half set for so long), and a worker that ended by it left its backfills
 * standing.
 * @param what - one thing: what was being tried under that name is given up for this
 */
export type Beside = (what: string, work: () => Promise<void>, waitMs?: number) => Promise<void>;

export function createBeside(log: Logger, signal: AbortSignal): Beside {
  const current = new Map<string, { readonly over: AbortController; readonly tried: Promise<unknown> }>();
  return async (what, work, waitMs = WAIT_MS) => {
    const before = current.get(what);
    before?.over.abort();
    const over = new AbortController();
    const ended = AbortSignal.any([signal, over.signal]);
    const isOver = (): boolean => ended.aborted;
    let said = '';
    /** Whether there is no more to do. */
    const once = async (): Promise<boolean> => {
      if (isOver()) return true;
      try {
        await work();
        if (said !== '') log.info(`${what}: done now`);
        return true;
      } catch (error) {
        const words = String(error);
        if (!isOver() && words !== said) log.warn({ err: error }, `${what}: not yet; tried again beside the work`);
        said = words;
        return false;
      }
    };
    const again = async (): Promise<void> => {
      let ms = FIRST_MS;
      do {
        await sleep(ms, undefined, { signal: ended }).catch(() => undefined);
        ms = Math.min(LAST_MS, ms * 2);
      } while (!(await once()));
    };
    // After the last try of the one before: of two on their way the later one must win.
    const tried = (before?.tried ?? Promise.resolve()).then(once);
    current.set(what, { over, tried });
    void tried.then((done) => (done ? undefined : again()));
    const begun = new AbortController();
    const late = sleep(waitMs, undefined, { signal: begun.signal }).catch(() => undefined);
    await Promise.race([tried, late]);
    begun.abort();
  };
}

/** Codes of gRPC with which a server says that the request will never do: INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED, UNIMPLEMENTED, UNAUTHENTICATED. */
const FOR_GOOD: ReadonlySet<unknown> = new Set([3, 5, 7, 12, 16]);

/** Whether trying again changes nothing. */
export function isForGood(error: unknown): boolean {
  return error instanceof Error && 'code' in error && FOR_GOOD.has(error.code);
}

/**
 * Waits until the server describes the namespace: every worker of the SDK asks for that as it is made, and one that was refused cannot be made again in this
 * process. Where the server says that there is none, the SDK says it too, in its words.
 */
export async function untilDescribed(
  { workflowService }: NativeConnection,
  namespace: string,
  { log, signal }: { readonly log: Logger; readonly signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    try {
      await workflowService.describeNamespace({ namespace });
      return;
    } catch (error) {
      if (isForGood(error)) return;
      log.warn({ err: error }, `namespace ${namespace}: the server does not describe it yet; tried again`);
      await sleep(FIRST_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}
