import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { counts, createBoard, halt, markDone, markRunning, settled, skip } from '../../src/core/slice/board.js';
import { carryOut, decideFailure } from '../../src/core/slice/failing.js';
import type { PickPolicy, Slice } from '../../src/core/slice/pick.js';
import { SLICE_BATCHES_MAX, pick } from '../../src/core/slice/pick.js';
import type { Profile } from '../../src/core/slice/profile.js';
import { NO_PROFILE, observe } from '../../src/core/slice/profile.js';
import type { Requeue } from '../../src/core/slice/requeue.js';
import { REQUEUE_MAX, nextDue } from '../../src/core/slice/requeue.js';
import { countSpans, ordinalsOf } from '../../src/core/slice/spans.js';
import { CODE } from '../../src/core/slice/states.js';

/** As if well measured. */
const measured = (fixedMs: number, perPartitionMs: number): Profile => ({
  ...NO_PROFILE,
  fixedMs,
  perPartitionMs,
  samples: 10_000,
  reached: 10_000,
});

const policyWith = (some: Partial<PickPolicy>): PickPolicy => ({
  order: 'oldest',
  slots: 1,
  perBatchMax: 1,
  profile: NO_PROFILE,
  hasReaders: false,
  rateLimited: false,
  breaks: new Set(),
  ...some,
});

const spans = (slice: Slice | null) => slice?.batches.map(({ span }) => span);

const anyPolicy = fc
  .record({
    order: fc.constantFrom('oldest', 'newest'),
    slots: fc.integer({ min: 1, max: 5 }),
    perBatchMax: fc.integer({ min: 1, max: 20 }),
    hasReaders: fc.boolean(),
    rateLimited: fc.boolean(),
    breaks: fc.uniqueArray(fc.nat(60)).map((list): ReadonlySet<number> => new Set(list)),
  })
  .map((some) => policyWith(some));

