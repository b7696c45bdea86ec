import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeMapping } from '../../src/core/plan/encode.js';
import {
  DAYS,
  HOURS,
  NEW_YORK,
  datasetOf,
  node,
  notices,
  partitions,
  plan,
  published,
  show,
  utc,
  whys,
} from './plan-kit.js';

const range = (from: string, to: string): { from: number; to: number } => ({ from: utc(from), to: utc(to) });

describe('the range that is asked', () => {
  it('is open: from the start to the last complete partition, without a notice', () => {
    const result = plan([node('raw', 'day')]);
    assert.deepEqual(whys(result, 'raw'), ['2013-03-01 … 2013-03-15 missing']);
    assert.deepEqual(datasetOf(result, 'raw').runs, [{ start: utc('2013-03-01'), step: 86_400_000, count: 14 }]);
    assert.deepEqual(result.notices, []);
    assert.equal(result.empty, false);
  });

  it('is rounded out to whole partitions, and says so', () => {
    const result = plan([node('raw', 'day'), node('fine', 'hour')], { range: range('2013-03-02T05', '2013-03-03T07') });
    assert.deepEqual(whys(result, 'raw'), ['2013-03-02 … 2013-03-04 missing']);
    assert.deepEqual(whys(result, 'fine'), ['2013-03-02T05 … 2013-03-03T07 missing']);
    assert.deepEqual(notices(result), ['raw rounded_out']);
  });

  it('reads a day of one zone on the axis of another', () => {
    const local = node('local', 'day', [], { zone: NEW_YORK, start: '2013-03-01T05' });
    // --on 2013-03-10 in New York: 23 hours, from 05:00Z to 04:00Z.
    const result = plan([local, node('raw', 'day')], { range: range('2013-03-10T05', '2013-03-11T04') });
    assert.deepEqual(whys(result, 'local'), ['2013-03-10T05 … 2013-03-11T04 missing']);
    assert.deepEqual(whys(result, 'raw'), ['2013-03-10 … 2013-03-12 missing']);
    assert.deepEqual(datasetOf(result, 'local').runs, [
      { start: utc('2013-03-10T05'), step: 23 * 3_600_000, count: 1 },
    ]);
  });

  it('is clipped to the start and to what is complete', () => {
    const result = plan([node('raw', 'day')], { range: range('2013-02-01', '2013-04-01') });
    assert.deepEqual(whys(result, 'raw'), ['2013-03-01 … 2013-03-15 missing']);
    assert.deepEqual(notices(result), ['raw before_start', 'raw not_complete_yet']);
  });

  it('waits for readyAfter', () => {
    const slow = node('slow', 'day', [], { readyAfter: HOURS(13) });
    assert.deepEqual(whys(plan([slow]), 'slow'), ['2013-03-01 … 2013-03-14 missing']);
    assert.deepEqual(whys(plan([slow], { now: utc('2013-03-15T13') }), 'slow'), ['2013-03-01 … 2013-03-15 missing']);
  });

  it('is empty before the start and after now', () => {
    const before = plan([node('raw', 'day')], { range: range('2012-01-01', '2012-02-01') });
    assert.deepEqual([before.empty, notices(before)], [true, ['raw before_start']]);
    const after = plan([node('raw', 'day')], { range: range('2013-03-15', '2013-03-16') });
    assert.deepEqual([after.empty, notices(after)], [true, ['raw not_complete_yet']]);
    assert.equal(datasetOf(after, 'raw').asked, null);
    const future = plan([node('raw', 'day', [], { start: '2014-01-01' })]);
    assert.deepEqual([future.empty, notices(future)], [true, ['raw not_complete_yet']]);
  });

  it('is all of it for grain none', () => {
    const result = plan([node('lookup', 'none')], { range: range('2012-01-01', '2012-02-01') });
    assert.deepEqual(datasetOf(result, 'lookup').runs, [{ start: -Infinity, step: Infinity, count: 1 }]);
    assert.deepEqual(datasetOf(result, 'lookup').intervals, [{ start: -Infinity, end: Infinity, why: 'missing' }]);
    assert.equal(result.empty, false);
  });
});

