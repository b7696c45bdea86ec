/**
 * What is in force until the next tick, from what is measured. The number is the lowest of all that have a say: a person, the
 * window, stops, unknown readings, the law; the cause that is shown is the first of those, in this order, that come to it. So nobody
 * can talk a stop away, and a person who holds sees their own words.
 */
import { formatInstant } from '../interval/interval.js';
import type { Instant } from '../interval/interval.js';
import { adaptive } from './adaptive.js';
import type { AdaptiveState } from './adaptive.js';
import { fixed } from './fixed.js';
import { beginHalts, CLEAN_TICKS, halt } from './halts.js';
import type { Halts } from './halts.js';
import { stopsIn, unknownIn } from './stops.js';
import type { Stop, Unknown } from './stops.js';
import type { Order, Readings, Rules, Step, Verdict } from './types.js';
import { nextWindow, windowAt } from './windows.js';
import type { Change, Window } from './windows.js';

/** All that a governor remembers from tick to tick: plain JSON, carried by its workflow and read by `GovernorStateJson`. */
export interface GovernorState {
  /** The law's slots at its last step. */
  readonly wish: number;
  /** What the adaptive law learned; kept while the project has another one. */
  readonly adaptive: AdaptiveState | null;
  readonly halts: Halts;
}

export interface Judged {
  readonly state: GovernorState;
  readonly verdict: Verdict;
  /** The next change of the window in force. */
  readonly next: Change | null;
}

/** A governor that knows nothing yet. */
export function beginGovernor(): GovernorState {
  return { wish: 0, adaptive: null, halts: beginHalts() };
}

/**
 * One tick.
 *
 * @param tickMs - since the last tick; 1,000 when all is well.
 */
export function judge(state: GovernorState, readings: Readings, rules: Rules, nowMs: Instant, tickMs: number): Judged {
  const window = windowAt(rules.windows, nowMs);
  const next = nextWindow(rules.windows, nowMs);
  const most = Math.max(0, Math.min(rules.slots, window?.slots ?? Infinity, rules.order?.slots ?? Infinity));
  const { needs } = rules.law === 'adaptive' ? adaptive : fixed;
  const stops = stopsIn(readings, rules.holdWhen);
  const unknown = unknownIn(readings, needs, state.halts.stopped?.reading, rules.holdWhen);
  // A law that can't see does not learn.
  const step = unknown.length > 0 ? null : lawful(state, readings, rules, most, tickMs);
  const wish = step?.slots ?? state.wish;
  const seen = { stops, unknown: unknown.length > 0, wish: Math.min(wish, most), tickMs };
  const { halts, cancel } = halt(state.halts, seen);
  const bids = [
    ...ordered(rules.order),
    ...windowed(window, next),
    ...hibernating(halts),
    ...stopping(stops),
    ...doubting(halts, unknown),
    ...recovering(halts),
    ...(step ? [{ slots: step.slots, cause: step.cause, reading: null, reason: step.reason }] : []),
  ];
  const least = bids.reduce((a, b) => (b.slots < a.slots ? b : a));
  const verdict = { ...least, slots: Math.max(0, Math.floor(least.slots)), cancel };
  return { state: { wish, adaptive: step?.adaptive ?? state.adaptive, halts }, verdict, next };
}

/** A step of the project's law. */
function lawful(state: GovernorState, readings: Readings, rules: Rules, most: number, tickMs: number): Lawful {
  const bounds = { most, knee: rules.knee };
  if (rules.law === 'fixed') return { ...fixed.step(null, readings, bounds, tickMs), adaptive: null };
  const step = adaptive.step(state.adaptive ?? adaptive.begin(bounds), readings, bounds, tickMs);
  return { ...step, adaptive: step.state };
}

type Lawful = Omit<Step<unknown>, 'state'> & { readonly adaptive: AdaptiveState | null };

type Bid = Omit<Verdict, 'cancel'>;

function ordered(order: Order | null): Bid[] {
  if (!order) return [];
  const { slots, by, reason } = order;
  const said = slots === 0 ? `held by ${by}` : `limited to ${slots} by ${by}`;
  return [{ slots, cause: 'operator', reading: null, reason: reason === '' ? said : `${said}: ${reason}` }];
}

function windowed(window: Window | null, next: Change | null): Bid[] {
  if (!window) return [];
  const until = next ? `, until ${formatInstant(next.at)}` : '';
  const says =
    window.slots === 0 ? 'a window of the budget holds all work' : `a window of the budget has ${window.slots} slots`;
  return [{ slots: window.slots, cause: 'window', reading: null, reason: `${says}${until}` }];
}

function hibernating({ hibernateMs, stopped }: Halts): Bid[] {
  if (hibernateMs === 0 || !stopped) return [];
  const left = Math.ceil(hibernateMs / 1000);
  const reason = `${stopped.reason}, twice in a row: all work was cancelled, and begins again in ${left} s at the soonest`;
  return [{ slots: 0, cause: 'critical', reading: stopped.reading, reason }];
}

function stopping(stops: readonly Stop[]): Bid[] {
  const [first] = stops;
  if (!first) return [];
  return [{ slots: 0, cause: 'stop', reading: first.reading, reason: stops.map(({ reason }) => reason).join('; ') }];
}

function doubting({ ceiling }: Halts, unknown: readonly Unknown[]): Bid[] {
  const [first] = unknown;
  if (!first || ceiling === null) return [];
  const more = unknown.length > 1 ? `, and ${unknown.length - 1} more` : '';
  const reason = `${first.reading} is unknown${more}: ${first.reason}; what is unknown slows down`;
  return [{ slots: ceiling, cause: 'unknown', reading: first.reading, reason }];
}

function recovering({ ceiling, stopped, after }: Halts): Bid[] {
  if (stopped) {
    const reason = `it was stopped: ${stopped.reason}; that has been gone for ${stopped.clean} s, and must be for ${CLEAN_TICKS}`;
    return [{ slots: 0, cause: 'recovering', reading: stopped.reading, reason }];
  }
  if (ceiling === null) return [];
  return [
    {
      slots: ceiling,
      cause: 'recovering',
      reading: after,
      reason: `coming back${after === null ? '' : ` after it was stopped by ${after}`}, a little more each second`,
    },
  ];
}
