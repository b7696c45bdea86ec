import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GAVE_WAY } from '../../src/core/fault.js';
import { ATTEMPTS_MAX, backoffMs } from '../../src/core/retry.js';
import { createBoard, markDone, markFailed, markRunning, retryFailed } from '../../src/core/slice/board.js';
import { PROGRESS_REPORTS, reportBudget, shouldReport } from '../../src/core/slice/budget.js';
import { carryOut, decideFailure } from '../../src/core/slice/failing.js';
import { addFailure, listFailures } from '../../src/core/slice/failures.js';
import type { FailureRun } from '../../src/core/slice/failures.js';
import type { Requeue } from '../../src/core/slice/requeue.js';
import { statesOf } from './slice-kit.js';

const code = 'some_code';

describe('decideFailure', () => {
  for (const kind of ['transient', 'load', 'key_moved'] as const) {
    it(`${kind}: tries the same batch again, later each time, then halves, then fails`, () => {
      for (let attempts = 1; attempts < ATTEMPTS_MAX; attempts++) {
        assert.deepEqual(decideFailure({ span: [2, 7], code, class: kind, attempts }, 0.5), {
          action: 'retry',
          span: [2, 7],
          attempts,
          delayMs: backoffMs(attempts, 0.5),
        });
      }
      const wide = decideFailure({ span: [2, 7], code, class: kind, attempts: ATTEMPTS_MAX }, 0.5);
      assert.deepEqual(wide, {
        action: 'bisect',
        halves: [
          [2, 5],
          [5, 7],
        ],
        attempts: ATTEMPTS_MAX - 2,
      });
      assert.deepEqual(decideFailure({ span: [2, 3], code, class: kind, attempts: ATTEMPTS_MAX }, 0.5), {
        action: 'fail',
        span: [2, 3],
        code,
        attempts: ATTEMPTS_MAX,
      });
    });
  }

  it('poison: halves at once, down to the partition, which fails at once', () => {
    const wide = decideFailure({ span: [2, 4], code, class: 'poison', attempts: 1 }, 0);
    assert.deepEqual(wide, {
      action: 'bisect',
      halves: [
        [2, 3],
        [3, 4],
      ],
      attempts: 0,
    });
    const one = decideFailure({ span: [2, 3], code, class: 'poison', attempts: 1 }, 0);
    assert.deepEqual(one, { action: 'fail', span: [2, 3], code, attempts: 1 });
  });

  it('fatal: halts; fenced: stops', () => {
    assert.equal(decideFailure({ span: [2, 4], code, class: 'fatal', attempts: 1 }, 0).action, 'halt');
    assert.equal(decideFailure({ span: [2, 4], code, class: 'fenced', attempts: 1 }, 0).action, 'stop');
  });
});

describe('carryOut', () => {
  const running = () => {
    const board = createBoard(4, []);
    markRunning(board, [[0, 4]]);
    return board;
  };

  it('retry: ready again, and due after the pause', () => {
    const [board, requeue]: [ReturnType<typeof running>, Requeue] = [running(), []];
    carryOut(board, requeue, { action: 'retry', span: [1, 3], attempts: 2, delayMs: 700 }, 1_000);
    assert.deepEqual(statesOf(board), ['running', 'ready', 'ready', 'running']);
    assert.deepEqual(requeue, [{ span: [1, 3], attempts: 2, notBefore: 1_700 }]);
  });

  it('fail: only what still runs, and says which', () => {
    const board = running();
    markDone(board, [[1, 2]]);
    assert.deepEqual(carryOut(board, [], { action: 'fail', span: [0, 3], code, attempts: 1 }, 0), [
      [0, 1],
      [2, 3],
    ]);
    assert.deepEqual(statesOf(board), ['failed', 'done', 'failed', 'running']);
  });

  it('halt and stop give the batch back; halt stops the dataset', () => {
    for (const action of ['halt', 'stop'] as const) {
      const board = running();
      assert.deepEqual(carryOut(board, [], { action, span: [0, 3], code }, 0), []);
      assert.deepEqual(statesOf(board), ['ready', 'ready', 'ready', 'running']);
      assert.equal(board.halted, action === 'halt');
    }
  });
});

