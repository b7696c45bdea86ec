import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Profile } from '../../src/core/slice/profile.js';
import {
  BATCH_AIM_MS,
  BATCH_MAX_MS,
  NO_PROFILE,
  batchSize,
  estimateMs,
  observe,
} from '../../src/core/slice/profile.js';

/** As if well measured. */
const profile = (fixedMs: number, perPartitionMs: number): Profile => ({
  ...NO_PROFILE,
  fixedMs,
  perPartitionMs,
  samples: 100,
  reached: 1e6,
});

/** Runs batches of the size it asks for against a true cost; answers the profile and the last sizes. */
function drive(costMs: (partitions: number, batch: number) => number, batches: number, from = NO_PROFILE) {
  let learnt = from;
  const sizes: number[] = [];
  for (let i = 0; i < batches; i++) {
    const size = batchSize(learnt, 1e6);
    sizes.push(size);
    learnt = observe(learnt, { partitions: size, ms: costMs(size, i) });
  }
  return { learnt, sizes };
}

describe('profile', () => {
  it('finds the line that batches of several sizes lie on', () => {
    let learnt = NO_PROFILE;
    for (const x of [1, 2, 4, 8, 3, 5, 9]) learnt = observe(learnt, { partitions: x, ms: 40 + 7 * x });
    assert.ok(Math.abs(learnt.fixedMs - 40) < 0.01, `${learnt.fixedMs}`);
    assert.ok(Math.abs(learnt.perPartitionMs - 7) < 0.01, `${learnt.perPartitionMs}`);
  });

  it('settles at batches of half a second, whatever the cost, with noise and a slow first batch', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 200, noNaN: true }),
        fc.double({ min: 0.05, max: 100, noNaN: true }),
        fc.array(fc.double({ min: 0.8, max: 1.25, noNaN: true }), { minLength: 7, maxLength: 7 }),
        (fixed, per, noise) => {
          const cost = (x: number, i: number): number => (i === 0 ? 3_000 : 0) + (fixed + per * x) * noise[i % 7]!;
          const { sizes } = drive(cost, 80);
          for (const size of sizes.slice(-5)) {
            const ms = fixed + per * size;
            assert.ok(ms > BATCH_AIM_MS / 3 && ms < BATCH_AIM_MS * 2, `${ms} ms in a batch of ${size}`);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('follows a cost that changes tenfold, both ways', () => {
    const before = drive((x) => 10 + x, 40);
    const dear = drive((x) => 10 + 10 * x, 40, before.learnt);
    assert.ok(dear.sizes.at(-1)! > 40 && dear.sizes.at(-1)! < 60, `${dear.sizes.at(-1)}`);
    const cheap = drive((x) => 10 + x, 60, dear.learnt);
    assert.ok(cheap.sizes.at(-1)! > 400 && cheap.sizes.at(-1)! < 600, `${cheap.sizes.at(-1)}`);
  });

  it('does not take one stall for a new cost', () => {
    const { learnt } = drive((x) => 10 + x, 40);
    const after = observe(learnt, { partitions: 400, ms: 600_000 });
    assert.ok(estimateMs(after, 400) < 2 * estimateMs(learnt, 400));
  });

  it('stays finite and not negative, whatever it is told', () => {
    const anything = fc.record({
      partitions: fc.integer({ min: 1, max: 1e5 }),
      ms: fc.double({ min: 0, max: 1e7, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(anything, { maxLength: 30 }), (list) => {
        const learnt = list.reduce(observe, NO_PROFILE);
        assert.deepEqual(JSON.parse(JSON.stringify(learnt)), learnt);
        assert.ok(learnt.fixedMs >= 0 && learnt.perPartitionMs >= 0);
        const size = batchSize(learnt, 365);
        assert.ok(Number.isInteger(size) && size >= 1 && size <= 365);
      }),
    );
  });
});

describe('a batch with a large fixed part', () => {
  it('is found out, though the first one seems long enough', () => {
    const { sizes } = drive((x) => 600 + x, 60);
    assert.ok(Math.max(...sizes) > 200, sizes.join());
  });

  it('is not believed in for ever: sizes come back when it goes away', () => {
    const slow = drive((x) => 900 + x, 60);
    const { sizes } = drive((x) => 10 + 10 * x, 60, slow.learnt);
    assert.ok(sizes.at(-1)! > 30 && sizes.at(-1)! < 80, sizes.join());
  });
});

describe('the shape of the cost', () => {
  it('is found again when it changes and the sum does not', () => {
    const fixed = drive((x) => 900 + x, 60);
    const size = fixed.sizes.at(-1)!;
    const { sizes } = drive((x) => 10 + ((890 + size) / size) * x, 200, fixed.learnt);
    assert.ok(sizes.at(-1)! < size / 2, sizes.join());
  });

  it('is not spoilt by a slow first batch', () => {
    const { learnt } = drive((x, i) => (i === 0 ? 3_000 : 10 * x), 8);
    assert.ok(estimateMs(learnt, 1) < 50, `${estimateMs(learnt, 1)}`);
  });
});

describe('batchSize', () => {
  it('is 1 while nothing is known, and at most twice what was tried', () => {
    assert.equal(batchSize(NO_PROFILE, 100), 1);
    assert.equal(batchSize({ ...profile(0, 1), reached: 8 }, 100), 16);
  });

  it('aims at half a second, within what may be joined', () => {
    assert.equal(batchSize(profile(0, 10), 1_000), 50);
    assert.equal(batchSize(profile(100, 10), 1_000), 40);
    assert.equal(batchSize(profile(0, 10), 30), 30);
    assert.equal(batchSize(profile(0, 9_000), 30), 1);
  });

  it('does not shrink where that would only pay the fixed part more often', () => {
    assert.equal(batchSize(profile(600, 10), 1_000), 60);
    assert.equal(batchSize(profile(1_400, 10), 1_000), 60);
    assert.equal(batchSize(profile(5_000, 10), 1_000), 50);
  });

  it('keeps a batch under two seconds wherever a size can', () => {
    for (let fixed = 0; fixed <= 1_500; fixed += 10) {
      assert.ok(estimateMs(profile(fixed, 1), batchSize(profile(fixed, 1), 1e5)) <= BATCH_MAX_MS, `${fixed}`);
    }
  });
});
