import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { stretchesWithout } from '../../src/core/slice/stretches.js';

const day = (n: number): { start: string } => ({ start: String(n) });

test('what is left to publish of a batch comes in stretches, each without a gap', () => {
  const days = [0, 1, 2, 3, 4, 5].map(day);
  const without = (...published: number[]): string[] =>
    stretchesWithout(new Map(published.map((n) => [String(n), 1])), days).map((stretch) =>
      stretch.map(({ start }) => start).join(''),
    );
  assert.deepEqual(without(), ['012345']);
  assert.deepEqual(without(0, 1), ['2345']);
  assert.deepEqual(without(5), ['01234']);
  assert.deepEqual(without(2, 3), ['01', '45']);
  assert.deepEqual(without(0, 2, 4), ['1', '3', '5']);
  assert.deepEqual(without(0, 1, 2, 3, 4, 5), []);
});

test('every partition that nobody has published is in one stretch, in order, and its neighbours there are its neighbours', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 40 }), (published) => {
      const ours = new Map(published.flatMap((is, n) => (is ? [[String(n), 1] as const] : [])));
      const stretches = stretchesWithout(
        ours,
        published.map((_, n) => day(n)),
      ).map((stretch) => stretch.map(({ start }) => Number(start)));
      assert.deepEqual(
        stretches.flat(),
        published.flatMap((is, n) => (is ? [] : [n])),
      );
      for (const stretch of stretches) assert.equal((stretch.at(-1) ?? 0) - (stretch[0] ?? 0), stretch.length - 1);
      for (const [i, stretch] of stretches.entries())
        if (i > 0) assert.ok((stretch[0] ?? 0) > (stretches[i - 1]?.at(-1) ?? 0) + 1);
    }),
  );
});
