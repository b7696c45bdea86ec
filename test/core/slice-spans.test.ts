import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { at, countSpans, fillSpans, mergeSpans, ordinalsOf, spansOf, spansWhere } from '../../src/core/slice/spans.js';
import type { Span } from '../../src/core/slice/spans.js';

const N = 40;
const span = fc.tuple(fc.nat(N), fc.nat(N)).map(([a, b]): Span => [Math.min(a, b), Math.max(a, b)]);

describe('spans', () => {
  it('turns ordinals into spans and back', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: N }), (bits) => {
        const codes = Uint8Array.from(bits, Number);
        const spans = spansOf(codes, 1);
        const back = new Uint8Array(codes.length);
        fillSpans(back, spans, 1);
        assert.deepEqual(back, codes);
        assert.deepEqual(
          [...ordinalsOf(spans)],
          bits.flatMap((bit, i) => (bit ? [i] : [])),
        );
        assert.equal(countSpans(spans), bits.filter(Boolean).length);
        for (const [i, [lo]] of spans.slice(1).entries()) assert.ok(lo > spans[i]![1], 'spans touch');
      }),
    );
  });

  it('merges into the union, sorted, disjoint and not touching', () => {
    fc.assert(
      fc.property(fc.array(span), (spans) => {
        const codes = new Uint8Array(N);
        fillSpans(codes, spans, 1);
        assert.deepEqual(mergeSpans(spans), spansOf(codes, 1));
      }),
    );
  });

  it('looks only at the ordinals asked about', () => {
    assert.deepEqual(
      spansWhere(3, 6, () => true),
      [[3, 6]],
    );
    assert.deepEqual(
      spansWhere(3, 3, () => true),
      [],
    );
  });

  it('refuses spans that are reversed, off the ends or no whole numbers', () => {
    for (const bad of [
      [2, 1],
      [-1, 1],
      [0, 5],
      [0.5, 2],
      [NaN, 1],
    ] as const) {
      assert.throws(() => fillSpans(new Uint8Array(4), [bad], 1), RangeError, String(bad));
    }
    assert.throws(() => at(new Uint8Array(2), 2), RangeError);
    assert.throws(() => at(new Uint8Array(2), -1), RangeError);
  });
});
