import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ATTEMPTS_MAX, BACKOFF_BASE_MS, BACKOFF_CAP_MS, backoffMs, retryable } from '../../src/core/retry.js';

describe('backoffMs', () => {
  it('stays between its bounds, whatever attempt and chance', () => {
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2000 }), random, (attempt, chance) => {
        const pause = backoffMs(attempt, chance);
        assert.ok(Number.isInteger(pause) && pause >= BACKOFF_BASE_MS && pause <= BACKOFF_CAP_MS);
      }),
    );
  });
  it('doubles its upper bound up to the cap, and draws from all of it', () => {
    assert.deepEqual(
      [1, 2, 3, 4, 5, 6, 7].map((n) => backoffMs(n, 1)),
      [2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000],
    );
    assert.deepEqual(
      [1, 4].map((n) => backoffMs(n, 0)),
      [1000, 1000],
    );
    assert.equal(backoffMs(2, 0.5), 2500);
  });
  it('sums up to what ATTEMPTS_MAX promises', () => {
    const sum = (random: number): number =>
      Array.from({ length: ATTEMPTS_MAX - 1 }, (_, i) => backoffMs(i + 1, random)).reduce((a, b) => a + b, 0);
    assert.equal(sum(0.5), 17_000);
    assert.equal(sum(1), 30_000);
  });
});

it('only what time can heal is retried', () => {
  const all = ['transient', 'load', 'fenced', 'key_moved', 'poison', 'fatal'] as const;
  assert.deepEqual(all.filter(retryable), ['transient', 'load']);
});
