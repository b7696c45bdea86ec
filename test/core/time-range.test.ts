import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatInstant } from '../../src/core/interval/interval.js';
import { resolveRange, type RangeOptions, type RangeProblem } from '../../src/core/time/range.js';

const NOW = Date.parse('2013-11-04T12:00:00Z');

function range(options: RangeOptions, zone = 'America/New_York'): [from: string | undefined, to: string | undefined] {
  const result = resolveRange(options, { zone, now: NOW });
  assert.ok('range' in result, JSON.stringify(result));
  const { from, to } = result.range;
  return [from === undefined ? undefined : formatInstant(from), to === undefined ? undefined : formatInstant(to)];
}

function problem(options: RangeOptions): RangeProblem {
  const result = resolveRange(options, { zone: 'UTC', now: NOW });
  assert.ok('problem' in result, JSON.stringify(result));
  return result.problem;
}

describe('resolveRange', () => {
  it('leaves open what is not given', () => {
    assert.deepEqual(range({}), [undefined, undefined]);
    assert.deepEqual(resolveRange({}, { zone: 'UTC', now: NOW }), { range: {} });
    assert.deepEqual(range({ from: '2013-01-01' }, 'UTC'), ['2013-01-01T00:00:00Z', undefined]);
    assert.deepEqual(range({ to: '2013-01-01' }, 'UTC'), [undefined, '2013-01-01T00:00:00Z']);
  });

  it('reads a time without a zone in the zone given', () => {
    assert.deepEqual(range({ from: '2013-03-10', to: '2013-03-11' }), ['2013-03-10T05:00:00Z', '2013-03-11T04:00:00Z']);
    assert.deepEqual(range({ from: '2013-03-10T05', to: '2013-03-10 06:30' }), [
      '2013-03-10T09:00:00Z',
      '2013-03-10T10:30:00Z',
    ]);
    assert.deepEqual(range({ from: '2013-07', to: '2014' }), ['2013-07-01T04:00:00Z', '2014-01-01T05:00:00Z']);
    assert.deepEqual(range({ from: '2018-11-04' }, 'America/Sao_Paulo'), ['2018-11-04T03:00:00Z', undefined]);
  });

  it('reads a zone where one is written', () => {
    const to = '2013-03-10T05:00:00.250+05:30';
    assert.deepEqual(range({ from: '2013-03-01T00:00Z', to }), ['2013-03-01T00:00:00Z', '2013-03-09T23:30:00.250Z']);
    assert.deepEqual(range({ from: '2013-03-01T00:00:00-0500' }), ['2013-03-01T05:00:00Z', undefined]);
  });

  it('reads --on as the time that is named', () => {
    assert.deepEqual(range({ on: '2013-03-10' }), ['2013-03-10T05:00:00Z', '2013-03-11T04:00:00Z']);
    assert.deepEqual(range({ on: '2013-12' }), ['2013-12-01T05:00:00Z', '2014-01-01T05:00:00Z']);
    assert.deepEqual(range({ on: '2013' }, 'UTC'), ['2013-01-01T00:00:00Z', '2014-01-01T00:00:00Z']);
    assert.deepEqual(range({ on: '2013-03-10T10:00Z' }), ['2013-03-10T10:00:00Z', '2013-03-10T10:00:00.001Z']);
  });

  it('counts --last back from now, days on the wall clock', () => {
    assert.deepEqual(range({ last: '2d' }), ['2013-11-02T11:00:00Z', '2013-11-04T12:00:00Z']);
    assert.deepEqual(range({ last: '48h' }), ['2013-11-02T12:00:00Z', '2013-11-04T12:00:00Z']);
  });

  it('refuses from at or after to, and says that to is exclusive', () => {
    for (const to of ['2013-01-02', '2013-01-01']) {
      const found = problem({ from: '2013-01-02', to });
      assert.equal(found.code, 'range_empty');
      assert.match(found.message, new RegExp(`--from 2013-01-02 --to ${to}.*--to is exclusive`));
      assert.match(found.remedy, /--on 2013-01-02/);
    }
  });

  it('refuses what is no time', () => {
    const bad = [
      '',
      'yesterday',
      '2013-13-01',
      '2013-00-01',
      '2013-02-30',
      '2013-04-31',
      '2013-01-00',
      '2013-1-1',
      '13-01-01',
      '2013-01-01T24:00',
      '2013-01-01T05:60',
      '2013-01-01T05:00:60',
      '2013-01-01T05:00:00.1234567',
      '2013-01-01T05:00+99:00',
      '2013-01-01Z',
      '2013-01-01\n',
      '2013-01-01T05:00[UTC]',
      '1357000000',
    ];
    for (const text of bad) {
      for (const option of ['from', 'to', 'on'] as const) {
        const found = problem({ [option]: text });
        assert.equal(found.code, 'bad_time', text);
        assert.ok(found.message.includes(`--${option} ${JSON.stringify(text)}`), found.message);
      }
    }
    assert.ok('problem' in resolveRange({ on: '2011-12-30' }, { zone: 'Pacific/Apia', now: NOW }));
    assert.deepEqual(range({ on: '2012-02-29' }, 'UTC'), ['2012-02-29T00:00:00Z', '2012-03-01T00:00:00Z']);
  });

  it('refuses what is no length of time', () => {
    for (const last of ['', '30', '0d', '-3d', '9999999y', 'P'])
      assert.equal(problem({ last }).code, 'bad_duration', last);
    assert.match(problem({ last: '30' }).message, /"30"/);
  });

  it('refuses two ranges at once', () => {
    for (const other of [{ from: '2013-01-01' }, { to: '2013-01-01' }, { last: '3d' }]) {
      const found = problem({ on: '2013-01-01', ...other });
      assert.equal(found.code, 'range_options_conflict');
      assert.match(found.message, /--on 2013-01-01/);
    }
    assert.equal(problem({ last: '3d', to: '2013-01-01' }).code, 'range_options_conflict');
  });
});
