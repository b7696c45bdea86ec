import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandLines, requestWords, shellWord, sluice } from '../../src/cli/render/command.js';
import {
  formatBar,
  formatCount,
  formatDuration,
  formatPercent,
  formatRate,
  formatShort,
  formatSpan,
  formatTime,
} from '../../src/cli/render/format.js';
import { table } from '../../src/cli/render/table.js';
import { brokenRows, clean, cut, paint, span, visibleWidth, wrap } from '../../src/cli/render/text.js';
import { local } from '../../src/cli/render/times.js';

test('numbers', () => {
  assert.equal(formatCount(12345), '12,345');
  assert.deepEqual([0, 99_999, 100_000, 999_999, 1_260_000, 3.4e9, 5e12].map(formatShort), [
    '0',
    '99,999',
    '100k',
    '999k',
    '1.2M',
    '3.4B',
    '5.0T',
  ]);
  assert.deepEqual(
    [undefined, 0, 0.1, 0.95, 3.14159, 9.99, 1234].map((rate) => formatRate(rate)),
    ['–', '0/s', '6/min', '0.9/s', '3.1/s', '10/s', '1,234/s'],
  );
  assert.deepEqual([formatPercent(364, 365), formatPercent(365, 365), formatPercent(0, 0)], ['99%', '100%', '–']);
});

test('durations', () => {
  assert.deepEqual([-5, 999, 59_999, 65_000, 3_599_000, 7_380_000, 273_600_000].map(formatDuration), [
    '0s',
    '0s',
    '59s',
    '1m 05s',
    '59m 59s',
    '2h 03m',
    '3d 04h',
  ]);
});

test('instants and intervals are read in the zone, a day of 23 h is one day', () => {
  const newYork = { zone: 'America/New_York' };
  assert.equal(formatTime('2013-03-10T00:00:00Z'), '2013-03-10');
  assert.equal(formatTime('2013-03-10T05:00:00Z'), '2013-03-10 05:00');
  assert.equal(formatTime('2013-03-10T05:00:00Z', newYork), '2013-03-10');
  assert.equal(formatTime('2013-03-10T08:30:15Z', newYork), '2013-03-10 04:30:15');
  assert.equal(formatTime('-infinity'), '-infinity');
  const shortDay = { start: '2013-03-10T05:00:00Z', end: '2013-03-11T04:00:00Z' };
  assert.equal(formatSpan(shortDay, newYork), '2013-03-10');
  assert.equal(formatSpan(shortDay), '[2013-03-10 05:00, 2013-03-11 04:00)');
  assert.equal(formatSpan({ start: '2013-01-01T00:00:00Z', end: '2013-02-01T00:00:00Z' }), '[2013-01-01, 2013-02-01)');
  assert.equal(formatSpan({ start: '-infinity', end: 'infinity' }), 'all of it');
});

const bar = (total: number, done: number, failed = 0, blocked = 0, skipped = 0, width = 10): string =>
  formatBar({ total, done, failed, blocked, skipped }, width)
    .map(({ text }) => text)
    .join('');

test('a bar is as wide as asked, shows the one that failed, and is full only when all is done', () => {
  assert.equal(bar(100, 50), '█████░░░░░');
  assert.equal(bar(1000, 999), '█████████░');
  assert.equal(bar(1000, 1000), '██████████');
  assert.equal(bar(1000, 900, 1, 1, 1), '██████x▒-░');
  assert.equal(bar(0, 0), '░░░░░░░░░░');
  assert.equal(bar(5, 1, 1, 1, 1, 3).length, 3);
});

test('lines that were drawn on a wider terminal take more rows on a narrow one', () => {
  const lines = [paint([span('x'.repeat(100), 'good')], { width: 100, color: true }), 'short', '日'.repeat(31)];
  assert.deepEqual(
    [120, 100, 99, 60, 50].map((width) => brokenRows(lines, width)),
    [0, 0, 1, 2, 2],
  );
});

test('text is measured in columns and cut with …', () => {
  assert.deepEqual(['abc', 'né', '日本', '👍', 'e\u0301'].map(visibleWidth), [3, 2, 4, 2, 1]);
  assert.equal(paint(cut([span('日本語')], 4), { width: 10, color: false }), '日…');
  assert.equal(paint([span('ab'), span('cdef', 'bad')], { width: 4, color: true }), 'ab\u001b[31mc\u001b[39m…');
  assert.equal(clean('a\u001b[31mb\nc\u202ed'), 'a [31mb cd');
  assert.deepEqual(wrap('one two  three', 7), ['one two', 'three']);
  assert.deepEqual(wrap('abcdefgh', 3), ['abc', 'def', 'gh']);
});

test('a command can be pasted: words quoted, lines joined, no word broken', () => {
  assert.equal(shellWord('a b'), "'a b'");
  assert.equal(shellWord("it's"), `'it'\\''s'`);
  assert.equal(
    sluice(['why', 'Orte & Züge', '2013-03-10T00:00:00Z'], 'prod'),
    "sluice why 'Orte & Züge' 2013-03-10T00:00:00Z -e prod",
  );
  assert.deepEqual(commandLines("sluice why 'a b c' 2013-03-10", 18), [
    'sluice why \\',
    "  'a b c' \\",
    '  2013-03-10',
  ]);
  assert.deepEqual(requestWords({ select: ['a', 'b*'], last: '30d', rebuild: 'missing', priority: 3 }), [
    'a',
    'b*',
    '--last',
    '30d',
  ]);
  assert.deepEqual(requestWords({ select: ['a'], only: true, set: { x: -5, y: 'a b' }, overwrite: true }), [
    ...['a', '--set', 'x=-5', '--set', 'y=a b', '--only', '--overwrite'],
  ]);
});

test('a table shrinks what may shrink, then leaves out what matters least', () => {
  const columns = [
    { title: 'NAME', min: 4 },
    { title: 'N', align: 'right' as const, keep: 10 },
    { title: 'STATE', keep: 90 },
  ];
  const rows = [[[span('long_name')], [span('12')], [span('running')]]];
  const at = (width: number): string[] => table(columns, rows, { width, color: false });
  assert.deepEqual(at(40), ['NAME        N  STATE', 'long_name  12  running']);
  assert.deepEqual(at(19), ['NAME     N  STATE', 'long_…  12  running']);
  assert.deepEqual(at(14), ['NAME   STATE', 'long…  running']);
});

test('instants in our messages and commands are shown by the project’s clock, where a person reads', () => {
  const berlin = { zone: 'Europe/Berlin', of: () => ({ zone: 'Europe/Berlin' }) };
  assert.equal(
    local('x holds a 2026-11-29T23:00:00Z … 2026-11-30T13:00:00Z since 2026-11-30T14:03:05.123Z', berlin),
    'x holds a 2026-11-30 … 2026-11-30 14:00 since 2026-11-30 15:03:05',
  );
  const sql = "FOR VALUES FROM ('2026-11-29T23:00:00.000Z')";
  assert.equal(local(sql, berlin), sql);
  // A shell reads a time with a space as two words.
  assert.equal(
    local(
      'sluice adopt a --from 2026-11-30T13:00:00Z --to 2026-11-30T23:00:00Z; sluice why a 2026-10-25T01:00:00Z',
      berlin,
    ),
    'sluice adopt a --from 2026-11-30T14:00 --to 2026-12-01; sluice why a 2026-10-25T02:00+01:00',
  );
});
