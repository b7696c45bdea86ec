import { randomUUID } from 'node:crypto';
import { identityOf } from '../../postgres/identity.js';
import type { PgClient } from '../../postgres/pool.js';
import { SLOTS } from './gate.js';
import { keptOfName } from './lease.js';

/**
 * Slots of a database that is only read: advisory locks there, as at the gate. A session that has one says whose it is by a shared lock
 * beside it: several stores may read one source, and what they call their sessions is alike.
 */
const STORE = (store: string): string => `hashtextextended('sluice store ' || ${store}, 0)`;

const identities = new WeakMap<PgClient, Promise<string>>();

/** The database of a connection, asked once. One that may not say it is like no other: nobody ends zombies by its leases. */
function databaseOf(client: PgClient): Promise<string> {
  const known = identities.get(client) ?? identityOf(client).catch(() => randomUUID());
  identities.set(client, known);
  return known;
}

/**
 * Asks for a slot on a database that is only read: its number of slots is known, its control is the warehouse's. Where it is the warehouse by another name,
 * role or address, the turn that was taken there is one of the same slots: a second one is not asked for, which with a single slot would never come.
 * @param turn - the slot that is held on the warehouse; null where it has no limit
 */
export async function askSlot(
  source: PgClient,
  warehouse: PgClient,
  slots: number | null,
  turn: number | null,
): Promise<boolean> {
  if (slots === null) return true;
  if (turn !== null && (await databaseOf(source)) === (await databaseOf(warehouse))) return turn < slots;
  // CASE keeps the order: what was held is given back before anything is taken.
  const { rows } = await source.query<{ slot: number | null }>({
    name: 'sluice_slot',
    text: `SELECT CASE WHEN pg_advisory_unlock_all() IS NOT NULL THEN CASE WHEN pg_try_advisory_lock_shared(${STORE('$3')})
      THEN (SELECT i FROM generate_series(0, $2::int - 1) AS i WHERE pg_try_advisory_lock($1, i) LIMIT 1) END END AS slot`,
    values: [SLOTS, slots, await databaseOf(warehouse)],
  });
  return rows[0]?.slot !== null;
}

/** Sessions of our store that have a slot here. */
const HOLDERS = `
  SELECT a.pid, a.application_name AS name FROM pg_stat_activity a
  WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.application_name ~ '^sluice/[0-9]+/[0-9]+/[0-9]+/'
    AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory' AND l.classid = $1::oid AND l.objsubid = 2)
    AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory' AND l.objsubid = 1
      AND (l.classid::bigint << 32 | l.objid::bigint) = ${STORE('$2')})`;

/** Of these names, those whose attempt has lost its lease. */
const LEASELESS = `
  SELECT n.name FROM unnest($1::text[]) AS n(name)
  WHERE NOT EXISTS (SELECT FROM sluice.leases l WHERE l.epoch = split_part(n.name, '/', 2)::bigint
    AND ${keptOfName(`concat_ws('/', 'sluice', l.epoch, l.slice, l.attempt, l.dataset)`)} = n.name)`;

/**
 * Ends the sessions on a source that keep a slot for nobody: their attempt has lost its lease, because its worker sleeps or was cut off, and its
 * successor can end only what is on the warehouse. Whoever waits for a slot in vain looks for them.
 * @returns how many were ended
 */
export async function endZombies(source: PgClient, warehouse: PgClient): Promise<number> {
  const { rows: holders } = await source.query<{ pid: number; name: string }>(HOLDERS, [
    SLOTS,
    await databaseOf(warehouse),
  ]);
  if (holders.length === 0) return 0;
  const { rows } = await warehouse.query<{ name: string }>(LEASELESS, [holders.map(({ name }) => name)]);
  const names = new Set(rows.map(({ name }) => name));
  const zombies = holders.filter(({ name }) => names.has(name));
  if (zombies.length === 0) return 0;
  // By pid and name: one that has given its slot back meanwhile goes by another.
  const ended = await source.query(
    `SELECT pg_terminate_backend(a.pid) FROM unnest($1::int[], $2::text[]) AS z(pid, name)
     JOIN pg_stat_activity a ON a.pid = z.pid AND a.application_name = z.name`,
    [zombies.map(({ pid }) => pid), zombies.map(({ name }) => name)],
  );
  return ended.rowCount ?? 0;
}
