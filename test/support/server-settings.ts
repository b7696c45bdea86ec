import type pg from 'pg';
import { restartsOf } from './restarts.js';
import type { Stack } from './stack.js';

/** Settings of a server, which it takes without a restart. */
export async function setServer(admin: pg.Client, settings: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, value] of Object.entries(settings)) await admin.query(`ALTER SYSTEM SET ${name} = '${value}'`);
  await admin.query('SELECT pg_reload_conf()');
}

/** Starts a stack's PostgreSQL again with an archive, and with checkpoints only where they are asked for. Returns a session of its warehouse. */
export async function restartWithArchive(stack: Stack): Promise<pg.Client> {
  await setServer(await stack.connect('warehouse'), { archive_mode: 'on', archive_command: 'true' });
  await restartsOf(stack).restartPostgres('SIGQUIT');
  const admin = await stack.connect('warehouse');
  await setServer(admin, { checkpoint_timeout: '1h', max_wal_size: '8GB' });
  return admin;
}

/** Writes so many segments of WAL, with nearly nothing in them. */
export async function writeSegments(admin: pg.Client, count: number): Promise<void> {
  for (let segment = 0; segment < count; segment++)
    await admin.query(`SELECT pg_logical_emit_message(false, 'x', 'x'); SELECT pg_switch_wal()`);
}
