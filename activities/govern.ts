import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { GovernedSite } from '../src/contracts/warehouse.js';
import { identityOf } from '../src/postgres/identity.js';
import { isGoverned } from '../src/project/budget.js';
import type { Budget } from '../src/project/project.js';
import { beat, claimSeat, trimHistory, type Seat } from '../src/store/governors.js';
import { governorName, takeLock, type HeldSeat } from '../src/warehouse/postgres/seat.js';
import { createSenser } from '../src/warehouse/postgres/senser.js';
import type { ControlDeps } from './deps.js';
import { createTicker, showKeptOut } from './tick.js';

/** Then the workflow begins it anew, so that its history and the activity's own memory have an end. */
const GOVERN_MS = 10 * 60_000;
const TICK_MS = 1_000;
/** With nothing to govern only this is asked, so that the first batch waits no longer. */
const LOOK_MS = 500;

interface Order {
  readonly site: GovernedSite;
  readonly database: string;
  readonly holder: string;
}

/** Keeps one database: see docs/governor.md. The law's state is in its row, so that whoever governs next goes on with it. */
export async function govern(deps: ControlDeps, order: Order): Promise<'again' | 'over'> {
  const { site, database } = order;
  const log = deps.log.child({ governor: database, connection: site.connection });
  const until = performance.now() + GOVERN_MS;
  const budget = await budgetOf(deps, order);
  if (!budget) return 'over';
  const store = await deps.pool((await deps.project(undefined)).warehouse).use(identityOf);
  const taken = await takeSeat(deps, order, store, until);
  if (!taken) return 'again';
  const { seat, lock } = taken;
  const senser = createSenser({
    pool: deps.pool(site.connection),
    isWarehouse: store === database,
    declared: budget.holdWhen,
    name: governorName(store, seat.epoch),
  });
  log.info({ epoch: seat.epoch }, 'governs');
  try {
    const tick = await createTicker(deps, { site, seat, senser, workflowId: workflowId() });
    for (;;) {
      if (isOver(deps, until) || lock.lost()) return 'again';
      const { seated, busy } = await beat(deps.db, seat);
      const current = await budgetOf(deps, order);
      if (!seated) return 'again';
      // Other queries need other senses: the next activity has them.
      if (current?.holdWhen !== budget.holdWhen) return current ? 'again' : 'over';
      const began = performance.now();
      if (busy && !(await tick(current))) return 'again';
      await rest(deps, busy ? TICK_MS - (performance.now() - began) : LOOK_MS);
    }
  } finally {
    senser.close();
    lock.leave();
    deps.governing.gauges.limit(site, null);
    await trimHistory(deps.db, database).catch((error: unknown) => {
      log.warn({ err: error }, 'the history of limits keeps what is old');
    });
  }
}

function workflowId(): string {
  return Context.current().info.workflowExecution?.workflowId ?? '';
}

/** The connection's budget in the project as it is now, while it needs a governor and still is that database. */
async function budgetOf(deps: ControlDeps, { site, database }: Order): Promise<Budget | null> {
  const project = await deps.project(undefined);
  const connection = project.connections.get(site.connection);
  if (!connection || !isGoverned(connection.budget)) return null;
  const known = identities.get(connection);
  if (known === database) return connection.budget;
  const identity = await deps.pool(site.connection).use(identityOf);
  identities.set(connection, identity);
  return identity === database ? connection.budget : null;
}

/** Of a connection as it was read from its file: asked once. */
const identities = new WeakMap<object, string>();

/** Waits until nobody else governs: row first, which another governor of this store loses; then the lock, which one of another store may hold. */
async function takeSeat(
  deps: ControlDeps,
  { site, database, holder }: Order,
  store: string,
  until: number,
): Promise<{ seat: Seat; lock: HeldSeat } | null> {
  let said = '';
  let seat: Seat | null = null;
  while (!isOver(deps, until)) {
    seat ??= await claimSeat(deps.db, database, holder);
    if (seat && !(await beat(deps.db, seat)).seated) seat = null;
    const lock = seat && (await takeLock(deps.pool(site.connection), store, seat.epoch));
    if (seat && lock && 'leave' in lock) return { seat, lock };
    const by =
      lock && 'by' in lock ? lock.by : 'a governor of another Temporal namespace or server, with this very warehouse';
    if (seat && !by.startsWith(`sluice/governor/${store}/`)) await showKeptOut(deps, seat, by);
    if (by !== said) deps.log.warn({ governor: database, by }, 'kept out: this database has a governor');
    said = by;
    await rest(deps, LOOK_MS);
  }
  return null;
}

/** Time is up, this worker drains, or nobody waits for what we do. */
function isOver({ governing }: ControlDeps, until: number): boolean {
  return governing.stopping.aborted || Context.current().cancellationSignal.aborted || performance.now() > until;
}

async function rest({ governing }: ControlDeps, ms: number): Promise<void> {
  const signal = AbortSignal.any([governing.stopping, Context.current().cancellationSignal]);
  await sleep(Math.max(0, ms), undefined, { signal }).catch(() => undefined);
}
