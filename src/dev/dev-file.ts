import { resolve, join } from 'node:path';
import { rmSync } from 'node:fs';
import { z } from 'zod';
import { readJson, writeAtomically } from './files.js';
import { identify } from './processes.js';
import { readProcesses } from './process-file.js';

const pid = z.number().int().positive();

const devInfo = z.object({
  /** `host:port`, gRPC. */
  temporalAddress: z.string(),
  temporalUiUrl: z.string(),
  /** With the password, without a database: append `/<name>`. */
  postgresUrl: z.string(),
  pids: z.object({
    /** `sluice dev` itself. */
    dev: pid,
    temporal: pid,
    postgres: pid,
    /** Null with `--no-worker`. */
    worker: pid.nullable(),
  }),
});

/** What `sluice dev` serves: the contents of `dev.json`. */
export type DevInfo = z.infer<typeof devInfo>;

const FILE = 'dev.json';

/** Writes `dev.json`, readable by its owner only: it holds the password. */
export function writeDevFile(dataDir: string, info: DevInfo): void {
  writeAtomically(join(dataDir, FILE), `${JSON.stringify(info, null, 2)}\n`);
}

export function removeDevFile(dataDir: string): void {
  rmSync(join(dataDir, FILE), { force: true });
}

/** What is served from a data dir; `undefined` where nothing is, or one of the two servers has died. */
export function readDevFile(dataDir: string): DevInfo | undefined {
  const { success, data } = devInfo.safeParse(readJson(join(dataDir, FILE)));
  if (!success) return undefined;
  const recorded = readProcesses(dataDir);
  const serves = (['temporal', 'postgres'] as const).every((role) => {
    const born = recorded[role]?.pid === data.pids[role] ? recorded[role].born : undefined;
    return born !== undefined && identify(data.pids[role])?.born === born;
  });
  return serves ? data : undefined;
}

export interface DevPlace {
  /** `--data-dir` */
  readonly dataDir?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly projectDir: string;
}

/** Absolute path of the data dir: `--data-dir`, then `SLUICE_DATA_DIR`, then `.sluice` in the project. The first given decides. */
export function dataDirOf({ dataDir, env, projectDir }: DevPlace): string {
  return resolve(dataDir ?? (env['SLUICE_DATA_DIR'] || join(projectDir, '.sluice')));
}

/** What a running `sluice dev` serves for this project; `undefined` where none runs. */
export function findDev(place: DevPlace): DevInfo | undefined {
  return readDevFile(dataDirOf(place));
}
