import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { RequestError } from '../../contracts/errors.js';
import { addCommon, type CommonOptions } from '../options.js';
import type { Verb } from '../verb.js';

interface Options extends CommonOptions {
  readonly concurrency?: string;
  readonly watch: boolean;
  readonly logLevel: string;
  readonly metricsPort?: string;
  readonly deployment?: string;
}

/** `sluice worker`: runs until SIGTERM or Ctrl-C, then drains. */
export const worker: Verb = {
  make: (io) =>
    addCommon(new Command('worker').description('run a worker for the project; SIGTERM drains it'))
      .option('--concurrency <n>', 'slices at work at once in this process')
      .addOption(
        new Option('--metrics-port <n>', 'serve metrics for Prometheus at this port, /metrics').env(
          'SLUICE_METRICS_PORT',
        ),
      )
      .addOption(
        new Option('--deployment <name>', 'worker versioning: a backfill ends on the build that it began on').env(
          'SLUICE_DEPLOYMENT',
        ),
      )
      .option('--watch', 'reload the project when a file of it changes', false)
      .option('--log-level <level>', 'trace, debug, info, warn or error', 'info')
      .action(async (options: Options) => {
        const { runWorker } = await import('../../worker/run.js');
        const { createLogger } = await import('../../worker/logging.js');
        const draining = new AbortController();
        for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => draining.abort());
        await runWorker({
          projectDir: resolve(io.cwd(), options.project),
          environment: options.env,
          dataDir: options.dataDir,
          env: io.env,
          concurrency: wholeOf('--concurrency', options.concurrency, 1_000),
          metricsPort: wholeOf('--metrics-port', options.metricsPort || undefined, 65_535),
          deployment: options.deployment,
          watch: options.watch,
          log: createLogger(options.logLevel),
          signal: draining.signal,
          onReady: () => process.send?.('ready'),
        });
      }),
};

function wholeOf(name: string, text: string | undefined, max: number): number | undefined {
  if (text === undefined) return undefined;
  const number = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
  if (number >= 1 && number <= max) return number;
  throw new RequestError(
    'bad_option',
    `${name} ${JSON.stringify(text)} is not possible`,
    `Write a whole number from 1 to ${max}.`,
  );
}
