import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { expandAll, expandMapping, reach, walk } from '../../src/core/plan/decode.js';
import { encodeMapping } from '../../src/core/plan/encode.js';

const spans = fc.array(
  fc.tuple(fc.nat(9), fc.nat(3)).map(([lo, length]) => ({ lo, hi: lo + length })),
  { maxLength: 30 },
);

it('gives every span back, with steps that a plan can store', () => {
  fc.assert(
    fc.property(spans, (list) => {
      const mapping = encodeMapping(list);
      const { lo, hi } = expandAll(mapping);
      assert.deepEqual(
        list,
        [...lo].map((first, ordinal) => ({ lo: first, hi: hi[ordinal] })),
      );
      for (const [ordinal, span] of list.entries())
        assert.deepEqual(expandMapping(mapping, ordinal), [span.lo, span.hi]);
      const [nextLo, nextHi] = [walk(mapping.lo), walk(mapping.hi)];
      for (const span of list) assert.deepEqual({ lo: nextLo(), hi: nextHi() }, span);
      assert.throws(nextLo, RangeError);
      assert.equal(reach(mapping.hi), list.length);
      for (const { step, count, every } of [...mapping.lo, ...mapping.hi])
        assert.ok(step >= 0 && count >= 1 && every >= 1);
    }),
  );
});

const staircases = fc
  .record({
    every: fc.integer({ min: 1, max: 5 }),
    step: fc.integer({ min: 1, max: 5 }),
    count: fc.nat(60),
    late: fc.nat(5),
  })
  .map(({ every, step, count, late }) =>
    Array.from({ length: count }, (_, i) => ({ lo: 0, hi: step * Math.floor((i + late) / every) })),
  );

it('takes three runs at most for a regular staircase, whatever its beginning', () => {
  fc.assert(
    fc.property(staircases, (list) => {
      const mapping = encodeMapping(list);
      const { hi } = expandAll(mapping);
      assert.deepEqual(
        [...hi],
        list.map((span) => span.hi),
      );
      assert.ok(mapping.hi.length <= 3, JSON.stringify(mapping));
      assert.ok(mapping.lo.length <= 1);
    }),
  );
});

it('takes a run or two for a regular mapping, however long', () => {
  const days = 3650;
  const hoursOfDays = Array.from({ length: days }, (_, day) => ({ lo: day * 24, hi: day * 24 + 24 }));
  assert.deepEqual(encodeMapping(hoursOfDays), {
    lo: [{ count: days, at: 0, step: 24, every: 1 }],
    hi: [{ count: days, at: 24, step: 24, every: 1 }],
  });
  const oneForAll = Array.from({ length: days }, () => ({ lo: 0, hi: 1 }));
  assert.deepEqual(encodeMapping(oneForAll), {
    lo: [{ count: days, at: 0, step: 0, every: days }],
    hi: [{ count: days, at: 1, step: 0, every: days }],
  });
  const hours = 24 * days;
  const dayOfHours = Array.from({ length: hours }, (_, i) => ({ lo: Math.floor(i / 24), hi: Math.floor(i / 24) + 1 }));
  assert.deepEqual(encodeMapping(dayOfHours), {
    lo: [{ count: hours, at: 0, step: 1, every: 24 }],
    hi: [{ count: hours, at: 1, step: 1, every: 24 }],
  });
  const allBefore = Array.from({ length: hours }, (_, i) => ({ lo: 0, hi: i + 1 }));
  assert.deepEqual(encodeMapping(allBefore).hi, [{ count: hours, at: 1, step: 1, every: 1 }]);
  const sixHoursBack = Array.from({ length: hours }, (_, i) => ({
    lo: Math.max(0, Math.floor((i - 6) / 24)),
    hi: Math.floor(i / 24) + 1,
  }));
  const { lo, hi } = encodeMapping(sixHoursBack);
  assert.ok(lo.length + hi.length < 5);
});

it('refuses an ordinal that it does not reach', () => {
  const mapping = encodeMapping([{ lo: 0, hi: 1 }]);
  assert.throws(() => expandMapping(mapping, 1), RangeError);
  assert.throws(() => expandMapping(mapping, -1), RangeError);
});
