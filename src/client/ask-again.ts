/**
 * Asks once more when nobody has answered for `afterMs`; the first answer counts, or the first failure. The other question is
 * told that it is over: left to itself, the SDK (1.24) tries it again on a connection that is closed by then, which ends the process.
 */
export async function askAgain<T>(ask: (over: AbortSignal) => Promise<T>, afterMs: number): Promise<T> {
  const over = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const again = new Promise<T>((answer, fail) => {
    timer = setTimeout(() => void ask(over.signal).then(answer, fail), afterMs);
  });
  return Promise.race([ask(over.signal), again]).finally(() => {
    clearTimeout(timer);
    over.abort();
  });
}