describe('missing, stale, all', () => {
  const raw = node('raw', 'day');
  const ledger = new Map([
    [
      'raw',
      [
        ...published(raw, '2013-03-01', '2013-03-05'),
        ...published(raw, '2013-03-05', '2013-03-07', 'definition'),
        ...published(raw, '2013-03-07', '2013-03-08', 'inputs'),
      ],
    ],
  ]);

  it('counts all three, whatever is rebuilt', () => {
    for (const rebuild of ['missing', 'stale', 'all'] as const) {
      const { missing, stale, upToDate } = datasetOf(plan([raw], { ledger, rebuild }), 'raw');
      assert.deepEqual([missing, stale, upToDate], [7, 3, 4]);
    }
  });

  it('builds what it says, each with its reason', () => {
    assert.deepEqual(whys(plan([raw], { ledger }), 'raw'), ['2013-03-08 … 2013-03-15 missing']);
    const stale = [
      '2013-03-05 … 2013-03-07 stale: definition changed',
      '2013-03-07 … 2013-03-08 stale: inputs changed',
      '2013-03-08 … 2013-03-15 missing',
    ];
    assert.deepEqual(whys(plan([raw], { ledger, rebuild: 'stale' }), 'raw'), stale);
    assert.deepEqual(whys(plan([raw], { ledger, rebuild: 'all' }), 'raw'), [
      '2013-03-01 … 2013-03-05 asked for',
      ...stale,
    ]);
  });

  it('takes a ledger row only for a partition with exactly its borders', () => {
    const hours = node('raw', 'hour');
    const { missing, upToDate } = datasetOf(plan([hours], { ledger }), 'raw');
    assert.deepEqual([missing, upToDate], [14 * 24 + 12, 0]);
  });

  it('excludes what must not be built, and still counts it', () => {
    const exclude = new Map([['raw', [{ start: utc('2013-03-09T12'), end: utc('2013-03-11') }]]]);
    const result = plan([raw], { ledger, exclude });
    assert.deepEqual(whys(result, 'raw'), ['2013-03-08 … 2013-03-09 missing', '2013-03-11 … 2013-03-15 missing']);
    assert.equal(datasetOf(result, 'raw').missing, 7);
  });

  it('refreshes grain none by its law', () => {
    const at = utc('2013-03-14');
    const missing = (refresh: 'never' | 'always' | ReturnType<typeof DAYS>, stale: 'unseen' | null = null): number => {
      const lookup = node('lookup', 'none', [], { refresh });
      return datasetOf(
        plan([lookup], { ledger: new Map([['lookup', published(lookup, '', '', stale, at)]]) }),
        'lookup',
      ).missing;
    };
    assert.equal(missing('never'), 0);
    assert.equal(missing('never', 'unseen'), 1);
    assert.equal(missing('always'), 1);
    assert.equal(missing(DAYS(1)), 1);
    assert.equal(missing(DAYS(2)), 0);
    assert.equal(missing(HOURS(36)), 1, '36 h are over exactly now');
    assert.equal(missing(HOURS(37)), 0);
  });

  it('says why it refreshes', () => {
    const why = (refresh: 'never' | 'always' | ReturnType<typeof DAYS>, stale: 'unseen' | null = null): string[] => {
      const lookup = node('lookup', 'none', [], { refresh });
      const ledger = new Map([['lookup', published(lookup, '', '', stale, utc('2013-03-14'))]]);
      return datasetOf(plan([lookup], { ledger }), 'lookup').intervals.map((one) => one.why);
    };
    assert.deepEqual(why('never', 'unseen'), ['missing: has inputs that it never read']);
    assert.deepEqual(why('always', 'unseen'), ['refresh: always']);
    assert.deepEqual(why(HOURS(36)), ['refresh: older than 36h']);
    assert.deepEqual(why(HOURS(37)), []);
  });
});

