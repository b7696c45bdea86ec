import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { adaptWidth } from '../../src/core/slice/width.js';

test('a slice that waited longer than half of its run narrows, one that did not widens', () => {
  assert.equal(adaptWidth(4, 8, { waitedMs: 600, ranMs: 1000 }), 3);
  assert.equal(adaptWidth(4, 8, { waitedMs: 400, ranMs: 1000 }), 5);
  // What takes as long to hand over as to run did not wait for anybody.
  assert.equal(adaptWidth(4, 8, { waitedMs: 99, ranMs: 10 }), 5);
  assert.equal(adaptWidth(4, 8, { waitedMs: 101, ranMs: 10 }), 3);
});

test('the width stays between two and the slots', () => {
  const ms = fc.double({ min: 0, max: 1e6, noNaN: true });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 64 }),
      fc.integer({ min: 1, max: 64 }),
      ms,
      ms,
      (width, slots, waitedMs, ranMs) => {
        const next = adaptWidth(width, slots, { waitedMs, ranMs });
        return next >= 2 && next <= Math.max(2, slots);
      },
    ),
  );
});
