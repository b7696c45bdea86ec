import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bytesOf,
  few,
  fewWarnings,
  LISTED_IN_ALL,
  listedFairly,
  partOf,
  shortened,
  STATUS_BYTES_MAX,
  wholeOf,
} from '../../src/contracts/parts.js';
import { BackfillStatus, FAILURES_MAX, type DatasetStatus, type Failure } from '../../src/contracts/status.js';
import { MESSAGE_MAX } from '../../src/core/fault.js';
import { backfill, dataset } from '../cli/support/statuses.js';

/** As long as a message can be, in bytes. */
const failure: Failure = {
  start: '2024-01-01T00:00:00Z',
  end: '2024-01-02T00:00:00Z',
  code: 'bad_value',
  message: '日'.repeat(MESSAGE_MAX),
  attempts: 3,
};
const failing: Partial<DatasetStatus> = {
  state: 'failed',
  failed: 100,
  failureCount: 100,
  failures: Array.from({ length: FAILURES_MAX }, () => failure),
};
const many = (count: number, of: (index: number) => Partial<DatasetStatus>): DatasetStatus[] =>
  Array.from({ length: count }, (_, i) =>
    dataset(`d${i}`.padEnd(63, 'x'), { needs: i === 0 ? [] : [`d${i - 1}`.padEnd(63, 'x')], ...of(i) }),
  );

const CASES: Readonly<Record<string, BackfillStatus>> = {
  'a thousand datasets at work': backfill(many(1_000, () => ({ state: 'running' }))),
  'a thousand datasets that all fail': backfill(listedFairly(many(1_000, () => failing))),
  'twelve datasets that all fail': backfill(listedFairly(many(12, () => failing))),
};

for (const [what, whole] of Object.entries(CASES)) {
  test(`${what}: every payload is under 100 KB, and the parts are the whole`, async () => {
    const short = shortened(whole);
    assert.ok(bytesOf(whole) > STATUS_BYTES_MAX, 'it does not fit');
    assert.ok(bytesOf(short) <= STATUS_BYTES_MAX, `${bytesOf(short)} bytes`);
    assert.equal(short.datasets.length + (short.leftOut ?? 0), whole.datasets.length);
    assert.deepEqual(short.partitions, whole.partitions);
    assert.deepEqual(BackfillStatus.parse(short), short);
    let [asked, open, atOnce] = [0, 0, 0];
    const joined = await wholeOf(async (from) => {
      asked++;
      atOnce = Math.max(atOnce, ++open);
      const part = await Promise.resolve(partOf(whole, from));
      open--;
      assert.ok(bytesOf(part) <= STATUS_BYTES_MAX, `${bytesOf(part)} bytes`);
      return part;
    });
    assert.deepEqual(joined, whole);
    assert.ok(asked > 2 && asked < 40, `${asked} parts`);
    assert.ok(atOnce > 1, 'all but the first are asked for together');
  });
}

test('what fits is left as it is, to the byte', async () => {
  const one = backfill([dataset('a')]);
  const exact = backfill([dataset('a'.padEnd(STATUS_BYTES_MAX - bytesOf(one) + 1, 'a'))]);
  assert.equal(bytesOf(exact), STATUS_BYTES_MAX);
  assert.equal(shortened(exact), exact);
  assert.deepEqual(partOf(exact, 0), exact);
  const over = { ...exact, reason: 'x' };
  assert.deepEqual([shortened(over).leftOut, shortened(over).datasets], [1, []]);
  assert.equal(partOf(over, 0).datasets.length, 1, 'a part has one at least, or the whole would never be there');
  const asks: number[] = [];
  await wholeOf((from) => Promise.resolve(asks.push(from)).then(() => exact));
  assert.deepEqual(asks, [0], 'what is whole is not asked for again');
});

test('those that want a person are shown first, in the order of the plan', () => {
  const datasets = many(1_000, (i) => (i % 100 === 99 ? failing : { state: i < 500 ? 'done' : 'running' }));
  const { datasets: shown } = shortened(backfill(listedFairly(datasets.map((one) => ({ ...one, failures: [] })))));
  assert.equal(shown.filter(({ failed }) => failed > 0).length, 10);
  assert.ok(!shown.some(({ state }) => state === 'done'), 'nothing that is done, while what runs is left out');
  const order = datasets.map(({ name }) => name);
  assert.deepEqual(
    shown.map(({ name }) => name),
    order.filter((name) => shown.some((one) => one.name === name)),
  );
});

test('a dataset that ends between two parts is in the whole once, and no part says more of the backfill than was so for all', async () => {
  const left = many(1_000, () => ({ state: 'running', total: 2, done: 1, rows: 5 }));
  const before = backfill(left, { state: 'running' });
  const after = backfill(
    before.datasets.map((one) => ({ ...one, state: 'failed' as const, failed: 1 })),
    { state: 'held' },
  );
  const joined = await wholeOf((from) => Promise.resolve(partOf(from === 0 ? before : after, from)));
  assert.equal(new Set(joined.datasets.map(({ name }) => name)).size, 1_000);
  const failed = joined.datasets.filter((one) => one.failed === 1).length;
  assert.ok(failed > 0 && failed < 1_000, `${failed} of a younger part`);
  // Held with a dataset at work is what a status said at a load of 8, in three of four runs.
  assert.equal(joined.state, 'running');
  assert.deepEqual(joined.partitions, { total: 2_000, done: 1_000, failed, blocked: 0, skipped: 0 });
  assert.equal(joined.rows, 5_000);
});

test('failures are shared out among the datasets that have some, and none loses its last', () => {
  const listed = (count: number): number[] =>
    listedFairly(many(count, () => failing)).map((one) => one.failures.length);
  assert.deepEqual(listed(20), Array<number>(20).fill(FAILURES_MAX));
  assert.deepEqual(new Set(listed(40)), new Set([10]));
  assert.deepEqual(new Set(listed(LISTED_IN_ALL * 2)), new Set([1]));
});

test('of very many names and warnings, the first and how many more', () => {
  assert.equal(few(['a', 'b'], 2), 'a, b');
  assert.equal(few(['a', 'b', 'c', 'd'], 2), 'a, b and 2 more');
  const warnings = Array.from({ length: 1_000 }, (_, i) => ({ dataset: `d${i}`, code: 'missing_index', message: 'm' }));
  const told = fewWarnings(warnings, 5_000);
  assert.ok(bytesOf(told) < 5_200, `${bytesOf(told)} bytes`);
  assert.match(told.at(-1)?.message ?? '', new RegExp(`^and ${1_000 - told.length + 1} more`));
  assert.deepEqual(fewWarnings(warnings.slice(0, 3), 5_000), warnings.slice(0, 3));
});
