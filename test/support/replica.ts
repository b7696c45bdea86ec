import { spawnSync } from 'node:child_process';
import { realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { freePorts } from '../../src/dev/ports.js';
import { startPostgres } from '../../src/dev/postgres-server.js';
import type { Stack } from './stack.js';

/** A physical replica of a stack's PostgreSQL, streaming from it. */
export interface Replica {
  /** `postgres://…/<database>` */
  readonly url: (database: string) => string;
  readonly stop: () => Promise<void>;
}

/**
 * Copies the cluster as `pg_basebackup` does, which the embedded PostgreSQL lacks, and starts it as a standby.
 * @param admin - on the primary
 * @param primary - url that it streams from
 */
export async function startReplica(stack: Stack, admin: pg.Client, primary: string): Promise<Replica> {
  const from = realpathSync(join(stack.dir, '.sluice/postgres'));
  const to = `${from}-replica`;
  await admin.query(`SELECT pg_backup_start('replica', true)`);
  // Files come and go while they are copied: what is missing then is in the WAL.
  spawnSync('cp', ['-a', from, to]);
  const { rows } = await admin.query<{ labelfile: string }>('SELECT labelfile FROM pg_backup_stop(false)');
  rmSync(join(to, 'postmaster.pid'), { force: true });
  rmSync(join(to, 'postmaster.opts'), { force: true });
  writeFileSync(join(to, 'backup_label'), rows[0]?.labelfile ?? '');
  writeFileSync(join(to, 'standby.signal'), '');
  writeFileSync(
    join(to, 'postgresql.auto.conf'),
    `primary_conninfo = '${primary}'\nwal_retrieve_retry_interval = '200ms'\n`,
  );
  spawnSync('chown', ['-R', `--reference=${from}`, to]);
  const [port = 0] = await freePorts(1);
  const password = decodeURIComponent(new URL(stack.dev.info().postgresUrl).password);
  const server = await startPostgres({ dataDir: to, port, password, logFile: join(stack.dir, 'replica.log') });
  return {
    url: (database) => `${server.url}/${database}`,
    stop: async () => {
      await server.stop();
      rmSync(to, { recursive: true, force: true });
    },
  };
}
