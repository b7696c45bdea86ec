import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { readJson, writeAtomically } from './files.js';
import type { ProcessId } from './processes.js';

const processId = z.object({ pid: z.number().int().positive(), born: z.string() });
const processes = z.object({
  temporal: processId.optional(),
  postgres: processId.optional(),
  worker: processId.optional(),
});

/** A process that `dev` starts. */
export type Role = keyof z.infer<typeof processes>;

/**
 * Which processes belong to a data dir, written down as each is started, also while `dev.json` is still to come.
 * Whoever finds `dev` killed ends what it left by this.
 */
export type Processes = { readonly [role in Role]?: ProcessId | undefined };

const FILE = 'processes.json';

export function readProcesses(dataDir: string): Processes {
  const { success, data } = processes.safeParse(readJson(join(dataDir, FILE)));
  return success ? data : {};
}

export function recordProcess(dataDir: string, role: Role, id: ProcessId): void {
  const { pid, born } = id;
  writeAtomically(join(dataDir, FILE), JSON.stringify({ ...readProcesses(dataDir), [role]: { pid, born } }));
}

export function forgetProcesses(dataDir: string): void {
  rmSync(join(dataDir, FILE), { force: true });
}
