import { isGrpcCancelledError } from '@temporalio/client';

/**
 * Asks again, once, what the server broke off, and what nobody has answered for `afterMs`: a question that a worker was given as it ended. The first answer
 * counts, or the first failure. The other question is told that it is over: left to itself, the SDK (1.24) tries it again on a connection
 * that is closed by then, which ends the process.
 */
export async function askAgain<T>(ask: (over: AbortSignal) => Promise<T>, afterMs: number): Promise<T> {
  const over = new AbortController();
  const insist = (): Promise<T> =>
    ask(over.signal).catch((error: unknown) => {
      if (!isGrpcCancelledError(error) || over.signal.aborted) throw error;
      return ask(over.signal);
    });
  let timer: NodeJS.Timeout | undefined;
  const again = new Promise<T>((answer, fail) => {
    timer = setTimeout(() => void insist().then(answer, fail), afterMs);
  });
  return Promise.race([insist(), again]).finally(() => {
    clearTimeout(timer);
    over.abort();
  });
}
