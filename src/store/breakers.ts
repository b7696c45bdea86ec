import { CLOSED, isClean, type Breaker } from '../core/throttle/breaker.js';
import { rowsOf, type Db, type Scope } from './store.js';

/** What a breaker says, and what time it is where it is kept. */
export interface Told {
  readonly breaker: Breaker;
  readonly now: number;
}

/** A change, before and after. */
export interface Changed extends Told {
  readonly before: Breaker;
}

/** Breakers of a project's connections, by the connection's name. */
export interface Breakers {
  readonly read: (connection: string) => Promise<Told>;
  /** One change at a time. */
  readonly change: (connection: string, step: (breaker: Breaker, now: number) => Breaker) => Promise<Changed>;
}

interface Row {
  readonly now: number;
  readonly state: Breaker['state'] | null;
  readonly since: number;
  readonly failed: number;
  readonly answered: number;
  readonly pause_ms: number;
  readonly try_at: number;
  readonly cause: string;
}

const MS = (column: string): string => `extract(epoch FROM ${column})::float8 * 1000`;
const READ = `SELECT ${MS('clock_timestamp()')} AS now, b.state, ${MS('b.since')} AS since, b.failed, b.answered, b.pause_ms, ${MS('b.try_at')} AS try_at, b.cause
  FROM (SELECT ?::text AS project, ?::text AS environment, ?::text AS connection) k LEFT JOIN sluice.breakers b USING (project, environment, connection)`;
const WRITE = `INSERT INTO sluice.breakers VALUES (?, ?, ?, ?, to_timestamp(?::float8 / 1000), ?, ?, ?, to_timestamp(?::float8 / 1000), ?)
  ON CONFLICT (project, environment, connection) DO UPDATE SET state = excluded.state, since = excluded.since, failed = excluded.failed,
    answered = excluded.answered, pause_ms = excluded.pause_ms, try_at = excluded.try_at, cause = excluded.cause`;

/** Those of the databases that are only read: in the warehouse, for all workers, by its clock. */
export function sharedBreakers(db: Db, { project, environment }: Scope): Breakers {
  const keys = (connection: string): string[] => [project, environment, connection];
  const read = async (on: Db, connection: string): Promise<Told> => {
    const [row] = await rowsOf<Row>(on, READ, keys(connection));
    if (!row) throw new Error('the breakers were read without a row');
    const { now, state, since, failed, answered, pause_ms: pauseMs, try_at: tryAt, cause } = row;
    return { now, breaker: state === null ? CLOSED : { state, since, failed, answered, pauseMs, tryAt, cause } };
  };
  return {
    read: (connection) => read(db, connection),
    change: (connection, step) =>
      db.transaction(async (trx) => {
        await trx.raw('SELECT pg_advisory_xact_lock(hashtextextended(?, 0))', [
          ['sluice.breakers', ...keys(connection)].join('/'),
        ]);
        const { breaker: before, now } = await read(trx, connection);
        const breaker = step(before, now);
        const { state, since, failed, answered, pauseMs, tryAt, cause } = breaker;
        if (isClean(breaker)) await trx('sluice.breakers').where({ project, environment, connection }).delete();
        else await trx.raw(WRITE, [...keys(connection), state, since, failed, answered, pauseMs, tryAt, cause]);
        return { before, breaker, now };
      }),
  };
}

/** The warehouse's own: what is kept in it can't be read while it does not answer, so each worker finds out for itself. */
export function ownBreakers(): Breakers {
  const breakers = new Map<string, Breaker>();
  const of = (connection: string): Breaker => breakers.get(connection) ?? CLOSED;
  return {
    read: (connection) => Promise.resolve({ breaker: of(connection), now: Date.now() }),
    change: (connection, step) => {
      const [before, now] = [of(connection), Date.now()];
      const breaker = step(before, now);
      breakers.set(connection, breaker);
      return Promise.resolve({ before, breaker, now });
    },
  };
}
