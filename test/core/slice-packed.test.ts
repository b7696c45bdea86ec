import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { packSpans, readSpans, unpackSpans } from '../../src/core/slice/packed.js';
import { mergeSpans, type Span } from '../../src/core/slice/spans.js';
import { NewsMessage } from '../../src/contracts/messages.js';

/** Every second of `count` partitions. */
const alternating = (count: number): Span[] => Array.from({ length: count }, (_, i) => [2 * i, 2 * i + 1]);

describe('packed spans', () => {
  it('are written as they are while they are few', () => {
    const few = alternating(100);
    assert.equal(packSpans(few), few);
    assert.equal(unpackSpans(few), few);
  });

  it('come back as they were, however many', () => {
    const step = fc.tuple(fc.integer({ min: 1, max: 70_000 }), fc.integer({ min: 1, max: 70_000 }));
    fc.assert(
      fc.property(fc.nat(40), fc.array(step, { minLength: 101, maxLength: 1_400 }), (first, steps) => {
        let at = first;
        const spans = mergeSpans(steps.map(([gap, length]): Span => [at + gap, (at += gap + length)]));
        const packed = packSpans(spans);
        assert.equal(typeof packed, 'string');
        assert.deepEqual(unpackSpans(packed), spans);
        // A build before this one wrote up to 1,000 of them out.
        assert.deepEqual(readSpans(JSON.parse(JSON.stringify(spans))), spans);
        assert.deepEqual(readSpans(packed), spans);
      }),
      { numRuns: 50 },
    );
  });

  it('of 10,000 failed partitions, none beside another, are a fifth of what a message may be', () => {
    assert.ok(JSON.stringify(packSpans(alternating(10_000))).length < 20_010);
  });

  it('that are none are refused, and no message of a workflow throws for them', () => {
    const texts = ['-', 'a', 'A', 'aA', 'aab', 'ä', '日a'];
    const lists = [
      null,
      3,
      {},
      [1, 2],
      [[1]],
      [[1, 2, 3]],
      [[2, 1]],
      [[-1, 1]],
      [[0, 0.5]],
      [['0', 1]],
      [[0, null]],
      [[0, 2 ** 60]],
    ];
    for (const garbage of [...texts, ...lists]) {
      assert.throws(() => readSpans(garbage), RangeError, JSON.stringify(garbage));
      const news = { upstream: 'a', version: 1, done: garbage, failed: [], skipped: [] };
      assert.equal(NewsMessage.safeParse(news).success, false);
    }
  });
});
