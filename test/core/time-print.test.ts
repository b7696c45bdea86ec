import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ceilTo, floorTo, GRAINS, partitionOf } from '../../src/core/time/axis.js';
import { printClock, printInterval, printTime } from '../../src/core/time/print.js';
import { resolveRange } from '../../src/core/time/range.js';
import { readTime } from '../../src/core/time/text.js';
import { zoned, ZONES } from './time-arbitrary.js';

const at = (text: string): number => Date.parse(text);
const berlin = { zone: 'Europe/Berlin' };

test('a time is a day where one starts, and names its offset only where the clocks show it twice or another zone reads it', () => {
  assert.equal(printTime(at('2026-11-29T23:00Z'), berlin), '2026-11-30');
  assert.equal(printTime(at('2026-11-30T13:00Z'), berlin), '2026-11-30 14:00');
  assert.equal(printClock(at('2026-11-29T23:00Z'), berlin), '2026-11-30 00:00');
  assert.equal(printTime(at('2026-10-25T00:00Z'), berlin), '2026-10-25 02:00+02:00');
  assert.equal(printTime(at('2026-10-25T01:00Z'), berlin), '2026-10-25 02:00+01:00');
  assert.equal(printTime(at('2026-10-25T02:00Z'), berlin), '2026-10-25 03:00');
  assert.equal(printTime(at('2026-10-25T01:00Z'), { zone: 'Europe/London' }), '2026-10-25 01:00Z');
  assert.equal(
    printTime(at('2026-11-30T05:00Z'), { zone: 'America/New_York', typed: 'Europe/Berlin' }),
    '2026-11-30 00:00-05:00',
  );
  assert.equal(printTime(at('2018-11-04T03:00Z'), { zone: 'America/Sao_Paulo' }), '2018-11-04', 'no midnight that day');
  assert.equal(printTime(-Infinity, berlin), '-infinity');
});

test('a partition is what is typed for it; several are a range', () => {
  const whole = (start: string, end: string, grain: (typeof GRAINS)[number]): string =>
    printInterval({ start: at(start), end: at(end) }, { ...berlin, grain });
  assert.equal(whole('2026-11-29T23:00Z', '2026-11-30T23:00Z', 'day'), '2026-11-30');
  assert.equal(whole('2026-11-29T23:00Z', '2026-11-30T00:00Z', 'hour'), '2026-11-30 00:00');
  assert.equal(whole('2026-11-30T13:00Z', '2026-11-30T15:00Z', 'hour'), '[2026-11-30 14:00, 2026-11-30 16:00)');
  assert.equal(whole('2026-10-31T23:00Z', '2026-11-30T23:00Z', 'month'), '2026-11');
  assert.equal(whole('2026-10-31T23:00Z', '2026-11-30T23:00Z', 'day'), '[2026-11-01, 2026-12-01)');
  const havana = { start: at('1999-03-28T05:00Z'), end: at('1999-03-29T04:00Z') };
  assert.equal(
    printInterval(havana, { zone: 'America/Havana', typed: 'America/New_York', grain: 'day' }),
    '1999-03-28 01:00-04:00',
    'in New York that day is an hour longer',
  );
  assert.equal(printInterval({ start: -Infinity, end: Infinity }, berlin), 'all of it');
});

const clock = fc.tuple(zoned, fc.constantFrom(...ZONES), fc.integer({ min: 0, max: 59_999 }), fc.boolean());

test('what is printed is read back as the same instant, in every zone, whichever zone reads it', () => {
  fc.assert(
    fc.property(clock, ([{ zone, t: minute }, other, ms, same]) => {
      const typed = same ? zone : other;
      for (const t of [minute, minute + ms]) {
        for (const text of [printTime(t, { zone, typed }), printClock(t, { zone, typed })]) {
          assert.equal(readTime(text, typed)?.start, t, text);
          assert.equal(readTime(text.replace(' ', 'T'), typed)?.start, t, text);
        }
      }
    }),
    { numRuns: 2_000 },
  );
});

test('a printed partition, typed behind --on or as --from and --to, is that very partition', () => {
  const grain = fc.constantFrom(...GRAINS.filter((one) => one !== 'none'));
  fc.assert(
    fc.property(clock, grain, ([{ zone, t }, other, , same], grain) => {
      const typed = same ? zone : other;
      const axis = { grain, zone };
      const partition = partitionOf(axis, t);
      const text = printInterval(partition, { zone, typed, grain });
      const [, from, to] = /^\[(.*), (.*)\)$/.exec(text) ?? [];
      const result = resolveRange(from === undefined ? { on: text } : { from, to }, { zone: typed, now: 0 });
      assert.ok('range' in result, text);
      const { from: start = NaN, to: end = NaN } = result.range;
      assert.deepEqual({ start: floorTo(axis, start), end: ceilTo(axis, end) }, partition, text);
    }),
    { numRuns: 2_000 },
  );
});