describe('pick', () => {
  it('runs every partition once: only ready ones, never one twice, all in the end, no batch across a break', () => {
    fc.assert(
      fc.property(anyPolicy, fc.nat(60), fc.nat(40), fc.array(fc.nat(3)), (policy, count, costMs, ends) => {
        const board = createBoard(count, []);
        const seen = new Set<number>();
        const flying: Slice[] = [];
        let profile = NO_PROFILE;
        const finish = (slice: Slice): void => {
          for (const { span } of slice.batches) {
            markDone(board, [span]);
            profile = observe(profile, { partitions: countSpans([span]), ms: costMs });
          }
        };
        for (let step = 0; !settled(board); step++) {
          assert.ok(step < 1_000, 'does not end');
          const before = board.states.slice();
          const slice = flying.length < policy.slots ? pick(board, [], { ...policy, profile }, 0) : null;
          if (slice) {
            flying.push(slice);
            for (const { span } of slice.batches) {
              const [lo, hi] = span;
              assert.ok(lo < hi && hi - lo <= policy.perBatchMax);
              for (const ordinal of ordinalsOf([span])) {
                assert.equal(before[ordinal], CODE.ready);
                assert.ok(!seen.has(ordinal), `${ordinal} picked twice`);
                seen.add(ordinal);
                assert.ok(ordinal === lo || !policy.breaks.has(ordinal), `[${lo}, ${hi}) reaches across ${ordinal}`);
              }
            }
            if (policy.rateLimited) assert.equal(slice.batches.length, 1);
          }
          // Slices end in any order, and always when nothing else could happen.
          const end = slice ? ends[step % (ends.length || 1)] : 0;
          if (end !== undefined && end < flying.length) flying.splice(end, 1).forEach(finish);
        }
        assert.equal(seen.size, count);
        assert.equal(counts(board).done, count);
      }),
      { numRuns: 300 },
    );
  });

  it('begins an unknown dataset with one batch of one partition, and at least doubles the slices from there', () => {
    const board = createBoard(10_000, []);
    let profile = NO_PROFILE;
    const lengths: number[] = [];
    for (let i = 0; i < 6; i++) {
      const slice = pick(board, [], policyWith({ profile }), 0)!;
      lengths.push(slice.batches.length);
      for (const _ of slice.batches) profile = observe(profile, { partitions: 1, ms: 10 });
    }
    assert.deepEqual(lengths, [1, 1, 2, 4, 8, 16]);
  });

  it('joins twice as many partitions each time, until a batch is long enough', () => {
    const board = createBoard(100_000, []);
    let profile = NO_PROFILE;
    const sizes: number[] = [];
    for (let i = 0; i < 12; i++) {
      const slice = pick(board, [], policyWith({ profile, perBatchMax: 10_000, rateLimited: true }), 0)!;
      sizes.push(countSpans(spans(slice)!));
      profile = observe(profile, { partitions: sizes.at(-1)!, ms: 20 + sizes.at(-1)! * 2 });
    }
    assert.deepEqual(sizes.slice(0, 7), [1, 2, 4, 8, 16, 32, 64]);
    // (500 − 20) / 2
    for (const size of sizes.slice(9)) assert.ok(size >= 230 && size <= 250, `${size}`);
  });

  it('does not share out among slots what is not worth a slice', () => {
    const sizesOf = (profile: Profile): number[] => {
      const board = createBoard(100, []);
      const sizes: number[] = [];
      for (;;) {
        const slice = pick(board, [], policyWith({ profile, perBatchMax: 100, slots: 4 }), 0);
        if (!slice) return sizes;
        sizes.push(countSpans(spans(slice)!));
      }
    };
    assert.deepEqual(sizesOf(measured(0, 3)), [50, 50]);
    // Nearly unknown: what was quick until now may be slow from here.
    assert.equal(sizesOf({ ...measured(0, 3), samples: 2 })[0], 25);
    assert.equal(sizesOf(measured(0, 100))[0], 10);
  });

  it('makes slices of 1 s for readers, of 4 s for none', () => {
    const profile = measured(0, 50);
    const lengths = [true, false].map(
      (hasReaders) => pick(createBoard(10_000, []), [], policyWith({ profile, hasReaders }), 0)?.batches.length,
    );
    assert.deepEqual(lengths, [20, 80]);
  });

  it('takes a share of what is ready: a quarter of a slot, but worth its start', () => {
    const profile = measured(0, 100);
    const slice = (ready: number, slots = 4) =>
      spans(pick(createBoard(ready, []), [], policyWith({ profile, slots, perBatchMax: 1 }), 0));
    // A sixteenth where that is much, …
    assert.equal(slice(160)?.length, 10);
    assert.equal(slice(161)?.length, 11);
    // … 600 ms where a sixteenth is less and as much is ready for every slot, …
    assert.equal(slice(80)?.length, 6);
    // … and towards the end what leaves no slot without work.
    assert.equal(slice(16)?.length, 4);
    assert.equal(slice(4)?.length, 1);
    assert.equal(slice(1)?.length, 1);
  });

  it('keeps a slice within a fixed number of batches', () => {
    const slice = pick(createBoard(10_000, []), [], policyWith({ profile: measured(0, 0.001) }), 0);
    assert.equal(slice?.batches.length, SLICE_BATCHES_MAX);
  });

  it('goes by the order asked for', () => {
    const some = { perBatchMax: 2, profile: measured(500, 100), breaks: new Set([3]) };
    assert.deepEqual(spans(pick(createBoard(4, []), [], policyWith({ ...some, slots: 2 }), 0)), [[0, 2]]);
    const board = createBoard(5, []);
    const newest = policyWith({ ...some, order: 'newest' });
    assert.deepEqual(spans(pick(board, [], newest, 0)), [[3, 5]]);
    assert.deepEqual(spans(pick(board, [], newest, 0)), [[1, 3]]);
    assert.deepEqual(spans(pick(board, [], newest, 0)), [[0, 1]]);
    assert.equal(pick(board, [], newest, 0), null);
  });

  it('picks nothing while halted', () => {
    const board = createBoard(3, []);
    halt(board);
    assert.equal(pick(board, [{ span: [0, 1], attempts: 1, notBefore: 0 }], policyWith({}), 1), null);
    assert.equal(counts(board).running, 0);
  });
});

