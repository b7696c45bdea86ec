import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { addDuration, durationMs, formatDuration, parseDuration, ZERO } from '../../src/core/time/duration.js';
import { zoned } from './time-arbitrary.js';

const at = (text: string): number => Date.parse(text);
const add = (t: string, text: string, zone: string, sign: 1 | -1): string =>
  new Date(addDuration(at(t), parseDuration(text) ?? assert.fail(text), zone, sign)).toISOString().slice(0, 16);

describe('parseDuration', () => {
  const ok: Record<string, [months: number, days: number, ms: number]> = {
    '5m': [0, 0, 300_000],
    '2h': [0, 0, 7_200_000],
    '30s': [0, 0, 30_000],
    '6d': [0, 6, 0],
    '1w': [0, 7, 0],
    '3mo': [3, 0, 0],
    '1y': [12, 0, 0],
    '1d12h': [0, 1, 43_200_000],
    '1y2mo3w4d5h6m7s': [14, 25, 18_367_000],
    '3mo5m': [3, 0, 300_000],
    P6D: [0, 6, 0],
    PT5M: [0, 0, 300_000],
    P1M: [1, 0, 0],
    P1Y2M3DT4H: [14, 3, 14_400_000],
    P2W: [0, 14, 0],
    '0': [0, 0, 0],
    '0d': [0, 0, 0],
  };
  for (const [text, [months, days, ms]] of Object.entries(ok)) {
    it(`reads ${text}`, () => assert.deepEqual(parseDuration(text), { months, days, ms }));
  }
  it('refuses everything else', () => {
    const bad = [
      '',
      ' ',
      '5',
      '-5m',
      '5 m',
      '1.5d',
      '5min',
      'd',
      '12h1d',
      '1d1d',
      'P',
      'PT',
      'P1DT',
      'P5H',
      '1D',
      'p1d',
      '12345678d',
      '1d\n',
    ];
    for (const text of bad) assert.equal(parseDuration(text), undefined, JSON.stringify(text));
  });
  it('reads back what formatDuration writes', () => {
    const nat = fc.nat(9_999_999);
    const duration = fc.record(
      { months: nat, days: nat, ms: fc.nat(9_999_999).map((s) => s * 1000) },
      { noNullPrototype: true },
    );
    fc.assert(fc.property(duration, (d) => assert.deepEqual(parseDuration(formatDuration(d)), d)));
    assert.equal(formatDuration({ months: 14, days: 7, ms: 5_400_000 }), '1y2mo7d1h30m');
    assert.equal(formatDuration(ZERO), '0');
  });
});

describe('addDuration', () => {
  it('adds days on the wall clock and hours exactly', () => {
    assert.equal(add('2013-03-10T05:00Z', '1d', 'America/New_York', 1), '2013-03-11T04:00');
    assert.equal(add('2013-03-10T05:00Z', '24h', 'America/New_York', 1), '2013-03-11T05:00');
    assert.equal(add('2013-11-04T05:00Z', '7d', 'America/New_York', -1), '2013-10-28T04:00');
  });
  it('ends in the last day of a shorter month', () => {
    assert.equal(add('2013-01-31T00:00Z', '1mo', 'UTC', 1), '2013-02-28T00:00');
    assert.equal(add('2012-03-31T06:30Z', '1mo', 'UTC', -1), '2012-02-29T06:30');
    assert.equal(add('2012-02-29T00:00Z', '1y', 'UTC', 1), '2013-02-28T00:00');
  });
  it('reads a time that never was as PostgreSQL does, and of two the first', () => {
    assert.equal(add('2013-03-09T07:30Z', '1d', 'America/New_York', 1), '2013-03-10T07:30');
    assert.equal(add('2013-11-04T06:30Z', '1d', 'America/New_York', -1), '2013-11-03T05:30');
  });
  it('keeps infinities, and is NaN beyond the range of dates', () => {
    assert.equal(addDuration(-Infinity, { months: 1, days: 0, ms: 0 }, 'UTC', 1), -Infinity);
    assert.equal(addDuration(Infinity, { months: 0, days: 0, ms: 5 }, 'UTC', -1), Infinity);
    assert.ok(Number.isNaN(addDuration(0, { months: 9_999_999, days: 0, ms: 0 }, 'UTC', -1)));
  });
  it('is as Temporal says', () => {
    const sign = fc.constantFrom(1 as const, -1 as const);
    const months = fc.oneof(fc.constant(0), fc.nat(40));
    const property = fc.property(zoned, months, fc.nat(400), fc.nat(100), sign, ({ zone, t }, mo, days, hours, way) => {
      // Adding no day keeps the second of two equal wall-clock times, which the reckoning below does not.
      fc.pre(mo + days > 0);
      const clock = Temporal.Instant.fromEpochMilliseconds(t).toZonedDateTimeISO(zone).toPlainDateTime();
      const moved = clock.add({ months: mo * way, days: days * way }).toZonedDateTime(zone);
      const expected = moved.add({ hours: hours * way }).epochMilliseconds;
      assert.equal(addDuration(t, { months: mo, days, ms: hours * 3_600_000 }, zone, way), expected);
    });
    fc.assert(property, { numRuns: 1000 });
  });
});

it('durationMs sorts', () => {
  const texts = ['1y', '5m', '3mo', '1w', '2h', '30d', '1mo', '0', '25h'];
  const length = (text: string): number => durationMs(parseDuration(text) ?? ZERO);
  assert.deepEqual(
    texts.sort((a, b) => length(a) - length(b)),
    ['0', '5m', '2h', '25h', '1w', '30d', '1mo', '3mo', '1y'],
  );
});
