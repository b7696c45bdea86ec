import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { nextWindow, overlapOf, windowAt } from '../../src/core/throttle/windows.js';
import type { Window } from '../../src/core/throttle/windows.js';
import { zoned, ZONES } from './time-arbitrary.js';

const MINUTE = 60_000;
const DAY = 1440;
const ALL = [0, 1, 2, 3, 4, 5, 6];
const NEW_YORK = 'America/New_York';

const window = (over: Partial<Window>): Window => ({ days: ALL, from: 0, to: DAY, zone: 'UTC', slots: 1, ...over });
const at = (text: string): number => Date.parse(text);
const openFrom = (windows: readonly Window[], from: string): string | undefined => {
  const change = nextWindow(windows, at(from));
  return change ? new Date(change.at).toISOString() : undefined;
};

describe('a window', () => {
  const office = window({ days: [0, 1, 2, 3, 4], from: 8 * 60, to: 18 * 60, zone: NEW_YORK });

  it('is open on its days and hours, in its zone, its end left out', () => {
    const open = (text: string): boolean => windowAt([office], at(text)) !== null;
    assert.deepEqual(
      ['2026-06-05T11:59Z', '2026-06-05T12:00Z', '2026-06-05T21:59Z', '2026-06-05T22:00Z', '2026-06-06T14:00Z'].map(
        open,
      ),
      [false, true, true, false, false],
    );
    assert.equal(open('2026-01-05T12:30Z'), false);
    assert.equal(open('2026-01-05T13:00Z'), true);
  });

  it('says when it opens and closes next, over a weekend', () => {
    assert.equal(openFrom([office], '2026-06-05T15:00Z'), '2026-06-05T22:00:00.000Z');
    assert.equal(openFrom([office], '2026-06-05T22:00Z'), '2026-06-08T12:00:00.000Z');
  });

  it('over midnight belongs to the day on which it opens', () => {
    const night = window({ days: [4], from: 22 * 60, to: DAY + 6 * 60 });
    const open = (text: string): boolean => windowAt([night], at(text)) !== null;
    assert.deepEqual(
      ['2026-06-05T21:59Z', '2026-06-05T22:00Z', '2026-06-06T05:59Z', '2026-06-06T06:00Z', '2026-06-05T01:00Z'].map(
        open,
      ),
      [false, true, true, false, false],
    );
  });

  it('that never closes has no next change; two that follow each other have one', () => {
    assert.equal(nextWindow([window({})], at('2026-06-05T00:00Z')), null);
    assert.equal(nextWindow([], 0), null);
    const [day, night] = [window({ from: 360, to: 1320 }), window({ from: 1320, to: DAY + 360, slots: 8 })];
    assert.deepEqual(nextWindow([day, night], at('2026-06-05T12:00Z')), { at: at('2026-06-05T22:00Z'), window: night });
  });

  it('that a jump of the clocks swallows opens a week later', () => {
    const swallowed = window({ days: [6], from: 120, to: 180, zone: NEW_YORK });
    assert.equal(openFrom([swallowed], '2026-03-08T00:00Z'), '2026-03-15T06:00:00.000Z');
  });

  it('over an hour that is shown twice is an hour longer', () => {
    const early = window({ from: 30, to: 120, zone: NEW_YORK });
    assert.equal(openFrom([early], '2026-11-01T04:40Z'), '2026-11-01T07:00:00.000Z');
  });

  it('that overlaps another one in spite of the project: the fewer slots hold', () => {
    assert.equal(windowAt([window({ slots: 5 }), window({ slots: 2 })], 0)?.slots, 2);
  });
});

const hours = fc
  .tuple(fc.nat({ max: 95 }), fc.integer({ min: 1, max: 96 }))
  .map(([from, length]) => ({ from: from * 15, to: (from + length) * 15 }));
const anyWindow = fc
  .tuple(fc.subarray(ALL, { minLength: 1 }), hours, fc.constantFrom(...ZONES))
  .map(([days, { from, to }, zone]) => window({ days, from, to, zone }));

/** By the wall clock alone, where clocks do not move nearby: the weekday and the minute of the day, and those of the day before. */
function openByClock({ days, from, to, zone }: Window, t: number): boolean {
  const clock = Temporal.Instant.fromEpochMilliseconds(t).toZonedDateTimeISO(zone);
  const minute = clock.hour * 60 + clock.minute;
  const today = clock.dayOfWeek - 1;
  const yesterday = (today + 6) % 7;
  return (days.includes(today) && minute >= from && minute < to) || (days.includes(yesterday) && minute + DAY < to);
}

function clocksMoveNear(zone: string, t: number): boolean {
  const offset = (days: number): number =>
    Temporal.Instant.fromEpochMilliseconds(t + days * DAY * MINUTE).toZonedDateTimeISO(zone).offsetNanoseconds;
  return [-2, -1, 1, 2].some((days) => offset(days) !== offset(0));
}

describe('windows, against brute force', () => {
  it('are open when the wall clock says so', () => {
    fc.assert(
      fc.property(anyWindow, zoned, (one, { t }) => {
        fc.pre(!clocksMoveNear(one.zone, t));
        assert.equal(windowAt([one], t) !== null, openByClock(one, t));
      }),
      { numRuns: 400 },
    );
  });

  it('change next at the first minute that differs, also where clocks move', () => {
    const windows = fc.array(anyWindow, { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(windows, zoned, (several, { t }) => {
        const change = nextWindow(several, t);
        const now = windowAt(several, t);
        // Offsets are whole minutes since 1985, and borders multiples of 15; three days of minutes cover most changes.
        const until = Math.min(change?.at ?? Infinity, t + 3 * DAY * MINUTE);
        for (let minute = t; minute < until; minute += 5 * MINUTE) assert.equal(windowAt(several, minute), now);
        if (!change) return;
        assert.notEqual(change.window, now);
        assert.equal(windowAt(several, change.at), change.window);
        assert.equal(windowAt(several, change.at - 1), now);
      }),
      { numRuns: 150 },
    );
  });

  it('overlap exactly where some minute of the year is in two', () => {
    fc.assert(
      fc.property(anyWindow, anyWindow, (a, b) => {
        const found = overlapOf([a, b]);
        if (found) {
          assert.ok(windowAt([a], found.at) && windowAt([b], found.at));
          assert.deepEqual([found.first, found.second], [0, 1]);
          return;
        }
        const start = Date.UTC(2026, 0, 1);
        for (let t = start; t < start + 366 * DAY * MINUTE; t += 15 * MINUTE * 7)
          assert.ok(!(windowAt([a], t) && windowAt([b], t)), new Date(t).toISOString());
      }),
      { numRuns: 25 },
    );
  });

  it('of two zones overlap though only in the weeks between their clock changes', () => {
    const london = window({ from: 8 * 60, to: 12 * 60, zone: 'Europe/London' });
    const newYork = window({ from: 7 * 60, to: 9 * 60, zone: NEW_YORK });
    const found = overlapOf([london, newYork]);
    assert.ok(found);
    // New York is an hour early from 8 March on, until London follows on the 29th.
    assert.equal(new Date(found.at).toISOString(), '2026-03-08T11:00:00.000Z');
  });
});
