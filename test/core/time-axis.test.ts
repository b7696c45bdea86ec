import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { formatInstant, type Interval } from '../../src/core/interval/interval.js';
import { countRuns, partitionsOf, runEnd } from '../../src/core/interval/runs.js';
import { ceilTo, floorTo, GRAINS, nextBorder, partitionOf, partitionsIn, type Axis } from '../../src/core/time/axis.js';
import { isZone } from '../../src/core/time/zone.js';
import { ZONES, zoned } from './time-arbitrary.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const at = (text: string): number => Date.parse(text);
const list = (axis: Axis, start: string, end: string): string[] =>
  [...partitionsOf(partitionsIn(axis, { start: at(start), end: at(end) }))].map((p) => formatInstant(p.start));
const hoursOf = (axis: Axis, start: string, end: string): number[] =>
  [...partitionsOf(partitionsIn(axis, { start: at(start), end: at(end) }))].map((p) => (p.end - p.start) / HOUR);

const grain = fc.constantFrom(...GRAINS.filter((g) => g !== 'none'));
/** An axis and an instant that is interesting in its zone. */
const axisAt = fc
  .record({ grain, place: zoned })
  .map(({ grain: g, place }) => ({ axis: { grain: g, zone: place.zone }, t: place.t }));

describe('days', () => {
  const newYork: Axis = { grain: 'day', zone: 'America/New_York' };

  it('last 23 and 25 hours when clocks move', () => {
    assert.deepEqual(hoursOf(newYork, '2013-03-09T05:00Z', '2013-03-12T04:00Z'), [24, 23, 24]);
    assert.deepEqual(hoursOf(newYork, '2013-11-02T04:00Z', '2013-11-05T05:00Z'), [24, 25, 24]);
    assert.deepEqual(partitionsIn(newYork, { start: at('2013-03-09T05:00Z'), end: at('2013-03-12T04:00Z') }), [
      { start: at('2013-03-09T05:00Z'), step: DAY, count: 1 },
      { start: at('2013-03-10T05:00Z'), step: 23 * HOUR, count: 1 },
      { start: at('2013-03-11T04:00Z'), step: DAY, count: 1 },
    ]);
  });

  it('start at their first instant where clocks skip midnight', () => {
    const saoPaulo: Axis = { grain: 'day', zone: 'America/Sao_Paulo' };
    assert.deepEqual(list(saoPaulo, '2018-11-03T03:00Z', '2018-11-05T02:00Z'), [
      '2018-11-03T03:00:00Z',
      '2018-11-04T03:00:00Z',
    ]);
    assert.deepEqual(hoursOf(saoPaulo, '2018-11-04T03:00Z', '2018-11-05T02:00Z'), [23]);
  });

  it('start at the first of two midnights', () => {
    assert.equal(
      formatInstant(floorTo({ grain: 'day', zone: 'America/Havana' }, at('2013-11-03T12:00Z'))),
      '2013-11-03T04:00:00Z',
    );
  });

  it('do not exist where a zone left one out', () => {
    assert.deepEqual(list({ grain: 'day', zone: 'Pacific/Apia' }, '2011-12-29T10:00Z', '2011-12-31T10:00Z'), [
      '2011-12-29T10:00:00Z',
      '2011-12-30T10:00:00Z',
    ]);
  });

  it('are as Temporal says, in every zone', () => {
    const property = fc.property(zoned, ({ zone: name, t }) => {
      // St John's clocks went back at 00:01, so a minute of a new day came before an hour of the old one: see below.
      fc.pre(name !== 'America/St_Johns');
      const day = Temporal.Instant.fromEpochMilliseconds(t).toZonedDateTimeISO(name).startOfDay();
      const partition = partitionOf({ grain: 'day', zone: name }, t);
      assert.equal(partition.start, day.epochMilliseconds);
      assert.equal(partition.end, day.add({ days: 1 }).startOfDay().epochMilliseconds);
    });
    fc.assert(property, { numRuns: 2000 });
  });

  it('stay in order where clocks go back over midnight', () => {
    const day = partitionOf({ grain: 'day', zone: 'America/St_Johns' }, at('2006-10-29T02:45Z'));
    assert.equal(formatInstant(day.start), '2006-10-29T02:30:00Z');
    assert.equal(formatInstant(day.end), '2006-10-30T03:30:00Z');
  });
});

