import { execFileSync } from 'node:child_process';
import { appendFileSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { postgresUser } from '../../src/dev/postgres-user.js';

/** A small disk of its own, of memory, that holds one database. */
export interface Disk {
  /** Writes it full. */
  readonly fill: () => void;
  readonly free: () => void;
  readonly unmount: () => void;
}

const SIZE = '96m';

/** Makes a database on a disk of its own; undefined where this process may not mount one: then no disk is ever full. */
export async function mountDisk(postgresUrl: string, database: string): Promise<Disk | undefined> {
  const root = mkdtempSync(join(tmpdir(), 'sluice-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE},mode=755`, 'sluice-disk', root], { stdio: 'ignore' });
  } catch {
    rmSync(root, { recursive: true, force: true });
    return undefined;
  }
  const [data, filler] = [join(root, 'data'), join(root, 'filler')];
  mkdirSync(data, { mode: 0o700 });
  const { uid, gid } = await postgresUser();
  if (uid !== undefined && gid !== undefined) chownSync(data, uid, gid);
  const client = new pg.Client({ connectionString: `${postgresUrl}/postgres` });
  client.on('error', () => undefined);
  await client.connect();
  await client.query(`CREATE TABLESPACE ${database} LOCATION '${data}'`);
  await client.query(`CREATE DATABASE ${database} TABLESPACE ${database}`);
  await client.end();
  const free = (): void => {
    rmSync(filler, { force: true });
  };
  return {
    fill: () => {
      for (const size of [1 << 20, 1 << 12]) {
        try {
          for (;;) appendFileSync(filler, Buffer.alloc(size));
        } catch {
          // Full, for pieces of this size.
        }
      }
    },
    free,
    unmount: () => {
      execFileSync('umount', ['-l', root]);
      rmSync(root, { recursive: true, force: true });
    },
  };
}
