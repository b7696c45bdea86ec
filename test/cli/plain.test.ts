import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NOTHING_TOLD, plainLines } from '../../src/cli/render/plain.js';
import type { BackfillStatus } from '../../src/contracts/status.js';
import { backfill, dataset, held, midway, NOW } from './support/statuses.js';
import { shown } from './support/shown.js';

/** All lines that statuses give, each with its second. */
function told(...statuses: readonly (readonly [second: number, status: BackfillStatus])[]): string[] {
  let state = NOTHING_TOLD;
  return statuses.flatMap(([second, status]) => {
    const step = plainLines(state, status, { now: NOW + second * 1000 });
    state = step.state;
    return step.lines;
  });
}

const running = (done: number): BackfillStatus =>
  backfill([dataset('a', { state: 'running', done, rows: done * 1000 }), dataset('b', { needs: ['a'] })]);

test('from start to hold', () => {
  assert.equal(
    shown(told([0, midway()], [60, held()])),
    `
12:05:00 airlines: done, 1/1 partition, 16 rows
12:05:00 flights_raw: running, 300/365 partitions, 276,806 rows
12:05:00 weather_hourly: running, 4,100/8,760 partitions, 12,345 rows
12:05:00 flights_clean: 2013-03-10 failed after 3 attempts: duplicate_key: duplicate key value violates unique constraint "flights_clean_key"
12:05:00 flights_clean: running, 212/365 partitions, 195,001 rows, 1 failed · 2 blocked, waits for flights_raw 2013-10-28
12:05:00 backfill 2026-03-01-k3x9: running
12:06:00 ! flights_raw null_event_time (4 rows): 4 rows have no time_hour and belong to no partition
12:06:00 flights_raw: done, 365/365 partitions, 276,806 rows
12:06:00 weather_hourly: done, 8,760/8,760 partitions, 12,345 rows
12:06:00 flights_clean: held, 362/365 partitions, 195,001 rows, 1 failed · 2 blocked, waits for retry or skip
12:06:00 carrier_7d: held, 358/365 partitions, 0 rows, 7 blocked, waits for retry or skip
12:06:00 delay_causes: done, 365/365 partitions, 0 rows
12:06:00 backfill 2026-03-01-k3x9: held (1 partition failed, 9 wait for it); waits for a person; type: sluice retry 2026-03-01-k3x9
`,
  );
});

test('nothing changed, nothing said', () => {
  assert.equal(told([0, running(1)], [5, running(1)], [10, running(1)]).length, 2);
});

test('at most a line a second for a dataset, and the last count is not lost', () => {
  const lines = told(
    [0, running(1)],
    [0.3, running(2)],
    [0.6, running(3)],
    [1.1, running(4)],
    [1.4, running(5)],
    [2.2, running(5)],
  );
  assert.deepEqual(
    lines.filter((line) => line.includes(' a: ')).map((line) => /(\d+)\/365/.exec(line)?.[1]),
    ['1', '4', '5'],
  );
});

test('a change of state is said at once', () => {
  const lines = told(
    [0, running(364)],
    [0.2, backfill([dataset('a', { state: 'done', done: 365 }), dataset('b', { state: 'running' })])],
  );
  assert.ok(lines.some((line) => line.includes('a: done, 365/365 partitions')));
  assert.ok(lines.some((line) => line.includes('b: running, 0/365 partitions')));
});

test('a failure is said once, at once, on one line', () => {
  const failure = {
    start: '2013-03-10T00:00:00Z',
    end: '2013-03-11T00:00:00Z',
    code: 'x',
    message: 'one\ntwo\u001b[31m',
    attempts: 1,
  };
  const failing = backfill([dataset('a', { state: 'running', failed: 1, failureCount: 1, failures: [failure] })]);
  const lines = told([0, running(1)], [0.1, failing], [5, failing], [10, failing]).filter((line) =>
    line.includes('one two'),
  );
  assert.deepEqual(lines, ['12:05:00 a: 2013-03-10 failed after 1 attempt: x: one two [31m']);
});
