import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { packSpans, unpackSpans } from '../../src/core/slice/packed.js';
import { mergeSpans, type Span } from '../../src/core/slice/spans.js';
import { NewsMessage } from '../../src/contracts/messages.js';

/** Every second of `count` partitions. */
const alternating = (count: number): Span[] => Array.from({ length: count }, (_, i) => [2 * i, 2 * i + 1]);

describe('packed spans', () => {
  it('are written as they are while they are few', () => {
    const few = alternating(1_000);
    assert.equal(packSpans(few), few);
    assert.equal(unpackSpans(few), few);
  });

  it('come back as they were, however many', () => {
    const step = fc.tuple(fc.integer({ min: 1, max: 70_000 }), fc.integer({ min: 1, max: 70_000 }));
    fc.assert(
      fc.property(fc.nat(40), fc.array(step, { minLength: 1_001, maxLength: 1_400 }), (first, steps) => {
        let at = first;
        const spans = mergeSpans(steps.map(([gap, length]): Span => [at + gap, (at += gap + length)]));
        const packed = packSpans(spans);
        assert.equal(typeof packed, 'string');
        assert.deepEqual(unpackSpans(packed), spans);
      }),
      { numRuns: 50 },
    );
  });

  it('of 10,000 failed partitions, none beside another, are a fifth of what a message may be', () => {
    assert.ok(JSON.stringify(packSpans(alternating(10_000))).length < 20_010);
  });

  it('that are none are refused, and no message of a workflow throws for them', () => {
    for (const garbage of ['-', 'a', 'A', 'aA', 'aab', 'ä']) {
      assert.throws(() => unpackSpans(garbage), RangeError, garbage);
      const news = { upstream: 'a', version: 1, done: garbage, failed: [], skipped: [] };
      assert.equal(NewsMessage.safeParse(news).success, false);
    }
  });
});
