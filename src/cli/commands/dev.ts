import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { dataDirOf, type DevInfo } from '../../dev/dev-file.js';
import { print, type Io } from '../io.js';
import { addCommon, type CommonOptions } from '../options.js';
import type { Verb } from '../verb.js';

interface Options extends CommonOptions {
  readonly detach: boolean;
  readonly stop: boolean;
  readonly worker: boolean;
}

/** `sluice dev`: Temporal, PostgreSQL and a worker on free ports, until Ctrl-C. */
export const dev: Verb = {
  make: (io, exit) =>
    addCommon(new Command('dev').description('serve Temporal, PostgreSQL and a worker that reloads on save'))
      .option('--detach', 'serve in the background, and return when all serve', false)
      .option('--stop', 'end what serves in the data dir', false)
      .option('--no-worker', 'without a worker')
      .action(async (options: Options) => {
        const projectDir = resolve(io.cwd(), options.project);
        const dataDir = dataDirOf({ dataDir: options.dataDir, env: io.env, projectDir });
        if (options.stop) await stop(io, dataDir, options.json);
        else if (options.detach) await detach(io, dataDir, options);
        else exit(await serve(io, dataDir, options));
      }),
};

async function stop(io: Io, dataDir: string, json: boolean): Promise<void> {
  const { stopDev } = await import('../../dev/stop-dev.js');
  const ended = await stopDev(dataDir);
  print(io, json, { ended }, () => [
    ended.length === 0 ? `nothing was served from ${dataDir}` : `ended ${ended.join(', ')}`,
  ]);
}

async function detach(io: Io, dataDir: string, options: Options): Promise<void> {
  const { detachDev } = await import('../../dev/detach-dev.js');
  const entry = process.argv[1] ?? '';
  const nodeArgs = [
    ...process.execArgv,
    entry,
    'dev',
    '--data-dir',
    dataDir,
    '-p',
    resolve(io.cwd(), options.project),
    '-e',
    options.env,
    ...(options.worker ? [] : ['--no-worker']),
  ];
  const info = await detachDev({ dataDir, nodeArgs, env: io.env, signal: io.interruptible() });
  print(io, options.json, info, () => [...servingLines(info), 'end it with: sluice dev --stop']);
}

async function serve(io: Io, dataDir: string, options: Options): Promise<number> {
  const { runDev } = await import('../../dev/run-dev.js');
  return runDev({
    dataDir,
    env: io.env,
    log: (line) => {
      io.err(`${line}\n`);
    },
    startWorker: options.worker
      ? (info) =>
          spawn(
            process.execPath,
            [
              ...process.execArgv,
              process.argv[1] ?? '',
              'worker',
              '--watch',
              '-p',
              resolve(io.cwd(), options.project),
              '-e',
              options.env,
              '--data-dir',
              dataDir,
            ],
            {
              // dev.json is written when all serve, the worker too: until then it learns from here where the servers are.
              env: {
                ...withoutTemporal(io.env),
                TEMPORAL_ADDRESS: info.temporalAddress,
                SLUICE_EMBEDDED_URL: info.postgresUrl,
              },
              stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
              detached: true,
            },
          )
      : null,
    onServing: (running) => {
      print(io, options.json, running.info(), () => servingLines(running.info()));
    },
  });
}

/** `dev` serves a Temporal of its own: settings for another one mean nothing to its worker. */
function withoutTemporal(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('TEMPORAL_')));
}

function servingLines(info: DevInfo): string[] {
  return [
    `Temporal    ${info.temporalAddress}`,
    `web UI      ${info.temporalUiUrl}`,
    `PostgreSQL  ${info.postgresUrl.replace(/:[^:@/]*@/, ':…@')}`,
    `worker      ${info.pids.worker === null ? 'none' : `pid ${info.pids.worker}`}`,
  ];
}
