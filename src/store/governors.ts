import type { Reading, Verdict } from '../core/throttle/types.js';
import { rowsOf, type Db } from './store.js';

/** The right to write a database's limit. */
export interface Seat {
  readonly database: string;
  /** Counts up: a governor with an older one is over, whatever it believes. */
  readonly epoch: number;
}

/** What is said anew within a second need not wait for the disk, nor make others wait. */
const NO_FSYNC = `set_config('synchronous_commit', 'off', true)`;

/** A governor that has not been heard of for this long is gone. */
const GONE = `interval '5 s'`;

/**
 * Takes the seat of a database's governor: where nobody has it, or it is this holder's own (an attempt before this one), or its holder is gone.
 * @returns null where somebody else governs
 */
export async function claimSeat(db: Db, database: string, holder: string): Promise<Seat | null> {
  const [row] = await rowsOf<{ epoch: string }>(
    db,
    `INSERT INTO sluice.governors AS g (database, epoch, holder, slots, cause, reason)
     VALUES (?, 1, ?, 0, 'unknown', 'the governor begins')
     ON CONFLICT (database) DO UPDATE SET epoch = g.epoch + 1, holder = excluded.holder, alive_at = clock_timestamp()
       WHERE g.holder = excluded.holder OR g.alive_at < clock_timestamp() - ${GONE}
     RETURNING epoch`,
    [database, holder],
  );
  return row ? { database, epoch: Number(row.epoch) } : null;
}

/** What a governor that begins goes on with. */
export async function lawOf(db: Db, database: string): Promise<unknown> {
  const [row] = await rowsOf<{ law: unknown }>(db, 'SELECT law FROM sluice.governors WHERE database = ?', [database]);
  return row?.law ?? null;
}

/** Says that the governor lives, and asks whether there is anything to govern. `seated`: it is still this one's to say. */
export async function beat(db: Db, { database, epoch }: Seat): Promise<{ seated: boolean; busy: boolean }> {
  const [row] = await rowsOf<{ seated: boolean; busy: boolean }>(
    db,
    `WITH mine AS (UPDATE sluice.governors SET alive_at = clock_timestamp() WHERE database = ? AND epoch = ? RETURNING 1)
     SELECT EXISTS (SELECT FROM mine) AS seated, EXISTS (SELECT FROM sluice.reservations) AS busy, ${NO_FSYNC}`,
    [database, epoch],
  );
  return row ?? { seated: false, busy: false };
}

/** What a tick came to. */
export interface Tick {
  readonly verdict: Omit<Verdict, 'cancel'>;
  readonly rate: number | null;
  readonly readings: Readonly<Record<string, Reading>>;
  readonly law: unknown;
}

/** A line of the history at least this often. */
const HISTORY_EVERY = `interval '1 minute'`;
const HISTORY_KEPT = `interval '30 days'`;

/**
 * Puts a verdict into force, and into the history where it differs from the one before or a minute has passed.
 * @returns false where the seat is another's
 */
export async function writeTick(db: Db, { database, epoch }: Seat, tick: Tick): Promise<boolean> {
  const { verdict, rate, readings, law } = tick;
  const { slots, cause, reading, reason } = verdict;
  const rows = await rowsOf<{ database: string }>(
    db,
    `WITH before AS (SELECT slots, cause FROM sluice.governors WHERE database = :database)
     , told AS (UPDATE sluice.governors g SET slots = :slots, rate = :rate, cause = :cause, reading = :reading, reason = :reason,
         readings = :readings, law = :law, alive_at = clock_timestamp(), sensed_at = clock_timestamp(),
         since = CASE WHEN g.slots = :slots AND g.cause = :cause THEN g.since ELSE clock_timestamp() END
       WHERE g.database = :database AND g.epoch = :epoch RETURNING g.database)
     , kept AS (INSERT INTO sluice.limit_history (database, slots, rate, cause, reading, reason)
       SELECT told.database, :slots, :rate, :cause, :reading, :reason FROM told CROSS JOIN before
       WHERE (before.slots, before.cause) IS DISTINCT FROM (:slots::int, :cause::text) OR NOT EXISTS (
         SELECT FROM sluice.limit_history h WHERE h.database = :database AND h.at > clock_timestamp() - ${HISTORY_EVERY}))
     SELECT database, ${NO_FSYNC} FROM told`,
    {
      database,
      epoch,
      slots,
      rate,
      cause,
      reading,
      reason,
      readings: JSON.stringify(readings),
      law: JSON.stringify(law),
    },
  );
  return rows.length > 0;
}

/** Everything has an end: what is older than a month goes. */
export async function trimHistory(db: Db, database: string): Promise<void> {
  await db.raw(`DELETE FROM sluice.limit_history WHERE database = ? AND at < clock_timestamp() - ${HISTORY_KEPT}`, [
    database,
  ]);
}

/** Queues of slices that are written to a governed database. */
export async function queuesOf(db: Db, database: string): Promise<string[]> {
  const rows = await rowsOf<{ queue: string }>(
    db,
    'SELECT DISTINCT queue FROM sluice.limits WHERE database = ? AND governed AND queue IS NOT NULL ORDER BY 1',
    [database],
  );
  return rows.map(({ queue }) => queue);
}
