import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import pg from 'pg';
import { pino, type Logger } from 'pino';
import { faultOf } from '../postgres/error.js';

/** JSON lines on stderr: stdout belongs to what a command answers. */
export function createLogger(level: string): Logger {
  const serializers = { err: shownError, error: shownError };
  return pino(
    { name: 'sluice', level, redact: ['*.url', '*.password', '*.apiKey'], serializers },
    pino.destination({ fd: 2, sync: false }),
  );
}

/** An error as a log may hold it. A database's own words and details quote values of data; pino would write all of an error's fields. */
export function shownError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (error instanceof pg.DatabaseError)
    return { type: 'DatabaseError', code: error.code, message: faultOf(error, 'warehouse').message };
  const { name, message, stack, cause } = error;
  return { type: name, message, stack, ...(cause === undefined ? {} : { cause: shownError(cause) }) };
}

let installed = false;

/** Temporal's own log lines go through ours. Once a process: the runtime is one. */
export function quietRuntime(log: Logger): void {
  if (installed) return;
  installed = true;
  Runtime.install({
    logger: new DefaultLogger('WARN', ({ level, message, meta }) => {
      log[level === 'ERROR' ? 'error' : 'warn']({ ...meta }, message);
    }),
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} } },
    shutdownSignals: [],
  });
}