describe('failures', () => {
  /** A board where exactly these failed. */
  const failed = (count: number, ordinals: Iterable<number>) => {
    const board = createBoard(count, []);
    for (const ordinal of ordinals) {
      markRunning(board, [[ordinal, ordinal + 1]]);
      markFailed(board, [[ordinal, ordinal + 1]]);
    }
    return board;
  };

  it('joins neighbours of one code: the first message, the most attempts', () => {
    const board = failed(9, [1, 2, 3, 4, 6]);
    let runs: FailureRun[] = [];
    for (const [ordinal, of, attempts] of [
      [3, 'a', 1],
      [1, 'a', 2],
      [6, 'a', 1],
      [4, 'b', 1],
      [2, 'a', 5],
    ] as const) {
      runs = addFailure(runs, board, { ordinal, code: of, message: `at ${ordinal}`, attempts });
    }
    assert.deepEqual(listFailures(runs, board), {
      failures: [
        { lo: 1, hi: 4, code: 'a', message: 'at 1', attempts: 5 },
        { lo: 4, hi: 5, code: 'b', message: 'at 4', attempts: 1 },
        { lo: 6, hi: 7, code: 'a', message: 'at 6', attempts: 1 },
      ],
      total: 5,
    });
  });

  it('lists what a plain map would, in any order and with failures that come again', () => {
    const one = fc.record({
      ordinal: fc.nat(15),
      code: fc.constantFrom('a', 'b'),
      attempts: fc.constant(1),
      message: fc.constant('m'),
    });
    fc.assert(
      fc.property(fc.array(one), (list) => {
        const board = failed(16, new Set(list.map(({ ordinal }) => ordinal)));
        const codes = new Map(list.map((failure) => [failure.ordinal, failure.code]));
        const runs = list.reduce<FailureRun[]>((sum, failure) => addFailure(sum, board, failure), []);
        const { failures, total } = listFailures(runs, board);
        const listed = failures.flatMap(({ lo, hi, code: of }) =>
          Array.from({ length: hi - lo }, (_, i) => [lo + i, of]),
        );
        assert.deepEqual(
          listed,
          [...codes].sort(([a], [b]) => a - b),
        );
        assert.equal(total, codes.size);
        for (const [i, run] of failures.slice(1).entries()) {
          assert.ok(run.lo > failures[i]!.hi || run.code !== failures[i]!.code, 'not joined');
        }
      }),
    );
  });

  it('drops what is retried, also from the middle of a run', () => {
    const board = failed(5, [0, 1, 2]);
    let runs: FailureRun[] = [];
    for (const ordinal of [0, 1, 2]) runs = addFailure(runs, board, { ordinal, code, message: '', attempts: 1 });
    retryFailed(board, [[1, 2]]);
    assert.deepEqual(
      listFailures(runs, board).failures.map(({ lo, hi }) => [lo, hi]),
      [
        [0, 1],
        [2, 3],
      ],
    );
    retryFailed(board);
    assert.deepEqual(listFailures(runs, board), { failures: [], total: 0 });
  });

  it('lists 20 at most, keeps a bounded number, counts all', () => {
    const ordinals = Array.from({ length: 300 }, (_, i) => 2 * i);
    const board = failed(600, ordinals);
    const runs = ordinals.reduce<FailureRun[]>(
      (sum, ordinal) => addFailure(sum, board, { ordinal, code, message: '', attempts: 1 }),
      [],
    );
    assert.equal(runs.length, 60);
    const { failures, total } = listFailures(runs, board);
    assert.deepEqual([failures.length, failures[0]?.lo, failures.at(-1)?.lo, total], [20, 0, 38, 300]);
  });
});

describe('report budget', () => {
  it('is shared by the children, at least one each', () => {
    assert.equal(reportBudget(1), PROGRESS_REPORTS);
    assert.equal(reportBudget(0), PROGRESS_REPORTS);
    assert.equal(reportBudget(3), 333);
    assert.equal(reportBudget(5_000), 1);
  });

  it('is never overdrawn, and the end is always told', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5_000 }),
        fc.integer({ min: 1, max: 1_000 }),
        fc.integer({ min: 1, max: 50 }),
        (total, budget, stride) => {
          let [last, reports] = [0, 0];
          for (let done = stride; ; done = Math.min(total, done + stride)) {
            done = Math.min(total, done);
            if (shouldReport(last, done, total, budget)) [last, reports] = [done, reports + 1];
            if (done === total) break;
          }
          assert.equal(last, total);
          assert.ok(reports <= budget, `${reports} reports of ${budget}`);
          assert.equal(shouldReport(last, total, total, budget), false);
        },
      ),
    );
  });
});

it('what gave way to others is tried again for ever, and not counted', () => {
  for (const attempts of [1, ATTEMPTS_MAX, 50]) {
    const decision = decideFailure({ span: [2, 7], code: GAVE_WAY, class: 'load', attempts }, 0.5);
    assert.deepEqual(decision, { action: 'retry', span: [2, 7], attempts: attempts - 1, delayMs: backoffMs(1, 0.5) });
  }
});
