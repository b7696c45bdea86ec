import { join } from 'node:path';
import { z } from 'zod';
import { readJson, writeAtomically } from './files.js';

const port = z.number().int().min(1).max(65_535);
const kept = z.object({ postgres: port, temporal: port, ui: port });

/** Ports of what `dev` serves: a browser's tab and a client's settings go on after a restart. */
export type Ports = z.infer<typeof kept>;

const FILE = 'ports.json';
const NAMES = { postgres: 'PostgreSQL', temporal: 'Temporal', ui: 'Temporal’s web UI' } as const;

/** Those of the last start on a data dir; none where there was none. */
export function readPorts(dataDir: string): Partial<Ports> {
  const { success, data } = kept.safeParse(readJson(join(dataDir, FILE)));
  return success ? data : {};
}

/** Keeps the ports for the next start, and says which are others than before. */
export function keepPorts(dataDir: string, ports: Ports, log: (line: string) => void): void {
  const before = readPorts(dataDir);
  writeAtomically(join(dataDir, FILE), JSON.stringify(ports));
  for (const name of ['postgres', 'temporal', 'ui'] as const) {
    const was = before[name];
    if (was !== undefined && was !== ports[name])
      log(
        `port ${String(was)} is taken by another process: ${NAMES[name]} has port ${String(ports[name])} from now on`,
      );
  }
}
