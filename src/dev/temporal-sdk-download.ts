import { chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from './run-command.js';
import type { SourceContext } from './source-context.js';

/** It fails within a second where there is no internet; the bound is for a network that swallows packets. */
const BOUND_MS = 20_000;

/**
 * Lets the SDK download its development server, and moves it into the cache.
 *
 * The SDK only downloads when it starts a server, and cannot be stopped midway: hence a process of its own.
 */
export async function downloadBySdk({ env, cached, signal }: SourceContext): Promise<string> {
  await mkdir(dirname(cached), { recursive: true });
  const room = await mkdtemp(`${cached}-sdk-`);
  try {
    const script = fileURLToPath(import.meta.url).replace(/temporal-sdk-download(\.[jt]s)$/, 'sdk-download-main$1');
    await runCommand(process.execPath, [...process.execArgv, script, room], { env, boundMs: BOUND_MS, signal });
    const [file] = await readdir(room);
    if (file === undefined) throw new Error('it left no file');
    await chmod(join(room, file), 0o755);
    await rename(join(room, file), cached);
    return cached;
  } finally {
    await rm(room, { recursive: true, force: true });
  }
}