describe('upstream', () => {
  const raw = node('raw', 'day');
  const week = node('week', 'day', [{ dataset: 'raw', lookback: DAYS(6) }]);

  it('is widened to what is read and the ledger lacks, not before its start', () => {
    const result = plan([raw, week], {
      range: range('2013-03-05', '2013-03-06'),
      ledger: new Map([['raw', published(raw, '2013-03-02', '2013-03-04')]]),
    });
    assert.deepEqual(whys(result, 'raw'), [
      '2013-03-01 … 2013-03-02 needed by week',
      '2013-03-04 … 2013-03-05 needed by week',
      '2013-03-05 … 2013-03-06 missing',
    ]);
    // Counts are over what was asked.
    assert.equal(datasetOf(result, 'raw').missing, 1);
  });

  it('must be covered where it is not selected', () => {
    const input = { selected: new Set(['week']), range: range('2013-03-05', '2013-03-07') };
    const bare = plan([raw, week], input);
    assert.deepEqual(
      bare.uncovered.map(({ dataset, reader, intervals }) => [dataset, reader, intervals.map(show)]),
      [['raw', 'week', ['2013-03-01 … 2013-03-07']]],
    );
    const covered = plan([raw, week], {
      ...input,
      ledger: new Map([['raw', published(raw, '2013-03-01', '2013-03-07')]]),
    });
    assert.deepEqual(covered.uncovered, []);
    assert.deepEqual(
      covered.datasets.map(({ name }) => name),
      ['week'],
    );
  });

  it('is widened through several datasets', () => {
    const month = node('month', 'month', ['week']);
    const result = plan([raw, week, month], {
      now: utc('2013-04-10'),
      range: range('2013-03-20', '2013-03-21'),
      selected: new Set(['raw', 'week', 'month']),
    });
    assert.deepEqual(whys(result, 'month'), ['2013-03-01 … 2013-04-01 missing']);
    assert.deepEqual(whys(result, 'week'), [
      '2013-03-01 … 2013-03-20 needed by month',
      '2013-03-20 … 2013-03-21 missing',
      '2013-03-21 … 2013-04-01 needed by month',
    ]);
    assert.deepEqual(whys(result, 'raw')[0], '2013-03-01 … 2013-03-20 needed by week');
  });

  it('leaves out a partition that reads what is not complete yet', () => {
    const months = node('months', 'month');
    const days = node('days', 'day', ['months']);
    const tail = node('tail', 'day', ['days']);
    const result = plan([months, days, tail], { now: utc('2013-04-03') });
    assert.deepEqual(whys(result, 'days'), ['2013-03-01 … 2013-04-01 missing']);
    assert.deepEqual(whys(result, 'tail'), ['2013-03-01 … 2013-04-01 missing']);
    assert.deepEqual(notices(result), ['days not_complete_yet', 'tail not_complete_yet']);
    assert.equal(datasetOf(result, 'days').missing, 33);
    assert.match(
      result.notices[0]?.message ?? '',
      /^2 partitions in 2013-04-01T.* reads months, which is not complete yet$/,
    );
  });

  it('leaves out a partition that reads what is excluded and not there', () => {
    const exclude = new Map([['raw', [{ start: utc('2013-03-04'), end: utc('2013-03-05') }]]]);
    const copy = node('copy', 'day', ['raw']);
    const input = { range: range('2013-03-03', '2013-03-06'), exclude };
    const result = plan([raw, copy], input);
    assert.deepEqual(whys(result, 'copy'), ['2013-03-03 … 2013-03-04 missing', '2013-03-05 … 2013-03-06 missing']);
    assert.deepEqual(notices(result), ['copy input_excluded']);
    const there = plan([raw, copy], {
      ...input,
      ledger: new Map([['raw', published(raw, '2013-03-04', '2013-03-05')]]),
    });
    assert.deepEqual(whys(there, 'copy'), ['2013-03-03 … 2013-03-06 missing']);
  });

  it('of grain none is needed like any other', () => {
    const lookup = node('lookup', 'none');
    const copy = node('copy', 'day', ['lookup']);
    assert.deepEqual(plan([lookup, copy], { selected: new Set(['copy']) }).uncovered, [
      { dataset: 'lookup', reader: 'copy', intervals: [{ start: -Infinity, end: Infinity }] },
    ]);
    assert.deepEqual(datasetOf(plan([lookup, copy]), 'copy').edges, [
      { upstream: 'lookup', mapping: encodeMapping(Array.from({ length: 14 }, () => ({ lo: 0, hi: 1 }))) },
    ]);
  });
});

