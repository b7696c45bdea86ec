import { readdirSync, readlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { readIfThere } from './files.js';
import { commandOf, endProcess, identify, type EndStep, type ProcessId } from './processes.js';

/** SIGINT is PostgreSQL's fast shutdown: sessions are cut, a checkpoint is written. SIGQUIT leaves recovery to the next start. */
export const END_POSTGRES: readonly EndStep[] = [
  { signal: 'SIGINT', waitMs: 20_000 },
  { signal: 'SIGQUIT', waitMs: 5_000 },
];

/**
 * Ends a server that runs on this cluster without us, and the backends that outlive one that was killed: PostgreSQL
 * refuses to start beside them. A `postmaster.pid` that names another process is removed: PostgreSQL refuses to start
 * over a pid that lives, whoever has it by now.
 *
 * @param cluster - real path of the cluster, as it stands in the server's command line.
 */
export async function clearOrphan(cluster: string): Promise<void> {
  const file = join(cluster, 'postmaster.pid');
  const [line] = (readIfThere(file) ?? '').split('\n');
  const pid = Number(line);
  if (!Number.isSafeInteger(pid) || pid <= 0) return;
  const id = identify(pid);
  if (id !== undefined && isServerOf(commandOf(pid), cluster)) await endProcess(id, END_POSTGRES);
  else if (id !== undefined) await rm(file, { force: true });
  await Promise.all(backendsOf(cluster).map((backend) => endProcess(backend, [{ signal: 'SIGQUIT', waitMs: 1_000 }])));
}

function isServerOf(command: string, cluster: string): boolean {
  return basename(command.split(' -D ')[0] ?? '') === 'postgres' && command.includes(` -D ${cluster} `);
}

/**
 * Processes at work in a cluster's folder, where /proc tells: a backend in the middle of a statement does not notice that its server died
 * before the statement ends, which may take hours.
 */
function backendsOf(cluster: string): ProcessId[] {
  return listed('/proc')
    .map(Number)
    .filter((pid) => pid > 1 && linkOf(`/proc/${String(pid)}/cwd`) === cluster && /^postgres: /.test(commandOf(pid)))
    .flatMap((pid) => identify(pid) ?? []);
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
