import type { Logger } from 'pino';
import type { SliceResult } from '../src/contracts/slice.js';
import { formatInstant } from '../src/core/interval/interval.js';
import { isOwn, isUnanswered, type Fault } from '../src/core/fault.js';
import { answered, claim, failed, isClean, passes, restMs, type Breaker } from '../src/core/throttle/breaker.js';
import { faultOf } from '../src/postgres/error.js';
import type { Breakers, Changed, Told } from '../src/store/breakers.js';
import { record } from '../src/store/control.js';
import type { Db, Scope } from '../src/store/store.js';
import type { Metrics } from './metrics.js';

/** A database does not answer: nobody's fault, and no attempt of the work that wanted it. */
export class UnansweredError extends Error {
  constructor(
    message: string,
    /** When to ask again. */
    readonly restMs: number,
    /** Since when it does not answer, in ms since the epoch; null where that is not sure yet. */
    readonly since: number | null,
  ) {
    super(message);
  }
}

/** What was not begun waits for a database: no attempt of it. */
export function waitsFor({ message, restMs }: UnansweredError): Pick<SliceResult, 'yielded' | 'held' | 'restMs'> {
  return { yielded: 'gate', held: message, restMs };
}

/** How slices meet databases: past the breaker of each. */
export interface Connecting {
  /**
   * Connects, unless the breaker is open, and tells the breaker what came of it.
   * @param instead - it is an alternate: nothing of this worker hangs on it
   * @throws UnansweredError where nobody gets through, or only other workers do; any other error of `connect` as it is
   */
  readonly connect: <T>(connection: string, connect: () => Promise<T>, instead?: boolean) => Promise<T>;
}

/** Leaves slices to other workers, for this one cannot use a connection. False: there are none, and it goes on as it is. */
export type StandAside = (connection: string, fault: Fault) => Promise<boolean>;

/** A server that is started again is back before this. */
const ALONE_MS = 15_000;
/** What is given back is begun by another worker. */
const OTHERS_MS = 1_000;

interface Deps {
  readonly db: Db;
  readonly scope: Scope;
  readonly warehouse: string;
  readonly breakersOf: (connection: string) => Breakers;
  readonly log: Logger;
  readonly metrics: Pick<Metrics, 'outage'>;
  readonly standAside: StandAside;
}

export function createConnecting(deps: Deps): Connecting {
  const { breakersOf, log } = deps;
  /** What a breaker hears must not fail what it is about. */
  const told = async (connection: string, step: (breaker: Breaker, now: number) => Breaker): Promise<void> => {
    try {
      await announce(deps, connection, await breakersOf(connection).change(connection, step));
    } catch (error) {
      log.warn({ err: error, connection }, 'could not tell a breaker');
    }
  };
  return {
    connect: async (connection, connect, instead = false) => {
      const breakers = breakersOf(connection);
      const { breaker, now } = await breakers.read(connection);
      const may = passes(breaker, now);
      if (may === 'wait') throw unanswered(connection, { breaker, now });
      if (may === 'canary') {
        const claimed = await breakers.change(connection, claim);
        if (passes(claimed.before, claimed.now) !== 'canary') throw unanswered(connection, claimed);
      }
      try {
        const result = await connect();
        if (!isClean(breaker)) await told(connection, answered);
        return result;
      } catch (error) {
        const fault = faultOf(error, connection === deps.warehouse ? 'warehouse' : 'source');
        if (!isUnanswered(fault)) {
          if (instead || !isOwn(fault) || !(await deps.standAside(connection, fault))) throw error;
          throw new UnansweredError(leftToOthers(connection, fault), OTHERS_MS, null);
        }
        await told(connection, (before, at) => failed(before, at, fault.code));
        const found = await breakers.read(connection);
        // Of a source all workers know together; whether the warehouse is gone for all, this one cannot know.
        if (
          connection === deps.warehouse &&
          found.breaker.state === 'open' &&
          found.now - found.breaker.since > ALONE_MS
        )
          await deps.standAside(connection, fault);
        throw unanswered(connection, found, fault);
      }
    },
  };
}

/** `source ops has not answered since 2024-01-01T00:00:00Z (connection refused); it is tried every 4 s`: words that stay the same between tries. */
function unanswered(connection: string, { breaker, now }: Told, fault?: Fault): UnansweredError {
  const { state, since, pauseMs, cause } = breaker;
  const why = (fault?.code ?? cause).replaceAll('_', ' ');
  const message =
    state === 'closed'
      ? `connection ${connection} does not answer (${why})`
      : `connection ${connection} has not answered since ${secondOf(since)} (${why}); it is tried again every ${pauseMs / 1000} s`;
  return new UnansweredError(message, restMs(breaker, now), state === 'closed' ? null : since);
}

function leftToOthers(connection: string, { code }: Fault): string {
  return `a worker cannot use connection ${connection} (${code.replaceAll('_', ' ')}): it stands aside, and others carry on`;
}

/** People are told no fractions of it. */
function secondOf(instant: number): string {
  return formatInstant(Math.floor(instant / 1000) * 1000);
}

/** What others want to know of it: that it opened, and that it closed. */
async function announce(deps: Deps, connection: string, { before, breaker }: Changed): Promise<void> {
  const { db, scope, warehouse, log, metrics } = deps;
  const opened = before.state === 'closed' && breaker.state === 'open';
  const closed = before.state === 'proving' && breaker.state === 'closed';
  if (!opened && !closed) return;
  const since = secondOf(before.since);
  const reason = `connection ${connection}: ${opened ? breaker.cause.replaceAll('_', ' ') : `it had not answered since ${since}`}`;
  const action = opened ? 'connection lost' : 'connection back';
  log.warn({ connection, since }, `${action}: ${reason}`);
  if (opened) metrics.outage(scope, connection);
  if (connection !== warehouse) await record(db, scope, { actor: 'sluice', action, reason });
}
