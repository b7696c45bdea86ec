/**
 * What stops leave behind: clean ticks to wait for, hibernation, and a ceiling under which work comes back. The ceiling rises ×1.15 + 0.5
 * a tick, the law's own slow start, until the law is under it; unknown readings halve it each tick.
 */
import type { Stop } from './stops.js';
import type { Verdict } from './types.js';

export interface Halts {
  /** The stop that is on, or whose clean ticks are counted: what was in force before it, and for how many ticks it is gone. */
  readonly stopped: {
    readonly reading: string;
    readonly reason: string;
    readonly before: number;
    readonly clean: number;
  } | null;
  /** While it is not null, no more than this. */
  readonly ceiling: number | null;
  /** The reading whose stop the ceiling is left of; null where nothing was known for a while. */
  readonly after: string | null;
  /** Readings that were critical in the last tick. */
  readonly critical: readonly string[];
  /** For how much longer nothing is tried, the how manyth time that is, and for how long it was not needed. */
  readonly hibernateMs: number;
  readonly strikes: number;
  readonly quietMs: number;
  /** For how long something has been unknown. */
  readonly unknownMs: number;
}

/** Ticks without a stop after which work comes back. */
export const CLEAN_TICKS = 5;
const HIBERNATE_MS = 30_000;
const HIBERNATE_MAX_MS = 600_000;
/** Readings are known until they are 3 s old: all in all 10 s. */
const UNKNOWN_MAX_MS = 7_000;

export function beginHalts(): Halts {
  return {
    stopped: null,
    ceiling: null,
    after: null,
    critical: [],
    hibernateMs: 0,
    strikes: 0,
    quietMs: 0,
    unknownMs: 0,
  };
}

/** What a tick showed. */
export interface Seen {
  readonly stops: readonly Stop[];
  readonly unknown: boolean;
  /** What the law would give. */
  readonly wish: number;
  readonly tickMs: number;
}

/** One tick: what is left of stops, and what the shell must cancel. */
export function halt(state: Halts, seen: Seen): { halts: Halts; cancel: Verdict['cancel'] } {
  const critical = seen.stops.filter((stop) => stop.critical).map(({ reading }) => reading);
  // gh-ost's second chance: a single bad sample cancels nothing.
  const again = critical.some((reading) => state.critical.includes(reading));
  const halts = recover({ ...hibernate(state, again, seen), critical, stopped: stoppedBy(state, seen) }, seen);
  const blocked = seen.stops.some(({ reading }) => reading === 'blocked');
  return { halts, cancel: again ? 'all' : blocked ? 'blocker' : 'none' };
}

function hibernate(state: Halts, again: boolean, { tickMs }: Seen): Halts {
  const left = Math.max(0, state.hibernateMs - tickMs);
  const quietMs = again ? 0 : Math.min(HIBERNATE_MAX_MS, state.quietMs + (left > 0 ? 0 : tickMs));
  if (again && left === 0) {
    const strikes = Math.min(state.strikes + 1, 10);
    return { ...state, quietMs, strikes, hibernateMs: Math.min(HIBERNATE_MAX_MS, HIBERNATE_MS * 2 ** (strikes - 1)) };
  }
  return { ...state, quietMs, strikes: quietMs === HIBERNATE_MAX_MS ? 0 : state.strikes, hibernateMs: left };
}

function stoppedBy({ stopped, ceiling }: Halts, { stops, wish, unknown }: Seen): Halts['stopped'] {
  const [first] = stops;
  const before = stopped?.before ?? Math.min(wish, ceiling ?? Infinity);
  if (first) return { reading: first.reading, reason: first.reason, before, clean: 0 };
  return stopped && { ...stopped, clean: unknown ? 0 : stopped.clean + 1 };
}

function recover(state: Halts, { unknown, wish, tickMs }: Seen): Halts {
  const { stopped, hibernateMs } = state;
  const ceiling = state.ceiling ?? Infinity;
  if (unknown) {
    const unknownMs = state.unknownMs + tickMs;
    return { ...state, unknownMs, ceiling: unknownMs > UNKNOWN_MAX_MS ? 0 : Math.min(ceiling, wish) / 2 };
  }
  if (hibernateMs > 0 || (stopped && stopped.clean < CLEAN_TICKS)) return { ...state, unknownMs: 0 };
  if (stopped) {
    const ceiling = Math.max(1, stopped.before / 2);
    return { ...state, unknownMs: 0, stopped: null, ceiling, after: stopped.reading };
  }
  const risen = ceiling * 1.15 + 0.5;
  return { ...state, unknownMs: 0, ...(risen < wish ? { ceiling: risen } : { ceiling: null, after: null }) };
}