describe('hours', () => {
  it('are both there when clocks go back, and none is missing when they go forward', () => {
    const newYork: Axis = { grain: 'hour', zone: 'America/New_York' };
    assert.deepEqual(hoursOf(newYork, '2013-11-03T04:00Z', '2013-11-04T05:00Z'), Array(25).fill(1));
    assert.deepEqual(hoursOf(newYork, '2013-03-10T05:00Z', '2013-03-11T04:00Z'), Array(23).fill(1));
  });

  it('follow a zone of half an hour', () => {
    assert.equal(
      formatInstant(floorTo({ grain: 'hour', zone: 'Asia/Kolkata' }, at('2024-01-01T00:10Z'))),
      '2023-12-31T23:30:00Z',
    );
  });

  it('stretch where clocks move by half an hour', () => {
    const lordHowe: Axis = { grain: 'hour', zone: 'Australia/Lord_Howe' };
    assert.deepEqual(list(lordHowe, '2024-04-06T13:00Z', '2024-04-06T16:30Z'), [
      '2024-04-06T13:00:00Z',
      '2024-04-06T14:00:00Z',
      '2024-04-06T15:30:00Z',
    ]);
    assert.equal(formatInstant(floorTo(lordHowe, at('2024-04-06T15:10Z'))), '2024-04-06T14:00:00Z');
    assert.deepEqual(hoursOf(lordHowe, '2024-10-05T13:30Z', '2024-10-05T17:00Z'), [1, 1.5, 1]);
    assert.deepEqual(
      hoursOf({ ...lordHowe, grain: '15m' }, '2024-10-05T15:00Z', '2024-10-05T16:00Z'),
      Array(4).fill(0.25),
    );
  });

  it('start where the wall clock shows a whole multiple, and nowhere else', () => {
    const steps = { '5m': 5, '15m': 15, hour: 60 };
    const property = fc.property(fc.constantFrom('5m', '15m', 'hour'), zoned, (name, { zone: place, t }) => {
      const partition = partitionOf({ grain: name, zone: place }, t);
      assert.ok(partition.start <= t && t < partition.end);
      for (let border = partition.start; border <= partition.end; border += 60_000) {
        const clock = Temporal.Instant.fromEpochMilliseconds(border).toZonedDateTimeISO(place);
        const whole = clock.second === 0 && clock.minute % steps[name] === 0;
        assert.equal(whole, border === partition.start || border === partition.end, clock.toString());
      }
    });
    fc.assert(property, { numRuns: 300 });
  });
});

describe('long grains', () => {
  it('start on Mondays, first days of months, quarters and years', () => {
    const berlin = (g: Axis['grain'], t: string): string =>
      formatInstant(floorTo({ grain: g, zone: 'Europe/Berlin' }, at(t)));
    assert.equal(berlin('week', '2013-01-06T22:59Z'), '2012-12-30T23:00:00Z');
    assert.equal(berlin('week', '2013-01-06T23:00Z'), '2013-01-06T23:00:00Z');
    assert.equal(berlin('month', '2013-03-31T22:00Z'), '2013-03-31T22:00:00Z');
    assert.equal(berlin('month', '2013-03-31T21:59Z'), '2013-02-28T23:00:00Z');
    assert.equal(berlin('quarter', '2013-08-15T00:00Z'), '2013-06-30T22:00:00Z');
    assert.equal(berlin('year', '2013-08-15T00:00Z'), '2012-12-31T23:00:00Z');
    assert.deepEqual(
      hoursOf({ grain: 'week', zone: 'Europe/Berlin' }, '2013-03-26T00:00Z', '2013-03-27T00:00Z'),
      [167],
    );
  });

  it('are as Temporal says', () => {
    fc.assert(
      fc.property(zoned, ({ zone: name, t }) => {
        fc.pre(name !== 'America/St_Johns');
        const date = Temporal.Instant.fromEpochMilliseconds(t).toZonedDateTimeISO(name).toPlainDate();
        const start = (d: Temporal.PlainDate): number => d.toZonedDateTime(name).epochMilliseconds;
        assert.equal(floorTo({ grain: 'week', zone: name }, t), start(date.subtract({ days: date.dayOfWeek - 1 })));
        assert.equal(floorTo({ grain: 'month', zone: name }, t), start(date.with({ day: 1 })));
        assert.equal(floorTo({ grain: 'year', zone: name }, t), start(date.with({ month: 1, day: 1 })));
        const quarter = Math.floor((date.month - 1) / 3) * 3 + 1;
        assert.equal(floorTo({ grain: 'quarter', zone: name }, t), start(date.with({ month: quarter, day: 1 })));
      }),
      { numRuns: 500 },
    );
  });
});

