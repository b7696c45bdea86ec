import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fitting } from '../../activities/planned-rows.js';
import type { PlannedRow } from '../../src/contracts/messages.js';

const rowOf = (index: number, length: number): PlannedRow => ({
  name: `d${index}`.padEnd(length, 'x'),
  total: 24,
  needs: [],
  readers: [],
  priority: 3,
  partitionMs: null,
  what: 'transform by hour',
});

test('a plan of 1,000 datasets is told in parts under 100 KB each, and all of it', () => {
  const rows = Array.from({ length: 1_000 }, (_, index) => rowOf(index, 63));
  const told: PlannedRow[] = [];
  while (told.length < rows.length) {
    const part = fitting(rows.slice(told.length));
    assert.ok(part.length > 0 && JSON.stringify(part).length < 100_000, `${part.length} rows`);
    told.push(...part);
  }
  assert.deepEqual(told, rows);
});

test('a row that is too large alone is told all the same', () => {
  const rows = [rowOf(0, 70_000), rowOf(1, 10)];
  assert.deepEqual(fitting(rows), rows.slice(0, 1));
});
