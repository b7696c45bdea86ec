import { runningDev } from './dev-lock.js';
import { endRecorded } from './leftovers.js';
import { endProcess, type EndStep } from './processes.js';
import type { Role } from './process-file.js';

/** It ends three processes in order; their own bounds sum up to 55 s. */
const END_DEV: readonly EndStep[] = [{ signal: 'SIGTERM', waitMs: 60_000 }];

/**
 * `sluice dev --stop`: ends the `dev` of a data dir, and what one that was killed left running.
 * Only processes that were recorded there are touched, told apart from others with the same pid by their start time.
 *
 * @returns which of them ran; empty where nothing did.
 */
export async function stopDev(dataDir: string): Promise<('dev' | Role)[]> {
  const dev = runningDev(dataDir);
  if (dev !== undefined) await endProcess(dev, END_DEV);
  const left = await endRecorded(dataDir);
  return dev === undefined ? left : ['dev', ...left];
}
