import { RequestError, SluiceError } from '../contracts/errors.js';
import { nextWindow } from '../core/throttle/windows.js';
import { identityOf } from '../postgres/identity.js';
import { systemError } from '../postgres/error.js';
import type { Connection, Project } from '../project/project.js';
import { namesOfEpochs, isBusy, standingOf, type StandingRow } from '../store/standing.js';
import type { Db } from '../store/store.js';
import { turnsTaken } from '../warehouse/postgres/gate.js';
import type { Opened } from '../worker/open.js';

/** What `sluice warehouse --json` says of one connection. */
export interface Standing {
  readonly connection: string;
  readonly database: string | null;
  readonly governed: boolean;
  /** In force; null is no cap. */
  readonly slots: number | null;
  readonly rate: number | null;
  /** `idle`: governed, and no backfill is open; `silent`: its governor is gone or starts; `budget`: nobody governs. */
  readonly cause: string;
  readonly reading: string | null;
  readonly reason: string;
  readonly since: string | null;
  readonly order: {
    readonly slots: number;
    readonly by: string;
    readonly reason: string | null;
    readonly since: string;
  } | null;
  readonly next: { readonly at: string; readonly slots: number } | null;
  readonly readings: Readonly<
    Record<string, { readonly value: number | null; readonly ageMs: number; readonly reason: string }>
  >;
  /** Who is at work there; null where the database does not answer. */
  readonly users: readonly { readonly backfill: string; readonly dataset: string; readonly slots: number }[] | null;
}

/** The connection that is named, or the warehouse. @throws RequestError unknown_connection */
export function namedConnection(project: Project, name: string | undefined): Connection {
  const connection = project.connections.get(name ?? project.warehouse);
  if (connection) return connection;
  throw new RequestError(
    'unknown_connection',
    `project ${project.name} has no connection ${JSON.stringify(name)}`,
    `it has ${[...project.connections.keys()].join(', ')}`,
  );
}

/** What the database of a connection is. @throws SystemError where it does not answer */
export async function databaseOf(opened: Opened, connection: string): Promise<string> {
  try {
    return await opened.pool(connection).use(identityOf);
  } catch (error) {
    throw systemError(error, connection);
  }
}

/** Where each of the connections stands. */
export async function standings(opened: Opened, connections: readonly Connection[], now: number): Promise<Standing[]> {
  const project = opened.project();
  const db = await opened.db();
  const rows = await standingOf(db, { project: project.name, environment: project.environment });
  const busy = await isBusy(db);
  return Promise.all(
    connections.map(async (connection) => {
      const row = rows.find((one) => one.connection === connection.name);
      const users = await usersOf(opened, db, connection.name);
      const next = nextWindow(connection.budget.windows, now);
      return {
        connection: connection.name,
        database: row?.database ?? null,
        governed: row?.governed ?? false,
        slots: row ? row.slots : connection.budget.slots,
        rate: row ? row.rate : (connection.budget.rate ?? null),
        ...whyOf(row, busy),
        since: (row?.governed === true ? row.since : null)?.toISOString() ?? null,
        order: orderOf(row),
        next: next && { at: new Date(next.at).toISOString(), slots: next.window?.slots ?? connection.budget.slots },
        readings: busy ? readingsOf(row) : {},
        users,
      };
    }),
  );
}

/** What one line of the live display says of a database. */
export type LimitShown = Pick<Standing, 'connection' | 'slots' | 'cause' | 'reason'>;

/** Of the databases that a governor or a person keeps: what stands, in a line each. Without a look at the databases themselves. */
export async function limitsShown(opened: Opened): Promise<LimitShown[]> {
  const { name: project, environment } = opened.project();
  const rows = await standingOf(await opened.db(), { project, environment });
  return rows
    .filter(({ governed, ordered }) => governed || ordered !== null)
    .map((row) => ({ connection: row.connection, slots: row.slots, ...whyOf(row, true) }));
}

function whyOf(row: StandingRow | undefined, busy: boolean): Pick<Standing, 'cause' | 'reading' | 'reason'> {
  const none = { reading: null };
  if (!row)
    return { ...none, cause: 'budget', reason: 'the budget in sluice.yaml; no worker has put it into force yet' };
  const { ordered, actor, order_reason: said, governed, silent, cause, reading, reason } = row;
  const lowest = ordered !== null && ordered <= (row.slots ?? Infinity);
  if (lowest && (!governed || !busy || silent)) {
    const words = ordered === 0 ? `held by ${actor ?? ''}` : `limited to ${ordered} by ${actor ?? ''}`;
    return { ...none, cause: 'operator', reason: said === null ? words : `${words}: ${said}` };
  }
  if (!governed) return { ...none, cause: 'budget', reason: 'the budget in sluice.yaml' };
  if (!busy) return { ...none, cause: 'idle', reason: 'no backfill is open: nothing is sensed, and nothing passes' };
  if (silent) {
    const heard =
      row.sensed_ms === null ? 'was not heard of yet' : `was heard of ${Math.round(row.sensed_ms / 1000)} s ago`;
    return { ...none, cause: 'silent', reason: `the governor ${heard}: nothing passes until it is back` };
  }
  return { cause: cause ?? 'unknown', reading, reason: reason ?? '' };
}

function orderOf(row: StandingRow | undefined): Standing['order'] {
  if (!row || row.ordered === null) return null;
  return {
    slots: row.ordered,
    by: row.actor ?? '',
    reason: row.order_reason,
    since: row.order_since?.toISOString() ?? '',
  };
}

function readingsOf(row: StandingRow | undefined): Standing['readings'] {
  const age = row?.sensed_ms ?? 0;
  return Object.fromEntries(
    Object.entries(row?.readings ?? {}).map(([name, { value, ageMs, reason }]) => [
      name,
      { value, ageMs: Math.round(ageMs + age), reason },
    ]),
  );
}

async function usersOf(opened: Opened, db: Db, connection: string): Promise<Standing['users']> {
  try {
    const taken = await opened.pool(connection).use(turnsTaken);
    const names = await namesOfEpochs(
      db,
      taken.map(({ epoch }) => epoch),
    );
    return taken.map(({ epoch, dataset, slots }) => ({
      backfill: names.get(epoch) ?? 'of another warehouse',
      dataset,
      slots,
    }));
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    return null;
  }
}
