import { removeDevFile } from './dev-file.js';
import { END_POSTGRES } from './postgres-orphan.js';
import { forgetProcesses, readProcesses, type Role } from './process-file.js';
import { endProcess, isRunning, type EndStep } from './processes.js';
import { END_TEMPORAL } from './temporal-server.js';

/** A worker first finishes the batches it has begun (2 s each at most, but a database may be slow). */
export const END_WORKER: readonly EndStep[] = [{ signal: 'SIGTERM', waitMs: 20_000 }];

/** Whoever needs the others goes first. */
const ORDER: readonly (readonly [Role, readonly EndStep[]])[] = [
  ['worker', END_WORKER],
  ['temporal', END_TEMPORAL],
  ['postgres', END_POSTGRES],
];

/**
 * Ends all recorded processes of a data dir that still run, whoever started them, in order, and removes what says that they do.
 *
 * @param hurry - when it aborts, by SIGKILL.
 * @returns which of them ran.
 */
export async function endRecorded(dataDir: string, hurry?: AbortSignal): Promise<Role[]> {
  removeDevFile(dataDir);
  const recorded = readProcesses(dataDir);
  const ended: Role[] = [];
  for (const [role, steps] of ORDER) {
    const id = recorded[role];
    if (id === undefined || !isRunning(id)) continue;
    await endProcess(id, steps, hurry);
    ended.push(role);
  }
  forgetProcesses(dataDir);
  return ended;
}
