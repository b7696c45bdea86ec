import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';

/** Zones in which something odd happens: half hours, no midnight, two midnights, a day left out, clocks that follow the moon. */
export const ZONES = [
  'UTC',
  'America/New_York',
  'Europe/Berlin',
  'Asia/Kolkata',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'America/Sao_Paulo',
  'America/Havana',
  'America/St_Johns',
  'Pacific/Apia',
  'Pacific/Chatham',
  'Africa/Casablanca',
  'Asia/Tehran',
  'Etc/GMT+5',
] as const;

const MINUTE = 60_000;
const FROM = Date.UTC(1985, 0, 1);
const TO = Date.UTC(2040, 0, 1);

/** Every instant at which clocks move in `zone`. */
function transitionsOf(zone: string): number[] {
  const found: number[] = [];
  let at = Temporal.Instant.fromEpochMilliseconds(FROM).toZonedDateTimeISO(zone);
  for (;;) {
    const next = at.getTimeZoneTransition('next');
    if (!next || next.epochMilliseconds >= TO) return found;
    found.push(next.epochMilliseconds);
    at = next;
  }
}

function zonedIn(zone: string): fc.Arbitrary<{ zone: string; t: number }> {
  const anywhere = fc.integer({ min: FROM / MINUTE, max: TO / MINUTE }).map((minute) => minute * MINUTE);
  const transitions = transitionsOf(zone);
  const near = (minutes: number): fc.Arbitrary<number> =>
    fc
      .tuple(fc.constantFrom(...transitions), fc.integer({ min: -minutes, max: minutes }))
      .map(([transition, offset]) => transition + offset * MINUTE);
  const t = transitions.length === 0 ? anywhere : fc.oneof(anywhere, near(50_000), near(180));
  return t.map((instant) => ({ zone, t: instant }));
}

/** A zone and a whole minute: anywhere, within five weeks, or within three hours of a moment at which its clocks move. */
export const zoned: fc.Arbitrary<{ zone: string; t: number }> = fc.oneof(...ZONES.map(zonedIn));