describe('a reader of grain none', () => {
  const raw = node('raw', 'day');
  const total = node('total', 'none', ['raw']);

  it('reads to the first gap of ledger and plan, and widens nothing', () => {
    const result = plan([raw, total], {
      range: range('2013-03-03', '2013-03-05'),
      ledger: new Map([
        ['raw', [...published(raw, '2013-03-01', '2013-03-03'), ...published(raw, '2013-03-06', '2013-03-08')]],
      ]),
    });
    assert.deepEqual(whys(result, 'raw'), ['2013-03-03 … 2013-03-05 missing']);
    assert.deepEqual(datasetOf(result, 'total').window, { start: utc('2013-03-01'), end: utc('2013-03-05') });
    assert.deepEqual(datasetOf(result, 'total').edges, [
      { upstream: 'raw', mapping: encodeMapping([{ lo: 0, hi: 2 }]) },
    ]);
  });

  it('is left out where there is nothing to read, and so is who reads it', () => {
    const reader = node('reader', 'day', ['total']);
    const result = plan([raw, total, reader], { range: range('2013-03-05', '2013-03-07') });
    assert.deepEqual(
      result.datasets.map((dataset) => partitions(dataset).length),
      [2, 0, 0],
    );
    assert.deepEqual(notices(result), ['total nothing_to_read', 'reader nothing_to_read']);
  });

  it('is rebuilt when something inside its window is', () => {
    const ledger = new Map([
      ['raw', [...published(raw, '2013-03-01', '2013-03-03'), ...published(raw, '2013-03-04', '2013-03-05')]],
      ['total', published(total, '', '')],
    ]);
    const inside = plan([raw, total], { range: range('2013-03-03', '2013-03-04'), ledger });
    assert.deepEqual(datasetOf(inside, 'total').intervals, [
      { start: -Infinity, end: Infinity, why: 'reads raw 2013-03-03' },
    ]);
    const outside = plan([raw, total], { range: range('2013-03-08', '2013-03-09'), ledger });
    assert.deepEqual(datasetOf(outside, 'total').intervals, []);
  });

  it('waits for what is built beyond the gap, and is rebuilt with it, where its SQL does not stop there', () => {
    const ledger = new Map([
      ['raw', published(raw, '2013-03-01', '2013-03-03')],
      ['total', published(total, '', '')],
    ]);
    const result = plan([raw, { ...total, unbounded: ['raw'] }], { range: range('2013-03-08', '2013-03-10'), ledger });
    assert.deepEqual(whys(result, 'raw'), ['2013-03-08 … 2013-03-10 missing']);
    assert.deepEqual(datasetOf(result, 'total').intervals, [
      { start: -Infinity, end: Infinity, why: 'reads raw 2013-03-08' },
    ]);
    assert.deepEqual(datasetOf(result, 'total').edges, [
      { upstream: 'raw', mapping: encodeMapping([{ lo: 0, hi: 2 }]) },
    ]);
  });

  it('goes by its own limit in each upstream', () => {
    const other = node('other', 'day');
    const both = { ...node('both', 'none', ['raw', 'other']), unbounded: ['other'] };
    const ledger = new Map([
      ['raw', published(raw, '2013-03-01', '2013-03-03')],
      ['other', published(other, '2013-03-01', '2013-03-03')],
      ['both', published(both, '', '')],
    ]);
    const whyOf = (selected: string): string[] => {
      const asked = { range: range('2013-03-08', '2013-03-09'), ledger, selected: new Set([selected, 'both']) };
      return datasetOf(plan([raw, other, both], asked), 'both').intervals.map(({ why }) => why);
    };
    assert.deepEqual([whyOf('raw'), whyOf('other')], [[], ['reads other 2013-03-08']]);
  });
});

describe('a window that grows', () => {
  it('is looked at again when a gap closes that its reader would not have heard of', () => {
    const a = node('a', 'day');
    const b = node('b', 'day');
    const reader = node('reader', 'day', ['a', { dataset: 'b', lookback: DAYS(3) }]);
    const total = node('total', 'none', ['a', { dataset: 'b', stale: 'ignore' }]);
    const except = (one: typeof a, ...days: readonly [string, string][]): ReturnType<typeof published> =>
      days.flatMap(([from, to]) => published(one, from, to));
    const ledger = new Map([
      ['a', except(a, ['2013-03-01', '2013-03-06'], ['2013-03-07', '2013-03-15'])],
      ['b', except(b, ['2013-03-01', '2013-03-03'], ['2013-03-04', '2013-03-15'])],
      ['reader', published(reader, '2013-03-06', '2013-03-07')],
      ['total', published(total, '', '')],
    ]);
    const result = plan([a, b, reader, total], { ledger, range: range('2013-03-06', '2013-03-07') });
    assert.deepEqual(whys(result, 'b'), ['2013-03-03 … 2013-03-04 needed by reader']);
    assert.deepEqual(
      datasetOf(result, 'total').intervals.map(({ why }) => why),
      ['reads a 2013-03-06'],
    );
  });
});

