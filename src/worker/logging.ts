import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import { pino, type Logger } from 'pino';

/** JSON lines on stderr: stdout belongs to what a command answers. */
export function createLogger(level: string): Logger {
  return pino({ name: 'sluice', level, redact: ['*.url', '*.password', '*.apiKey'] }, pino.destination({ fd: 2, sync: false }));
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
