import { SystemError } from '../contracts/errors.js';
import { startDev, type Dev, type DevOptions } from './dev.js';
import { aborted, withStopSignals, type Stop, type StopSignals } from './stop-signals.js';

export interface RunOptions extends Omit<DevOptions, 'signal'> {
  /** All serve. */
  readonly onServing: (dev: Dev) => void;
}

/**
 * `sluice dev` in the foreground: serves until a signal, then ends all it started. A second Ctrl-C ends it by force.
 *
 * @returns the exit code: 0 after a signal, which is how it is meant to end; 1 after an uncaught error.
 * @throws what `startDev` throws; {SystemError} `dev_failed` when a server ended by itself. All is ended before.
 */
export async function runDev(options: RunOptions): Promise<0 | 1> {
  return withStopSignals(async (stop) => {
    try {
      await serveUntil(options, stop);
    } catch (error) {
      if (error !== stop.signal.reason) throw error;
    }
    return isFault(stop.signal.reason) ? 1 : 0;
  });
}

async function serveUntil({ onServing, ...options }: RunOptions, { signal, hurry }: StopSignals): Promise<void> {
  const dev = await startDev({ ...options, signal });
  try {
    if (!signal.aborted) onServing(dev);
    const failure = await Promise.race([aborted(signal), dev.failed]);
    if (typeof failure === 'string') throw new SystemError('dev_failed', failure, 'Start it again: sluice dev');
  } finally {
    options.log('ending worker, Temporal and PostgreSQL');
    await dev.stop(hurry);
  }
}

function isFault(reason: unknown): boolean {
  return (reason as Stop | undefined)?.by === 'error';
}
