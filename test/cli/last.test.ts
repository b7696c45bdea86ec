import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lastMeans } from '../../src/planning/last.js';
import { partitionOf, type Grain } from '../../src/core/time/axis.js';
import { shownWarnings, warningText } from '../../src/cli/render/backfill.js';

const NOW = Date.parse('2026-11-30T21:00:00Z');
const axisOf = (grain: Grain, zone = 'Europe/Berlin'): { axis: { grain: Grain; zone: string } } => ({
  axis: { grain, zone },
});

function said(asked: Record<string, readonly [Grain, string, string]>, last = '3d'): string[] {
  const names = Object.entries(asked);
  const planned = names.map(([name, [grain, from, to]]) => ({
    name,
    asked: { start: partitionOf(axisOf(grain).axis, Date.parse(from)).start, end: Date.parse(to) },
  }));
  return lastMeans(last, planned, new Map(names.map(([name, [grain]]) => [name, axisOf(grain)])), NOW).map(
    ({ message }) => message,
  );
}

test('--last in words: which days it means, and that today is not complete', () => {
  const days = ['day', '2026-11-27T12:00Z', '2026-11-29T23:00Z'] as const;
  const today = '--last 3d means 27, 28, 29 November; today is not complete';
  assert.deepEqual(said({ a: days, b: days }), [today]);
  assert.deepEqual(said({ a: ['day', '2026-11-29T23:30Z', '2026-11-30T23:00Z'] }), ['--last 3d means 30 November']);
  assert.deepEqual(said({ a: ['day', '2026-11-29T12:00Z', '2026-12-01T23:00Z'] }), [
    '--last 3d means 29, 30 November, 1 December',
  ]);
  assert.deepEqual(said({ a: ['day', '2026-10-30T12:00Z', '2026-11-28T23:00Z'] }, '1mo'), [
    '--last 1mo means 30 October to 28 November; what is later is not complete',
  ]);
  assert.deepEqual(said({ a: ['hour', '2026-11-30T18:00Z', '2026-11-30T21:00Z'] }, '3h'), [
    '--last 3h means 2026-11-30 19:00 to 2026-11-30 22:00; the current hour is not complete',
  ]);
  assert.deepEqual(said({ a: days, b: ['week', '2026-11-27T12:00Z', '2026-11-29T23:00Z'] }), [
    '--last 3d means 27, 28, 29 November by day, 2026-11-23 to 2026-11-30 by week; what has not ended yet is not complete',
  ]);
  assert.deepEqual(lastMeans(undefined, [], new Map(), NOW), []);
});

test('on a screen it stands for what is said of each dataset, and for nothing else', () => {
  const warnings = [
    { dataset: 'a', code: 'last_means', message: '--last 3d means 27 November' },
    { dataset: 'a', code: 'not_complete_yet', message: 'what ends after 2026 is left out: it is not complete yet' },
    { dataset: 'a', code: 'rounded_out', message: 'rounded out to whole partitions: x' },
    { dataset: 'a', code: 'not_complete_yet', message: 'x left out: reads b, which is not complete yet' },
  ];
  assert.deepEqual(shownWarnings(warnings).map(warningText), [
    '--last 3d means 27 November',
    '! a not_complete_yet: x left out: reads b, which is not complete yet',
  ]);
  assert.equal(shownWarnings(warnings.slice(1)).length, 3);
});
