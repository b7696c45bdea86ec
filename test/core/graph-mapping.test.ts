import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  readInterval,
  readIntervalOfSelf,
  readersInterval,
  readersIntervalOfSelf,
} from '../../src/core/graph/mapping.js';
import type { Need } from '../../src/core/graph/need.js';
import { FOREVER, formatInterval, type Interval } from '../../src/core/interval/interval.js';
import { overlaps } from '../../src/core/interval/set.js';
import { addDuration } from '../../src/core/time/duration.js';
import { ZONES, zoned } from './time-arbitrary.js';
import { ceilTo, GRAINS, partitionOf, type Axis } from '../../src/core/time/axis.js';

const day: Axis = { grain: 'day', zone: 'America/New_York' };
const at = (text: string): number => Date.parse(text);
const on = (text: string, axis = day): Interval => partitionOf(axis, at(text));
const plain: Need = { dataset: 'up' };
const week: Need = { ...plain, lookback: { months: 0, days: 6, ms: 0 } };
const month: Need = { ...plain, lookback: { months: 1, days: 0, ms: 0 } };
const all: Need = { ...plain, window: 'all' };

describe('what a partition reads', () => {
  it('is the same interval, unless the need says more', () => {
    assert.deepEqual(readInterval(plain, day, on('2013-03-12T12:00Z')), on('2013-03-12T12:00Z'));
    assert.equal(
      formatInterval(readInterval(week, day, on('2013-03-12T12:00Z'))),
      '2013-03-06T05:00:00Z … 2013-03-13T04:00:00Z',
    );
    assert.deepEqual(readInterval(all, day, on('2013-03-12T12:00Z')), {
      start: -Infinity,
      end: at('2013-03-13T04:00Z'),
    });
    assert.deepEqual(readInterval(plain, { grain: 'none', zone: 'UTC' }, FOREVER), FOREVER);
  });
});

describe('who reads what changed', () => {
  const readers = (need: Need, text: string): string => formatInterval(readersInterval(need, day, on(text)));
  it('is exact for the mappings that are common', () => {
    assert.equal(readers(plain, '2013-03-12T12:00Z'), '2013-03-12T04:00:00Z … 2013-03-13T04:00:00Z');
    assert.equal(readers(week, '2013-03-06T12:00Z'), '2013-03-06T05:00:00Z … 2013-03-13T04:00:00Z');
    assert.equal(readers(all, '2013-03-06T12:00Z'), '2013-03-06T05:00:00Z … infinity');
    // 29, 30 and 31 March less a month are all 28 February.
    assert.equal(readers(month, '2013-02-28T12:00Z'), '2013-02-28T05:00:00Z … 2013-04-01T04:00:00Z');
  });
  it('counts every partition whose lookback ends in a short month', () => {
    const utc: Axis = { grain: 'day', zone: 'UTC' };
    const noon = on('2013-02-28T12:00Z', { grain: 'hour', zone: 'UTC' });
    assert.equal(formatInterval(readersInterval(month, utc, noon)), '2013-02-28T00:00:00Z … 2013-04-01T00:00:00Z');
  });
  it('counts both of two hours with one name', () => {
    // 4 November 01:00 less a day is the first of two 01:00, while 01:00 plus a day is 4 November 01:00 for both.
    const dayBack: Need = { ...plain, lookback: { months: 0, days: 1, ms: 0 } };
    const hour: Axis = { grain: 'hour', zone: 'America/New_York' };
    const first = readersInterval(dayBack, hour, on('2013-11-03T05:00Z', hour));
    assert.equal(formatInterval(first), '2013-11-03T05:00:00Z … 2013-11-04T07:00:00Z');
  });
  it('counts an hour that clocks showed a second time', () => {
    // 3 November 01:00 EST less a day is 01:00, before 01:30; but 01:30 plus a day is the first 01:30, in the hour before.
    const dayBack: Need = { ...plain, lookback: { months: 0, days: 1, ms: 0 } };
    const changed = on('2013-11-02T05:15Z', { grain: '15m', zone: 'UTC' });
    const { end } = readersInterval(dayBack, { grain: 'hour', zone: 'America/New_York' }, changed);
    assert.equal(end, at('2013-11-03T07:00Z'));
  });
  it('is in whole partitions of the reader', () => {
    const hour = on('2013-03-12T12:00Z', { grain: 'hour', zone: 'UTC' });
    assert.deepEqual(readersInterval(plain, day, hour), on('2013-03-12T12:00Z'));
    assert.deepEqual(readersInterval(plain, day, FOREVER), FOREVER);
    assert.deepEqual(readersInterval(week, day, FOREVER), FOREVER);
    assert.deepEqual(readersInterval(week, { grain: 'none', zone: 'UTC' }, hour), FOREVER);
  });
});

