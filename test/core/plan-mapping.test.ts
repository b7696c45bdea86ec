import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { expandAll, expandMapping } from '../../src/core/plan/decode.js';
import { encodeMapping } from '../../src/core/plan/edges.js';

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
      assert.ok(mapping.every(({ step, count }) => step >= 0 && count >= 1));
    }),
  );
});

it('takes one run for a regular mapping', () => {
  const hoursOfDays = Array.from({ length: 365 }, (_, day) => ({ lo: day * 24, hi: day * 24 + 24 }));
  assert.deepEqual(encodeMapping(hoursOfDays), [{ count: 365, lo: 0, hi: 24, step: 24 }]);
  const oneForAll = Array.from({ length: 365 }, () => ({ lo: 0, hi: 1 }));
  assert.deepEqual(encodeMapping(oneForAll), [{ count: 365, lo: 0, hi: 1, step: 0 }]);
});

it('refuses an ordinal that it does not reach', () => {
  const mapping = encodeMapping([{ lo: 0, hi: 1 }]);
  assert.throws(() => expandMapping(mapping, 1), RangeError);
  assert.throws(() => expandMapping(mapping, -1), RangeError);
});
