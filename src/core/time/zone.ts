import { Temporal } from 'temporal-polyfill';
import type { Instant } from '../interval/interval.js';

/**
 * Zones as tables of segments with one UTC offset each. Every border is then plain arithmetic: adding a day with Temporal's
 * own `ZonedDateTime` costs 30 µs, a look-up here under 1 µs, and a plan asks for hundreds of thousands.
 *
 * A *local* time below is wall-clock time counted in ms as if it were UTC.
 */
export interface Segment {
  readonly start: Instant;
  readonly end: Instant;
  /** Local time minus UTC, in ms. */
  readonly offset: number;
}

const DAY_MS = 86_400_000;
/** Tables are made a piece of about ten years at a time: 20 transitions, about 4 ms. */
const PIECE_MS = 3_652 * DAY_MS;
/** Rules of today are asked until here: 2037, where the oldest zone files end. */
const CLOCKS_UNTIL = Date.UTC(2037, 0);
/** What the zone database answers never changes within a process, so remembering it is not observable. */
const pieces = new Map<string, readonly Segment[]>();

/**
 * Whether `name` is a zone of the IANA database. Offsets such as `+05:30` are not: PostgreSQL reads their sign the other
 * way round.
 */
export function isZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name);
    return true;
  } catch {
    return false;
  }
}

/** The segment that holds `t`; segments may be cut where the offset does not change. `t` must be finite. */
export function segmentAt(zone: string, t: Instant): Segment {
  const segments = pieceAt(zone, Math.floor(t / PIECE_MS));
  let lo = 0;
  let hi = segments.length - 1;
  while (lo < hi) {
    const middle = (lo + hi + 1) >> 1;
    if ((segments[middle]?.start ?? Infinity) <= t) lo = middle;
    else hi = middle - 1;
  }
  const found = segments[lo];
  if (!found) throw new RangeError(`no offset of ${zone} at ${t}`);
  return found;
}

/** Whether the offset of `zone` ever changed since 1970, or earlier from `since` on, or will by the rules of today. */
export function changesClocks(zone: string, since: Instant = 0): boolean {
  const { end, offset } = segmentAt(zone, Number.isFinite(since) ? Math.min(since, 0) : 0);
  for (let at = end; at < CLOCKS_UNTIL;) {
    const segment = segmentAt(zone, at);
    if (segment.offset !== offset) return true;
    at = segment.end;
  }
  return false;
}

/** Wall-clock time at `t`. */
export function localAt(zone: string, t: Instant): number {
  return t + segmentAt(zone, t).offset;
}

/**
 * The first instant whose wall clock shows `local` or later: the start of a local day, also where clocks skip midnight
 * (Sao Paulo until 2018) or show it twice (Havana). Never decreases as `local` grows.
 */
export function firstAt(zone: string, local: number): Instant {
  // No offset is as large as a day, so no earlier segment shows `local`.
  for (let segment = segmentAt(zone, local - DAY_MS); ; segment = segmentAt(zone, segment.end)) {
    const t = Math.max(segment.start, local - segment.offset);
    if (t < segment.end) return t;
  }
}

/**
 * The instant at which the wall clock shows exactly `local`. Shown twice: the first. Never shown (clocks went forward): as
 * far after the jump as `local` is into it, as PostgreSQL and Temporal read it.
 */
export function instantOf(zone: string, local: number): Instant {
  for (let segment = segmentAt(zone, local - DAY_MS); ; segment = segmentAt(zone, segment.end)) {
    const t = local - segment.offset;
    if (t < segment.end) return t;
    const next = segmentAt(zone, segment.end);
    if (local - next.offset < next.start) return t;
  }
}

function pieceAt(zone: string, index: number): readonly Segment[] {
  const key = `${zone} ${index}`;
  const known = pieces.get(key);
  if (known) return known;
  const made = makePiece(zone, index * PIECE_MS, (index + 1) * PIECE_MS);
  pieces.set(key, made);
  return made;
}

function makePiece(zone: string, from: Instant, to: Instant): Segment[] {
  const segments: Segment[] = [];
  let at = Temporal.Instant.fromEpochMilliseconds(from).toZonedDateTimeISO(zone);
  let start = from;
  while (start < to) {
    const next = at.getTimeZoneTransition('next');
    const end = Math.min(next?.epochMilliseconds ?? Infinity, to);
    segments.push({ start, end, offset: Math.round(at.offsetNanoseconds / 1e6) });
    if (!next) break;
    at = next;
    start = end;
  }
  return segments;
}
