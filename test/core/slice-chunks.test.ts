import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { chunkAxis, chunkCount, pageBorders, rangesBetween, readerCount } from '../../src/core/slice/chunks.js';

test('whatever the borders, each value is in exactly one range', () => {
  const values = fc.integer({ min: 0, max: 50 });
  fc.assert(
    fc.property(fc.array(values), values, (unsorted, value) => {
      const borders = unsorted.sort((a, b) => a - b).map(String);
      const holding = rangesBetween(borders).filter(
        ({ low, high }) => (low === null || value >= Number(low)) && (high === null || value < Number(high)),
      );
      return holding.length === 1;
    }),
  );
});

test('pages are parted into ranges about alike, of a page at least', () => {
  assert.deepEqual(pageBorders(100, 4), ['25', '50', '75']);
  assert.deepEqual(rangesBetween(pageBorders(2, 4)), [
    { low: null, high: '1' },
    { low: '1', high: null },
  ]);
  assert.deepEqual(rangesBetween(pageBorders(100, 1)), [{ low: null, high: null }]);
});

test('a table that is scanned is divided by pages, one that is searched by time, and what can be neither is not', () => {
  assert.equal(chunkAxis({ scans: true, pages: true, time: true }), 'pages');
  assert.equal(chunkAxis({ scans: false, pages: true, time: true }), 'time');
  assert.equal(chunkAxis({ scans: true, pages: false, time: true }), null);
  assert.equal(chunkAxis({ scans: false, pages: true, time: false }), null);
});

test('chunks are of about a million rows, and 256 at most', () => {
  assert.deepEqual(
    [0, 1e6, 1e6 + 1, 5e6, 1e12].map((rows) => chunkCount(rows)),
    [1, 1, 2, 5, 256],
  );
});

test('readers take the slots that the other stagings of the dataset leave', () => {
  assert.equal(readerCount(4, 1, 10), 4);
  assert.equal(readerCount(4, 2, 10), 2);
  assert.equal(readerCount(4, 12, 10), 1);
  assert.equal(readerCount(4, 1, 3), 3);
  assert.equal(readerCount(Infinity, 1, 100), 4);
});