describe('grain none', () => {
  it('is one partition, all of time', () => {
    const none: Axis = { grain: 'none', zone: 'UTC' };
    assert.deepEqual(partitionsIn(none, { start: 0, end: 1 }), [{ start: -Infinity, step: Infinity, count: 1 }]);
    assert.deepEqual(partitionOf(none, 0), { start: -Infinity, end: Infinity });
    assert.equal(floorTo(none, 5), -Infinity);
    assert.equal(ceilTo(none, 5), Infinity);
  });
});

describe('partitions of every grain in every zone', () => {
  it('cover an interval without a gap, and no more than it touches', () => {
    const cover = ({ axis: a, t }: { axis: Axis; t: number }, share: number): void => {
      const most = a.grain === '5m' || a.grain === '15m' ? 300 : a.grain === 'hour' ? 3000 : 20_000;
      const interval: Interval = { start: t, end: t + 1 + Math.floor(share * most * HOUR) };
      const runs = partitionsIn(a, interval);
      const parts: readonly Interval[] = [...partitionsOf(runs)];
      const [first] = parts;
      assert.ok(first !== undefined);
      assert.equal(parts.length, countRuns(runs));
      assert.equal(first.start, floorTo(a, interval.start));
      assert.equal(parts.at(-1)?.end, ceilTo(a, interval.end));
      assert.ok(first.end > interval.start);
      assert.ok((parts.at(-1)?.start ?? Infinity) < interval.end);
      parts.forEach((part, i) => {
        assert.ok(part.start < part.end);
        if (i > 0) assert.equal(part.start, parts[i - 1]?.end);
      });
      for (const [i, run] of runs.entries()) {
        const next = runs[i + 1];
        if (next) assert.ok(runEnd(run) === next.start && run.step !== next.step);
      }
      for (const part of parts.slice(0, 50)) assert.deepEqual(partitionOf(a, part.start), part);
    };
    fc.assert(fc.property(axisAt, fc.double({ min: 0, max: 1, noNaN: true }), cover), { numRuns: 600 });
  });

  it('round idempotently, and neighbours agree on their border', () => {
    fc.assert(
      fc.property(axisAt, fc.nat(59_999), ({ axis: a, t: minute }, ms) => {
        const t = minute + ms;
        const floor = floorTo(a, t);
        const next = nextBorder(a, t);
        assert.ok(floor <= t && t < next);
        assert.equal(floorTo(a, floor), floor);
        assert.equal(ceilTo(a, floor), floor);
        assert.equal(ceilTo(a, next), next);
        assert.equal(floorTo(a, next - 1), floor);
        assert.equal(nextBorder(a, floor), next);
        assert.equal(ceilTo(a, t), floor === t ? t : next);
      }),
      { numRuns: 2000 },
    );
  });

  it('are refused for an endless interval', () => {
    assert.throws(() => partitionsIn({ grain: 'day', zone: 'UTC' }, { start: -Infinity, end: 0 }), RangeError);
  });

  it('of ten years of hours are a run or two, counted right', () => {
    const years = { start: at('2010-01-01T05:00Z'), end: at('2020-01-01T05:00Z') };
    const runs = partitionsIn({ grain: 'hour', zone: 'America/New_York' }, years);
    assert.deepEqual(runs, [{ start: years.start, step: HOUR, count: 87_648 }]);
    assert.equal(countRuns(partitionsIn({ grain: 'day', zone: 'America/New_York' }, years)), 3652);
  });
});

it('isZone knows IANA names and refuses offsets', () => {
  for (const name of [...ZONES, 'Etc/UTC']) assert.ok(isZone(name), name);
  for (const name of ['', 'Mars/Olympus', '+05:30', 'America/New_Yorc', 'UTC+1', ' UTC'])
    assert.ok(!isZone(name), name);
});
