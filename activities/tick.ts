import { GovernorStateJson } from '../src/contracts/governor.js';
import type { GovernedSite, GovernorNews } from '../src/contracts/warehouse.js';
import { beginGovernor, judge } from '../src/core/throttle/judge.js';
import type { Reading, Readings, Rules, Verdict } from '../src/core/throttle/types.js';
import { windowAt } from '../src/core/throttle/windows.js';
import type { Budget } from '../src/project/project.js';
import { clockOf } from '../src/store/clock.js';
import { lawOf, queuesOf, writeTick, type Seat } from '../src/store/governors.js';
import { orderOn } from '../src/store/orders.js';
import { cancelOurs } from '../src/warehouse/postgres/sense.js';
import type { Senser } from '../src/warehouse/postgres/senser.js';
import type { ControlDeps } from './deps.js';

export interface Governing {
  readonly site: GovernedSite;
  readonly seat: Seat;
  readonly senser: Senser;
  readonly workflowId: string;
}

/** The workflow hears of another cause, of another number, of nothing new: each is some four events in its history. */
const [TURN_MS, NUMBER_MS, REFRESH_MS] = [2_000, 5_000, 60_000];
/** A worker whose clock is further from the warehouse's says so. */
const SKEW_MS = 30_000;
/** The law's own clock: after a pause of the process it must not make up for what it has not seen. */
const TICK_MAX_MS = 5_000;

/**
 * One tick: sense, judge, act.
 * @returns what does it; false from that: the seat is another's
 */
export async function createTicker(
  deps: ControlDeps,
  { site, seat, senser, workflowId }: Governing,
): Promise<(budget: Budget) => Promise<boolean>> {
  const { db, governing, log } = deps;
  const kept = GovernorStateJson.safeParse(await lawOf(db, seat.database));
  let law = kept.success ? kept.data : beginGovernor();
  const skewMs = (await clockOf(db)) - deps.now();
  if (Math.abs(skewMs) > SKEW_MS)
    log.warn(
      `this worker's clock is ${Math.round(Math.abs(skewMs) / 1000)} s ${skewMs > 0 ? 'behind' : 'ahead of'} the warehouse's, by which windows open`,
    );
  const rates = new Map<string, number | null>();
  let last = performance.now();
  let told = { words: '', slots: -1, at: -Infinity };
  return async (budget) => {
    const readings = await senser.round();
    const shown = flat(readings);
    const now = performance.now();
    const order = await orderOn(db, seat.database);
    const rules = rulesOf(budget, order && { slots: order.slots, by: order.actor, reason: order.reason ?? '' });
    const at = deps.now() + skewMs;
    const judged = judge(law, readings, rules, at, Math.min(TICK_MAX_MS, now - last));
    law = judged.state;
    last = now;
    const { verdict } = judged;
    const rate = windowAt(budget.windows, at)?.rate ?? budget.rate ?? null;
    if (!(await writeTick(db, seat, { verdict, rate, readings: shown, law }))) return false;
    governing.gauges.limit(site, verdict);
    if (verdict.cancel !== 'none') {
      const n = await deps
        .pool(site.connection)
        .use((client) => cancelOurs(client, verdict.cancel === 'all' ? 'all' : 'blocker'));
      if (n > 0) log.warn({ governor: seat.database, cancelled: n }, verdict.reason);
    }
    await setRates(deps, seat, rates, verdict, rate);
    const words = `${verdict.cause} ${verdict.reading ?? ''}`;
    const due = words !== told.words ? TURN_MS : verdict.slots !== told.slots ? NUMBER_MS : REFRESH_MS;
    if (now - told.at >= due) {
      told = { words, slots: verdict.slots, at: now };
      await governing.tell(workflowId, newsOf(verdict, rate, shown, at)).catch((error: unknown) => {
        log.warn({ err: error }, 'the governor workflow was not told');
      });
    }
    return true;
  };
}

function rulesOf({ law, slots, cores, windows, holdWhen }: Budget, order: Rules['order']): Rules {
  return { law, slots, knee: cores ?? slots, windows, holdWhen, order };
}

/** The queues of slices that are written to this database share its rate; none is handed out while nothing may pass. */
async function setRates(
  { db, governing, log }: ControlDeps,
  { database }: Seat,
  rates: Map<string, number | null>,
  { slots, reason }: Verdict,
  rate: number | null,
): Promise<void> {
  const queues = await queuesOf(db, database);
  for (const queue of queues) {
    const wanted = slots === 0 ? 0 : rate === null ? null : rate / queues.length;
    if (rates.get(queue) === wanted) continue;
    try {
      await governing.setRate(queue, wanted ?? undefined, `governor of ${database}: ${reason}`.slice(0, 200));
      rates.set(queue, wanted);
    } catch (error) {
      // The gate holds what Temporal hands out too many; the next tick tries again.
      log.warn({ err: error, queue }, 'the rate of a queue was not set');
    }
  }
}

/** Readings by name, those that a person declared as their cause is named. */
function flat({ sensed, declared }: Readings): Record<string, Reading> {
  return {
    ...sensed,
    ...Object.fromEntries(Object.entries(declared).map(([name, one]) => [`hold_when ${name}`, one])),
  };
}

function newsOf(
  { slots, cause, reading, reason }: Verdict,
  rate: number | null,
  readings: Readonly<Record<string, Reading>>,
  at: number,
): GovernorNews {
  const words = Object.entries(readings).map(
    ([name, one]) => [name, { value: one.value, reason: one.reason.slice(0, 200) }] as const,
  );
  return {
    slots,
    rate,
    cause,
    reading,
    reason: reason.slice(0, 1000),
    readings: Object.fromEntries(words),
    at: new Date(at).toISOString(),
  };
}

/** Another store's governor is at work: nothing of ours passes, and the row says who is there. */
export async function showKeptOut({ db }: ControlDeps, seat: Seat, by: string): Promise<void> {
  const reason = `another governor keeps this database, of another warehouse: its session is ${by}`;
  const verdict = { slots: 0, cause: 'unknown', reading: null, reason } as const;
  await writeTick(db, seat, { verdict, rate: null, readings: {}, law: null });
}
