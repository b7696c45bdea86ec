import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { SystemError } from '../contracts/errors.js';
import { readIfThere } from './files.js';
import { SYSTEM_DIR, type PostgresBinaries } from './postgres-binaries.js';
import { canEnter, type RunAs } from './postgres-user.js';
import { runCommand } from './run-command.js';

/** Superuser of the embedded server, and the name of its first database. */
export const SUPERUSER = 'sluice';

const INITDB_BOUND_MS = 60_000;

/**
 * Makes sure that a database cluster is in a folder; initdb runs once in its life.
 *
 * Where its user cannot reach that folder (root's home is closed to others), the cluster lies under `/var/lib/sluice` and the folder is a
 * link to it.
 *
 * @returns the real path of the cluster.
 * @throws {SystemError} `initdb_failed`
 */
export async function ensureCluster(
  dataDir: string,
  password: string,
  binaries: PostgresBinaries,
  as: RunAs,
): Promise<string> {
  const place = resolve(dataDir);
  if (existsSync(join(place, 'PG_VERSION'))) return realpath(place);
  await mkdir(dirname(place), { recursive: true });
  const reachable = await openFolder(dirname(place), as);
  const home = reachable ? dirname(place) : await makeHome();
  // Made to the side and moved: a cluster that exists is whole, whenever we were killed.
  const draft = await mkdtemp(join(home, 'initdb-'));
  try {
    await initialise(draft, password, binaries, as);
    const real = reachable ? place : join(home, `postgres-${randomBytes(6).toString('hex')}`);
    await rename(draft, real);
    if (!reachable) await link(real, place);
    return real;
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
}

/** Lets the server's user pass through the folder above the cluster, which is ours; not through those above it, which are not. */
async function openFolder(folder: string, as: RunAs): Promise<boolean> {
  if (await canEnter(folder, as)) return true;
  const { mode } = await stat(folder);
  await chmod(folder, mode | 0o011);
  if (await canEnter(folder, as)) return true;
  await chmod(folder, mode);
  return false;
}

async function makeHome(): Promise<string> {
  await mkdir(SYSTEM_DIR, { recursive: true, mode: 0o755 });
  await chmod(SYSTEM_DIR, 0o755);
  await collectTemporary();
  return SYSTEM_DIR;
}

/** Ends with the cluster's name: where the link to it lies. */
const LINK = '.link';

/**
 * Removes clusters whose link lay in the system's temporary folder and is gone: those of tests. Elsewhere a link that is gone may be
 * a project that was moved, and its data must stay.
 */
async function collectTemporary(): Promise<void> {
  for (const name of (await readdir(SYSTEM_DIR)).filter((name) => name.endsWith(LINK))) {
    const note = join(SYSTEM_DIR, name);
    const place = (readIfThere(note) ?? '').trim();
    const cluster = note.slice(0, -LINK.length);
    if (!place.startsWith(`${tmpdir()}/`) || existsSync(place) || existsSync(join(cluster, 'postmaster.pid'))) continue;
    await rm(cluster, { recursive: true, force: true });
    await rm(note, { force: true });
  }
}

/** A link whose target is gone is replaced; anything else in its place is an error. */
async function link(real: string, place: string): Promise<void> {
  if (!existsSync(place)) await rm(place, { force: true });
  await writeFile(`${real}${LINK}`, `${place}\n`);
  await symlink(real, place);
}

async function initialise(folder: string, password: string, binaries: PostgresBinaries, as: RunAs): Promise<void> {
  // initdb takes a password only from a file, and reads it as the server's user.
  const passwordFile = `${folder}.password`;
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  try {
    await own(folder, as);
    await own(passwordFile, as);
    await runCommand(binaries.initdb, argumentsOf(folder, passwordFile, binaries.major), {
      ...as,
      ...QUIET,
      boundMs: INITDB_BOUND_MS,
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new SystemError('initdb_failed', `A PostgreSQL cluster cannot be made in ${folder}: ${why}`);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

const QUIET = { env: { LC_ALL: 'C', TZ: 'UTC' }, cwd: '/' };

/** The same on every machine: PostgreSQL's own C.UTF-8, which came with 17, and nothing of the machine's locale. */
function argumentsOf(folder: string, passwordFile: string, major: number): string[] {
  return [
    ...[`--pgdata=${folder}`, `--username=${SUPERUSER}`, `--pwfile=${passwordFile}`, '--auth=scram-sha-256'],
    ...['--encoding=UTF8', '--locale=C'],
    ...(major < 17 ? [] : ['--locale-provider=builtin', '--builtin-locale=C.UTF-8']),
  ];
}

async function own(path: string, { uid, gid }: RunAs): Promise<void> {
  if (uid !== undefined && gid !== undefined) await chown(path, uid, gid);
}
