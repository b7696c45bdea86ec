import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lacksIndex, scansOnce } from '../../src/core/plan/scan.js';

const all = { rows: 20e6, cost: 400_000, scans: true };

test('a year of days without an index is read once; with one, or in a small table, it is not', () => {
  const one = { rows: 50_000, cost: 390_000, scans: true };
  assert.equal(scansOnce(one, all, 365), true);
  assert.equal(scansOnce({ ...one, scans: false }, all, 365), false);
  assert.equal(scansOnce(one, { ...all, rows: 10_000 }, 365), false);
});

test('one partition is not staged for a scan that it costs anyway, but its index is missing all the same', () => {
  const one = { rows: 50_000, cost: 390_000, scans: true };
  assert.equal(scansOnce(one, all, 1), false);
  assert.equal(lacksIndex(one, all), true);
});

test('a table partitioned by month is scanned a month at a time: read once where that is half of the work', () => {
  const one = { rows: 50_000, cost: 33_000, scans: true };
  assert.equal(scansOnce(one, all, 12), false);
  assert.equal(scansOnce(one, all, 365), true);
});
