import { DefaultLogger, makeTelemetryFilterString, Runtime, type MetricsExporterConfig } from '@temporalio/worker';
import pg from 'pg';
import { pino, type Logger } from 'pino';
import { BUCKETS } from '../../activities/index.js';
import { SystemError } from '../contracts/errors.js';
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

/** A process has a worker for each kind of task, on queues of their own: the SDK takes what each of them lacks for a mistake. */
const EXPECTED = /^No (activities|workflows) registered, not polling for /;

let installed = false;

/**
 * Sets up the SDK's runtime, once a process: its log lines go through ours, and with a port its metrics and ours are served there.
 *
 * @throws SystemError metrics_port where that port cannot be had
 */
export function installRuntime(log: Logger, metricsPort: number | undefined): void {
  if (installed) return;
  const metrics = metricsPort === undefined ? {} : { metrics: exporter(metricsPort) };
  try {
    Runtime.install({
      logger: new DefaultLogger('WARN', ({ level, message, meta }) => {
        if (!EXPECTED.test(message)) log[level === 'ERROR' ? 'error' : 'warn']({ ...meta }, message);
      }),
      telemetryOptions: {
        logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} },
        ...metrics,
      },
      shutdownSignals: [],
    });
  } catch (error) {
    if (metricsPort === undefined) throw error;
    throw new SystemError(
      'metrics_port',
      `metrics cannot be served on port ${metricsPort}`,
      'another process may have it: give each worker of a machine its own --metrics-port',
      { cause: error },
    );
  }
  installed = true;
}

/** Names as Prometheus wants them: `_total`, seconds, the unit in the name. */
function exporter(port: number): MetricsExporterConfig {
  return {
    attachServiceName: false,
    prometheus: {
      bindAddress: `0.0.0.0:${port}`,
      countersTotalSuffix: true,
      unitSuffix: true,
      useSecondsForDurations: true,
      histogramBucketOverrides: { ...BUCKETS },
    },
  };
}
