import type { Cause, Reading } from '../core/throttle/types.js';
import { rowsOf, type Db, type Scope } from './store.js';

/** What stands for a connection: the gate's numbers, and where they come from. */
export interface StandingRow {
  readonly connection: string;
  readonly database: string | null;
  readonly governed: boolean;
  readonly silent: boolean;
  readonly slots: number | null;
  readonly rate: number | null;
  /** The budget's. */
  readonly budget: number | null;
  readonly cause: Cause | null;
  readonly reading: string | null;
  readonly reason: string | null;
  readonly since: Date | null;
  readonly sensed_at: Date | null;
  readonly sensed_ms: number | null;
  readonly readings: Readonly<Record<string, Reading>> | null;
  readonly ordered: number | null;
  readonly actor: string | null;
  readonly order_reason: string | null;
  readonly order_since: Date | null;
}

export async function standingOf(db: Db, { project, environment }: Scope): Promise<StandingRow[]> {
  return rowsOf<StandingRow>(
    db,
    `SELECT f.connection, f.database, f.governed, f.silent, f.slots, f.rate, l.slots AS budget,
       g.cause, g.reading, g.reason, g.since, nullif(g.sensed_at, '-infinity') AS sensed_at, g.readings,
       extract(epoch FROM clock_timestamp() - nullif(g.sensed_at, '-infinity'))::float8 * 1000 AS sensed_ms,
       o.slots AS ordered, o.actor, o.reason AS order_reason, o.since AS order_since
     FROM sluice.in_force f JOIN sluice.limits l USING (project, environment, connection)
     LEFT JOIN sluice.governors g ON g.database = f.database AND f.governed
     LEFT JOIN sluice.orders o ON o.database = f.database
     WHERE f.project = ? AND f.environment = ? ORDER BY f.connection`,
    [project, environment],
  );
}

/** Whether any backfill is open: where none is, nothing is sensed. */
export async function isBusy(db: Db): Promise<boolean> {
  const [row] = await rowsOf<{ busy: boolean }>(db, 'SELECT EXISTS (SELECT FROM sluice.reservations) AS busy');
  return row?.busy === true;
}

/** Names of open backfills, by epoch. */
export async function namesOfEpochs(db: Db, epochs: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const rows = await rowsOf<{ epoch: string; id: string }>(
    db,
    'SELECT epoch::text AS epoch, backfill_id AS id FROM sluice.reservations WHERE epoch = ANY (?::bigint[])',
    [[...epochs]],
  );
  return new Map(rows.map(({ epoch, id }) => [epoch, id]));
}

/** A line of the history of a database's limit. */
export interface HistoryRow {
  readonly at: Date;
  readonly slots: number;
  readonly rate: number | null;
  readonly cause: string;
  readonly reading: string | null;
  readonly reason: string;
}

export async function limitHistory(db: Db, database: string, lastMs: number): Promise<HistoryRow[]> {
  return rowsOf<HistoryRow>(
    db,
    `SELECT at, slots, rate, cause, reading, reason FROM sluice.limit_history
     WHERE database = ? AND at >= clock_timestamp() - make_interval(secs => ?) ORDER BY at, id`,
    [database, lastMs / 1000],
  );
}
