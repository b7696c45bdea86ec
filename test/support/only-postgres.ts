import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../src/dev/ports.js';
import { ensureDatabase, startPostgres } from '../../src/dev/postgres-server.js';

/** A PostgreSQL of a test's own, where Temporal has no part. */
export interface OnlyPostgres {
  /** `postgres://…/<database>`; the database is made when it is missing. */
  readonly url: (database: string) => Promise<string>;
  readonly stop: () => Promise<void>;
}

/** Starts a server: about 2 s. @param another - folder of a package of another major than the rest of the tests have */
export async function startPostgresOnly(another?: string): Promise<OnlyPostgres> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-pg-'));
  chmodSync(folder, 0o755);
  const [port = 0] = await freePorts(1);
  const server = await startPostgres({
    dataDir: join(folder, 'postgres'),
    port,
    password: 'test',
    logFile: join(folder, 'log'),
    ...(another ? { package: another } : {}),
  });
  return {
    url: async (database) => {
      await ensureDatabase(server.url, database);
      return `${server.url}/${database}`;
    },
    stop: async () => {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
