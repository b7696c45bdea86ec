import assert from 'node:assert/strict';
import { test } from 'node:test';
import { markdownTable, median, medianRatio } from '../../bench/lib/figures.js';

test('the median is the middle, by value and not by text', () => {
  assert.equal(median([100, 9, 20]), 20);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.throws(() => median([]), /no values/);
});

test('ratios are taken run by run', () => {
  const pairs = [
    { sluice: 1, baseline: 2 },
    { sluice: 30, baseline: 30 },
    { sluice: 8, baseline: 10 },
  ];
  assert.equal(medianRatio(pairs), 0.8);
});

test('a table is Markdown with padded cells', () => {
  assert.equal(markdownTable(['what', 's'], [['loop', '1.25']]), '| what | s    |\n| ---- | ---- |\n| loop | 1.25 |');
});