const grain = fc.constantFrom(...GRAINS);
const hours = fc.nat(100).map((h) => h * 3_600_000);
const lookback = fc.oneof(
  fc.record({ months: fc.nat(3), days: fc.nat(40), ms: hours }),
  fc.record({ months: fc.constant(0), days: fc.nat(10), ms: fc.constant(0) }),
  fc.record({ months: fc.nat(13), days: fc.constant(0), ms: fc.constant(0) }),
);
const need: fc.Arbitrary<Need> = fc.oneof(
  fc.constantFrom(plain, all),
  lookback.map((back): Need => ({ dataset: 'up', lookback: back })),
);

const minutes = fc
  .oneof(fc.integer({ min: -150, max: 150 }), fc.integer({ min: -6000, max: 6000 }))
  .map((m) => m * 60_000);

/** A reader's partition and an upstream's that its reading begins near, so that about half of the pairs touch. */
const pair = fc
  .record({ need, readerGrain: grain, upstreamGrain: grain, upstreamZone: fc.constantFrom(...ZONES), place: zoned })
  .chain(({ need: one, readerGrain, upstreamGrain, upstreamZone, place: { zone, t } }) => {
    const reader: Axis = { grain: readerGrain, zone };
    const upstream: Axis = { grain: upstreamGrain, zone: upstreamZone };
    const later = one.lookback ? addDuration(t, one.lookback, zone, 1) : t;
    const earlier = one.lookback ? addDuration(t, one.lookback, zone, -1) : t;
    // Where clocks move is interesting on either side.
    return fc
      .tuple(fc.constantFrom([later, t] as const, [t, earlier] as const), minutes)
      .map(([[reads, isRead], off]) => ({
        need: one,
        reader,
        p: partitionOf(reader, reads),
        u: partitionOf(upstream, isRead + off),
      }));
  });

describe('both directions agree', () => {
  it('a partition that reads another is among its readers', () => {
    fc.assert(
      fc.property(pair, ({ need: one, reader, p, u }) => {
        if (overlaps(readInterval(one, reader, p), u)) assert.ok(overlaps(readersInterval(one, reader, u), p));
      }),
      { numRuns: 3000 },
    );
  });

  it('the first and the last of the readers do read', () => {
    fc.assert(
      fc.property(pair, ({ need: one, reader, u }) => {
        fc.pre(reader.grain !== 'none' && u.start !== -Infinity);
        const found = readersInterval(one, reader, u);
        assert.ok(overlaps(readInterval(one, reader, partitionOf(reader, found.start)), u));
        if (found.end === Infinity) {
          assert.equal(one.window, 'all');
          return;
        }
        assert.equal(ceilTo(reader, found.end), found.end);
        assert.ok(overlaps(readInterval(one, reader, partitionOf(reader, found.end - 1)), u));
      }),
      { numRuns: 1000 },
    );
  });

  it('also for a dataset that reads itself', () => {
    fc.assert(
      fc.property(pair, ({ need: one, reader, p, u }) => {
        const read = readIntervalOfSelf(one, reader, p);
        if (read === undefined || !overlaps(read, u)) return;
        const readers = readersIntervalOfSelf(one, reader, u);
        assert.ok(readers !== undefined && overlaps(readers, p));
      }),
      { numRuns: 3000 },
    );
  });
});

describe('a dataset that reads itself', () => {
  it('reads the partition before, or what its need says, never the one being built', () => {
    const monday = on('2013-03-11T12:00Z');
    assert.deepEqual(readIntervalOfSelf(plain, day, monday), on('2013-03-10T12:00Z'));
    assert.deepEqual(readIntervalOfSelf(week, day, monday), { start: at('2013-03-05T05:00Z'), end: monday.start });
    assert.deepEqual(readIntervalOfSelf(all, day, monday), { start: -Infinity, end: monday.start });
    assert.equal(readIntervalOfSelf(plain, { grain: 'none', zone: 'UTC' }, FOREVER), undefined);
    assert.equal(readIntervalOfSelf({ ...plain, lookback: { months: 0, days: 0, ms: 0 } }, day, monday), undefined);
  });
  it('is read by the partition after', () => {
    assert.deepEqual(readersIntervalOfSelf(plain, day, on('2013-03-10T12:00Z')), on('2013-03-11T12:00Z'));
    assert.equal(readersIntervalOfSelf(plain, { grain: 'none', zone: 'UTC' }, FOREVER), undefined);
  });
});
