import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createBoard } from '../../src/core/slice/board.js';
import { NO_PROFILE, observe } from '../../src/core/slice/profile.js';
import { adaptWidth, inCrowd, isCrowd, isLast } from '../../src/core/slice/width.js';
import { identity } from './slice-kit.js';

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

test('very many datasets are a crowd, and so is a long queue; a dataset is out of it by a slice that was worth its price and did not wait', () => {
  assert.equal(isCrowd(32, 4), false);
  assert.equal(isCrowd(33, 4), true);
  assert.equal(isCrowd(33, 1), true);
  assert.equal(isCrowd(20, 0), false, 'one that has no slot of its own says nothing of the others');
  assert.equal(isCrowd(1_000, Infinity), false, 'there is room for all');
  assert.equal(inCrowd(false, { waitedMs: 1_100, ranMs: 100 }), true);
  assert.equal(inCrowd(false, { waitedMs: 1_100, ranMs: 300 }), false, 'as long as it waited it nearly ran');
  assert.equal(inCrowd(false, { waitedMs: 900, ranMs: 10 }), false, 'a few others');
  assert.equal(inCrowd(true, { waitedMs: 10, ranMs: 599 }), true, 'more of it had better come together');
  assert.equal(inCrowd(true, { waitedMs: 2_501, ranMs: 5_000 }), true, 'somebody was before it');
  assert.equal(inCrowd(true, { waitedMs: 2_499, ranMs: 5_000 }), false);
  assert.equal(inCrowd(true, { waitedMs: 100, ranMs: 600 }), false);
});

test('the last of a dataset is what nothing waits behind, and what the slots do in one slice each', () => {
  const known = observe(NO_PROFILE, { partitions: 1, ms: 100 });
  assert.equal(isLast(createBoard(24, []), known, 4), true);
  assert.equal(isLast(createBoard(25, []), known, 4), false, 'more than a slice for each');
  assert.equal(isLast(createBoard(24, [identity('up', 24)]), known, 4), false, 'all of it waits');
  assert.equal(isLast(createBoard(24, []), NO_PROFILE, 4), false, 'nothing is known of it');
});