describe('the queue of batches to try again', () => {
  const policy = policyWith({ profile: measured(1, 1), perBatchMax: 10, rateLimited: true });

  it('comes first when due, each as it was, and is left alone before', () => {
    const board = createBoard(12, []);
    const requeue: Requeue = [
      { span: [4, 6], attempts: 2, notBefore: 1_000 },
      { span: [6, 7], attempts: 0, notBefore: 500 },
    ];
    assert.equal(nextDue(requeue), 500);
    assert.deepEqual(spans(pick(board, requeue, policy, 499)), [[0, 4]]);
    assert.deepEqual(pick(board, requeue, policy, 500)?.batches, [{ span: [6, 7], attempts: 0 }]);
    assert.deepEqual(spans(pick(board, requeue, policy, 500)), [[7, 12]]);
    assert.equal(pick(board, requeue, policy, 999), null);
    assert.deepEqual(pick(board, requeue, policy, 1_000)?.batches, [{ span: [4, 6], attempts: 2 }]);
    assert.deepEqual(requeue, []);
    assert.equal(nextDue(requeue), undefined);
  });

  it('gives what is still ready of it, and forgets the rest', () => {
    const board = createBoard(5, []);
    const requeue: Requeue = [
      { span: [0, 4], attempts: 1, notBefore: 0 },
      { span: [4, 5], attempts: 1, notBefore: 0 },
    ];
    markRunning(board, [[1, 2]]);
    markDone(board, [[1, 2]]);
    skip(board, [4, 5]);
    assert.deepEqual(spans(pick(board, requeue, policy, 0)), [[0, 1]]);
    assert.deepEqual(requeue, [
      { span: [2, 4], attempts: 1, notBefore: 0 },
      { span: [4, 5], attempts: 1, notBefore: 0 },
    ]);
    assert.deepEqual(spans(pick(board, requeue, policy, 0)), [[2, 4]]);
    assert.deepEqual(requeue, []);
    assert.equal(pick(board, requeue, policy, 0), null);
  });

  it('is cut to the length of a slice', () => {
    const board = createBoard(3, []);
    const requeue: Requeue = [0, 1, 2].map((i) => ({ span: [i, i + 1], attempts: 1, notBefore: 0 }));
    const limited = { ...policy, rateLimited: true };
    assert.deepEqual(
      [0, 1, 2].map(() => spans(pick(board, requeue, limited, 0))),
      [[[0, 1]], [[1, 2]], [[2, 3]]],
    );
  });

  it('keeps fresh work back while it is long', () => {
    const board = createBoard(REQUEUE_MAX + 1, []);
    const requeue: Requeue = Array.from({ length: REQUEUE_MAX }, (_, i) => ({
      span: [i, i + 1],
      attempts: 1,
      notBefore: 9,
    }));
    assert.equal(pick(board, requeue, policy, 0), null);
    requeue.pop();
    assert.ok(pick(board, requeue, policy, 0));
  });
});

describe('pick and fail', () => {
  it('isolates exactly the poison partitions, through carries of the queue, and ends', () => {
    fc.assert(
      fc.property(anyPolicy, fc.integer({ min: 1, max: 60 }), fc.uniqueArray(fc.nat(59)), (policy, count, list) => {
        const poison = new Set(list.filter((ordinal) => ordinal < count));
        const board = createBoard(count, []);
        let requeue: Requeue = [];
        const profile = measured(1, 1);
        for (let step = 0; !settled(board); step++) {
          assert.ok(step < 1_000, 'does not end');
          const slice = pick(board, requeue, { ...policy, profile }, 0);
          assert.ok(slice, 'nothing to pick, and not settled');
          for (const { span, attempts } of slice.batches) {
            if (![...ordinalsOf([span])].some((ordinal) => poison.has(ordinal))) markDone(board, [span]);
            else {
              const failed = { span, code: 'division_by_zero', class: 'poison', attempts: attempts + 1 } as const;
              carryOut(board, requeue, decideFailure(failed, 0.5), 0);
            }
          }
          requeue = JSON.parse(JSON.stringify(requeue));
        }
        const failed = [...board.states].flatMap((code, ordinal) => (code === CODE.failed ? [ordinal] : []));
        assert.deepEqual(
          failed,
          [...poison].sort((a, b) => a - b),
        );
        assert.equal(counts(board).done, count - poison.size);
        assert.deepEqual(requeue, []);
      }),
      { numRuns: 200 },
    );
  });
});
