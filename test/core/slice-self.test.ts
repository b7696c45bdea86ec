import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { createBoard, markDone, release, retryFailed, settled, skip } from '../../src/core/slice/board.js';
import type { Board, SelfReads } from '../../src/core/slice/board.js';
import { fromCarry, toCarry } from '../../src/core/slice/carry.js';
import { carryOut, decideFailure } from '../../src/core/slice/failing.js';
import { pick } from '../../src/core/slice/pick.js';
import type { PickPolicy } from '../../src/core/slice/pick.js';
import { NO_PROFILE, observe } from '../../src/core/slice/profile.js';
import { nextDue } from '../../src/core/slice/requeue.js';
import type { Requeue } from '../../src/core/slice/requeue.js';
import { followSelf } from '../../src/core/slice/self.js';
import { ordinalsOf, type Span } from '../../src/core/slice/spans.js';
import { applyUpstream } from '../../src/core/slice/upstream.js';
import { identity, statesOf, tell } from './slice-kit.js';

const WIDE_MAX = 4;

/** Each reads up to four partitions before it, some of them none (their predecessor is in the ledger). */
const selfOf = (count: number): fc.Arbitrary<SelfReads> =>
  fc
    .array(fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, fc.nat(WIDE_MAX)), { minLength: count, maxLength: count })
    .map((widths) => ({
      lo: Int32Array.from(widths, (width, i) => Math.max(0, i - width)),
      hi: Int32Array.from(widths, (_, i) => i),
    }));

const cases = fc.integer({ min: 1, max: 40 }).chain((count) =>
  fc.record({
    count: fc.constant(count),
    self: selfOf(count),
    poison: fc.uniqueArray(fc.nat(count - 1), { maxLength: 3 }),
    skipped: fc.option(fc.nat(count - 1), { nil: undefined }),
    /** For each batch tried, whether the database hiccups instead. */
    hiccups: fc.array(fc.boolean(), { maxLength: 30 }),
    order: fc.constantFrom('oldest' as const, 'newest' as const),
    perBatchMax: fc.integer({ min: 1, max: 12 }),
    rateLimited: fc.boolean(),
    /** Upstream partitions that come only when nothing else can be done. */
    late: fc.uniqueArray(fc.nat(count - 1), { maxLength: 3 }),
  }),
);

/** What each partition must come to, plainly: failed where poisoned, else as the first of what it reads that is not done. */
function expected(count: number, self: SelfReads, poison: ReadonlySet<number>, skipped: number | undefined): string[] {
  const states: string[] = [];
  for (let i = 0; i < count; i++) {
    const read = states.slice(self.lo[i], self.hi[i]);
    if (i === skipped || read.includes('skipped')) states.push('skipped');
    else if (read.some((state) => state !== 'done')) states.push('blocked');
    else states.push(poison.has(i) ? 'failed' : 'done');
  }
  return states;
}

it('builds in order: nothing before what it reads, one slice at a time, all in the end that can be', () => {
  fc.assert(
    fc.property(cases, ({ count, self, poison, skipped, hiccups, order, perBatchMax, rateLimited, late }) => {
      const edges = [identity('a', count)];
      let board = createBoard(count, edges, self);
      const prompt = [...Array(count).keys()].filter((i) => !late.includes(i));
      applyUpstream(board, 'a', tell(0, { done: prompt.map((i): Span => [i, i + 1]) }));
      const requeue: Requeue = [];
      const built = new Set<number>();
      const left = [...hiccups];
      let [now, profile] = [0, NO_PROFILE];
      const poisoned = new Set(poison);
      if (skipped !== undefined) skip(board, [skipped, skipped + 1]);
      const policy = (): PickPolicy => ({
        ...{ order, slots: 1, perBatchMax, profile, hasReaders: false, rateLimited, breaks: new Set() },
      });
      const attempt = (span: Span): boolean => {
        const hiccup = left.shift() === true;
        for (const ordinal of ordinalsOf([span])) {
          const [lo, hi] = [self.lo[ordinal] ?? 0, self.hi[ordinal] ?? 0];
          for (let read = lo; read < hi; read++) {
            assert.ok(built.has(read) || (read >= span[0] && read < ordinal), `${ordinal} ran before ${read}`);
          }
        }
        const bad = [...ordinalsOf([span])].some((ordinal) => poisoned.has(ordinal));
        if (!hiccup && !bad) return true;
        const kind = hiccup ? 'transient' : 'poison';
        carryOut(board, requeue, decideFailure({ span, code: 'x', class: kind, attempts: 1 }, 0.5), now);
        return false;
      };
      const work = (): void => {
        for (let turns = 0; ; turns++) {
          assert.ok(turns < 2_000, 'comes to no end');
          followSelf(board);
          board = fromCarry(toCarry(board), count, edges, self);
          const slice = pick(board, requeue, policy(), now);
          if (!slice) {
            const due = nextDue(requeue);
            if (due === undefined) return;
            assert.ok(due > now, 'is woken for nothing');
            now = due;
            continue;
          }
          assert.equal(pick(board, requeue, policy(), now), null);
          const failedAt = slice.batches.findIndex(({ span }) => {
            if (!attempt(span)) return true;
            markDone(board, [span]);
            for (const ordinal of ordinalsOf([span])) built.add(ordinal);
            profile = observe(profile, { partitions: span[1] - span[0], ms: 10 });
            return false;
          });
          if (failedAt >= 0)
            release(
              board,
              slice.batches.slice(failedAt + 1).map(({ span }) => span),
            );
        }
      };
      work();
      applyUpstream(board, 'a', tell(0, { done: [[0, count]] }));
      work();
      assert.ok(settled(board));
      assert.deepEqual(statesOf(board), expected(count, self, poisoned, skipped));
      // The cause is mended: a retry goes on from there.
      poisoned.clear();
      retryFailed(board);
      work();
      assert.deepEqual(statesOf(board), expected(count, self, poisoned, skipped));
    }),
    { numRuns: 300 },
  );
});

it('shares slices and batches: ten years of hours are no 87,600 activities', () => {
  const count = 87_600;
  const hi = Int32Array.from({ length: count }, (_, i) => i);
  const board: Board = createBoard(count, [], { lo: hi.map((i) => Math.max(0, i - 1)), hi });
  let [profile, slices] = [NO_PROFILE, 0];
  for (;;) {
    const slice = pick(
      board,
      [],
      {
        ...{ order: 'oldest', slots: 1, perBatchMax: 366, profile, hasReaders: false },
        ...{ rateLimited: false, breaks: new Set() },
      },
      0,
    );
    if (!slice) break;
    slices++;
    for (const { span } of slice.batches) {
      markDone(board, [span]);
      profile = observe(profile, { partitions: span[1] - span[0], ms: 5 + (span[1] - span[0]) });
    }
  }
  assert.ok(settled(board));
  assert.ok(slices < 100, `${slices}`);
});
