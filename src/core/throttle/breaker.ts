/**
 * A circuit breaker: when a database counts as gone, and when it is tried again. It hears of connects only: that a statement failed says
 * nothing of whether the next one would.
 *
 * - `closed`: all pass. It opens when, within {@link WINDOW_MS} of a first failure, at least {@link FAILURES_MIN} connects failed and
 *   these were at least {@link RATIO} of all.
 * - `open`: nobody passes until `tryAt`. Then one does, the canary.
 * - `trying`: the canary is out. It fails: open again, for twice as long. It is never heard of: another is sent at `tryAt`.
 * - `proving`: the canary was answered. All pass; the first failure opens it again, for twice as long; {@link PROOFS} more answers close it.
 */
export interface Breaker {
  readonly state: 'closed' | 'open' | 'trying' | 'proving';
  /** When the first of these failures was heard: ms since the epoch, as all instants here. */
  readonly since: number;
  /** Since then; of `proving`, since it began. */
  readonly failed: number;
  readonly answered: number;
  readonly pauseMs: number;
  readonly tryAt: number;
  /** Of the last failure. */
  readonly cause: string;
}

/** A failed connect takes ten seconds where packets are lost in silence: three of them, one after the other, are in here. */
export const WINDOW_MS = 60_000;
/** One is a hiccup, two may be the two ends of it. */
export const FAILURES_MIN = 3;
export const RATIO = 0.5;
export const PAUSE_MS = 1_000;
/** A database that is back is found within this. A canary is one connect: more seldom would spare nobody. */
export const PAUSE_MAX_MS = 30_000;
/** A connect gives up after 10 s. */
export const CANARY_MS = 15_000;
export const PROOFS = 3;

/** Nothing is known against it. */
export const CLOSED: Breaker = { state: 'closed', since: 0, failed: 0, answered: 0, pauseMs: 0, tryAt: 0, cause: '' };

/** Whether an answer would change nothing: then it need not be told. */
export function isClean({ state, failed }: Breaker): boolean {
  return state === 'closed' && failed === 0;
}

/** Whether one may connect now; `canary`: only who claims it first, with {@link claim}. */
export function passes({ state, tryAt }: Breaker, now: number): 'pass' | 'canary' | 'wait' {
  if (state === 'closed' || state === 'proving') return 'pass';
  return now >= tryAt ? 'canary' : 'wait';
}

/** The canary goes. */
export function claim(breaker: Breaker, now: number): Breaker {
  return passes(breaker, now) === 'canary' ? { ...breaker, state: 'trying', tryAt: now + CANARY_MS } : breaker;
}

/** A connect failed. */
export function failed(breaker: Breaker, now: number, cause: string): Breaker {
  switch (breaker.state) {
    // It began before: what it found is known.
    case 'open':
      return breaker;
    case 'trying':
    case 'proving':
      return open({ ...breaker, cause }, now, Math.min(PAUSE_MAX_MS, breaker.pauseMs * 2));
    case 'closed': {
      const begun = isClean(breaker) || isOver(breaker, now) ? { ...CLOSED, since: now } : breaker;
      const heard = { ...begun, failed: begun.failed + 1, cause };
      const all = heard.failed + heard.answered;
      return heard.failed >= FAILURES_MIN && heard.failed >= RATIO * all ? open(heard, now, PAUSE_MS) : heard;
    }
  }
}

/** A connect was answered. */
export function answered(breaker: Breaker, now: number): Breaker {
  switch (breaker.state) {
    case 'open':
      return breaker;
    case 'trying':
      return { ...breaker, state: 'proving', answered: 0, failed: 0 };
    case 'proving':
      return breaker.answered + 1 >= PROOFS ? CLOSED : { ...breaker, answered: breaker.answered + 1 };
    case 'closed':
      return isClean(breaker) || isOver(breaker, now) ? CLOSED : { ...breaker, answered: breaker.answered + 1 };
  }
}

function isOver({ since }: Breaker, now: number): boolean {
  return now - since >= WINDOW_MS;
}

function open(breaker: Breaker, now: number, pauseMs: number): Breaker {
  return { ...breaker, state: 'open', pauseMs, tryAt: now + pauseMs };
}

/** How long whoever may not connect waits before asking again. */
export function restMs({ state, tryAt }: Breaker, now: number): number {
  // A canary is mostly heard of at once, and a failure that did not open it says nothing of the next connect.
  return state === 'open' ? Math.max(1, tryAt - now) : PAUSE_MS;
}