describe('downstream', () => {
  const raw = node('raw', 'day');
  const week = node('week', 'day', [{ dataset: 'raw', lookback: DAYS(6) }]);
  const late = node('late', 'day', ['week']);
  const full = new Map([
    ['raw', published(raw, '2013-03-01', '2013-03-15')],
    ['week', published(week, '2013-03-01', '2013-03-15')],
    ['late', published(late, '2013-03-01', '2013-03-15')],
  ]);
  const again = { ledger: full, range: range('2013-03-05', '2013-03-06'), rebuild: 'all' as const };

  it('is rebuilt where it reads what is rebuilt, also outside the range', () => {
    const result = plan([raw, week, late], again);
    assert.deepEqual(whys(result, 'raw'), ['2013-03-05 … 2013-03-06 asked for']);
    assert.deepEqual(whys(result, 'week'), [
      '2013-03-05 … 2013-03-06 asked for',
      '2013-03-06 … 2013-03-12 reads raw 2013-03-05',
    ]);
    assert.deepEqual(whys(result, 'late'), [
      '2013-03-05 … 2013-03-06 asked for',
      '2013-03-06 … 2013-03-12 reads week from 2013-03-06',
    ]);
    assert.deepEqual(result.leavesStale, []);
  });

  it('is not touched where it is not published yet, or ignores the upstream', () => {
    const ledger = new Map([...full, ['week', published(week, '2013-03-08', '2013-03-09')] as const]);
    assert.deepEqual(whys(plan([raw, week], { ...again, ledger }), 'week'), [
      '2013-03-05 … 2013-03-06 missing',
      '2013-03-08 … 2013-03-09 reads raw 2013-03-05',
    ]);
    const deaf = node('week', 'day', [{ dataset: 'raw', lookback: DAYS(6), stale: 'ignore' }]);
    const result = plan([raw, deaf], again);
    assert.deepEqual(whys(result, 'week'), ['2013-03-05 … 2013-03-06 asked for']);
    assert.equal(datasetOf(result, 'week').edges.length, 1, 'it waits all the same');
  });

  it('is listed where it is not selected, through every reader', () => {
    const result = plan([raw, week, late], { ...again, selected: new Set(['raw']) });
    assert.deepEqual(
      result.leavesStale.map(({ dataset, intervals }) => [dataset, intervals.map(show)]),
      [
        ['week', ['2013-03-05 … 2013-03-12']],
        ['late', ['2013-03-05 … 2013-03-12']],
      ],
    );
  });

  it('is listed where it is selected but excluded', () => {
    const exclude = new Map([['week', [{ start: utc('2013-03-07'), end: utc('2013-03-08') }]]]);
    const result = plan([raw, week], { ...again, exclude });
    assert.deepEqual(
      result.leavesStale.map(({ intervals }) => intervals.map(show)),
      [['2013-03-07 … 2013-03-08']],
    );
  });

  it('makes its upstreams wide in turn', () => {
    const other = node('other', 'day');
    const both = node('both', 'day', [{ dataset: 'raw', lookback: DAYS(1) }, 'other']);
    const ledger = new Map([...full, ['both', published(both, '2013-03-05', '2013-03-07')] as const]);
    const result = plan([other, raw, both], { ...again, ledger });
    assert.deepEqual(whys(result, 'other'), [
      '2013-03-05 … 2013-03-06 missing',
      '2013-03-06 … 2013-03-07 needed by both',
    ]);
  });

  it('names hours by the minute and days by the date in the zone of the upstream', () => {
    const hours = node('hours', 'hour');
    const days = node('days', 'day', ['hours'], { zone: NEW_YORK, start: '2013-03-01T05' });
    const weeks = node('weeks', 'week', ['days'], { zone: NEW_YORK, start: '2013-03-11T04' });
    const ledger = new Map([
      [
        'hours',
        [
          ...published(hours, '2013-03-01', '2013-03-12T03'),
          ...published(hours, '2013-03-12T03', '2013-03-12T04', 'inputs'),
          ...published(hours, '2013-03-12T04', '2013-03-18T04'),
        ],
      ],
      ['days', published(days, '2013-03-01T05', '2013-03-18T04')],
      ['weeks', published(weeks, '2013-03-11T04', '2013-03-18T04')],
    ]);
    const input = { ledger, now: utc('2013-03-20'), range: range('2013-03-12T03', '2013-03-12T04') };
    const result = plan([hours, days, weeks], { ...input, rebuild: 'stale' });
    assert.deepEqual(whys(result, 'days'), ['2013-03-11T04 … 2013-03-12T04 reads hours 2013-03-12T03:00Z']);
    assert.deepEqual(whys(result, 'weeks'), ['2013-03-11T04 … 2013-03-18T04 reads days 2013-03-11']);
  });
});
