import { userInfo } from 'node:os';
import { SystemError } from '../contracts/errors.js';
import { runCommand } from './run-command.js';

/** As whom PostgreSQL runs; empty where it is ourselves. */
export interface RunAs {
  readonly uid?: number;
  readonly gid?: number;
}

/** Name of the system user that stands in for root; the usual one, so that one that exists is taken. */
const USER = 'postgres';
const BOUND_MS = 10_000;

/**
 * PostgreSQL refuses to run as root. As root this is the system user `postgres`, made when it is missing.
 *
 * @throws {SystemError} `no_postgres_user` where it is missing and cannot be made.
 */
export async function postgresUser(): Promise<RunAs> {
  if (userInfo().uid !== 0) return {};
  const known = await lookUp();
  if (known !== undefined) return known;
  try {
    await run('groupadd', ['--system', USER]);
    await run('useradd', ['--system', '--gid', USER, '--no-create-home', USER]);
  } catch (error) {
    throw new SystemError(
      'no_postgres_user',
      `PostgreSQL refuses to run as root, and the user ${USER} cannot be made: ${String(error)}`,
      `Make a user called ${USER}, or run sluice as a user other than root.`,
    );
  }
  return (await lookUp()) ?? {};
}

async function lookUp(): Promise<Required<RunAs> | undefined> {
  try {
    return { uid: Number(await run('id', ['-u', USER])), gid: Number(await run('id', ['-g', USER])) };
  } catch {
    return undefined;
  }
}

function run(file: string, args: readonly string[]): Promise<string> {
  return runCommand(file, args, { env: process.env, boundMs: BOUND_MS });
}

/** Whether that user can enter a folder: a home of mode 700 anywhere above it forbids it. */
export async function canEnter(folder: string, as: RunAs): Promise<boolean> {
  if (as.uid === undefined) return true;
  const enter = ['-c', 'cd "$1"', 'sh', folder];
  return runCommand('/bin/sh', enter, { ...as, env: {}, cwd: '/', boundMs: BOUND_MS }).then(
    () => true,
    () => false,
  );
}
