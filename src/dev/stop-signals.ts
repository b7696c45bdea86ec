/** Why a process is to end, and how much of a hurry there is. */
export interface StopSignals {
  /** Aborts on the first SIGINT, SIGTERM, SIGHUP or uncaught error; its reason is a `Stop`. */
  readonly signal: AbortSignal;
  /** Aborts on the second: the person will not wait. */
  readonly hurry: AbortSignal;
}

/** The reason of an aborted `StopSignals.signal`. */
export interface Stop {
  readonly by: NodeJS.Signals | 'error';
  /** Present where it was an uncaught error. */
  readonly error?: unknown;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs `body` while signals and uncaught errors are turned into an abort, so that `body` can end in order what it started.
 * They end the process as usual again when it has settled.
 */
export async function withStopSignals<T>(body: (stop: StopSignals) => Promise<T>): Promise<T> {
  const first = new AbortController();
  const second = new AbortController();
  const onSignal = (by: NodeJS.Signals): void => {
    const stop: Stop = { by };
    if (first.signal.aborted) second.abort(stop);
    else first.abort(stop);
  };
  const onError = (error: unknown): void => {
    console.error(error);
    // Never in a hurry: after SIGHUP, say, every line that is printed is an error.
    const stop: Stop = { by: 'error', error };
    first.abort(stop);
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  process.on('uncaughtException', onError);
  try {
    return await body({ signal: first.signal, hurry: second.signal });
  } finally {
    for (const name of SIGNALS) process.off(name, onSignal);
    process.off('uncaughtException', onError);
  }
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
