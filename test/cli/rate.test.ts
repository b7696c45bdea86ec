import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatTimeLeft, metered, NO_RATE, rateOf, timeLeft } from '../../src/cli/render/rate.js';
import type { RateMeter } from '../../src/cli/render/rate.js';
import type { BackfillStatus } from '../../src/contracts/status.js';
import { backfill, dataset } from './support/statuses.js';

function at(done: number, fields: Partial<BackfillStatus> = {}): BackfillStatus {
  return backfill([dataset('a', { state: 'running', total: 1000, done }), dataset('b', { total: 1000 })], fields);
}

/** Statuses each second from 0; `done` says how many partitions were done then. */
function after(seconds: number, done: (second: number) => number): RateMeter {
  let meter = NO_RATE;
  for (let second = 0; second <= seconds; second++) meter = metered(meter, at(done(second)), second * 1000);
  return meter;
}

test('the rate is unknown at first, then partitions per second, by dataset and in all', () => {
  assert.equal(rateOf(NO_RATE), undefined);
  assert.equal(rateOf(after(0, () => 5)), undefined);
  const meter = after(20, (second) => 7 + second * 3);
  assert.equal(rateOf(meter), 3);
  assert.equal(rateOf(meter, 'a'), 3);
  assert.equal(rateOf(meter, 'b'), 0);
  assert.equal(rateOf(meter, 'unheard of'), undefined);
});

test('the rate follows a change within its window, and looks further back when partitions are slow', () => {
  assert.equal(rateOf(after(60, (second) => (second <= 30 ? second * 10 : 300 + (second - 30)))), 1);
  const slow = rateOf(after(100, (second) => Math.floor(second / 10))) ?? 0;
  assert.ok(slow > 0.08 && slow < 0.13, String(slow));
});

test('a pause and a retry start it anew', () => {
  const meter = after(20, (second) => second * 3);
  assert.equal(rateOf(metered(meter, at(60, { state: 'paused' }), 30_000)), undefined);
  assert.equal(rateOf(metered(meter, at(10), 30_000)), undefined);
  assert.equal(metered(meter, at(60), 20_000), meter, 'a status that is not newer is ignored');
});

test('a meter stays small and keeps its rate over hours', () => {
  const meter = after(7200, (second) => second / 10);
  assert.ok(meter.samples.length <= 185, String(meter.samples.length));
  assert.ok(Math.abs((rateOf(meter) ?? 0) - 0.1) < 0.01);
});

test('the time left is unknown until enough was seen, then a range around the truth', () => {
  assert.equal(
    timeLeft(
      after(9, (second) => second * 10),
      at(90),
    ),
    undefined,
  );
  assert.equal(
    timeLeft(
      after(60, () => 5),
      at(5),
    ),
    undefined,
  );
  const left = timeLeft(
    after(60, (second) => second * 10),
    at(600),
  );
  assert.ok(left?.highMs !== undefined && left.lowMs < 140_000 && left.highMs > 140_000, JSON.stringify(left));
  assert.ok(left.lowMs > 100_000 && left.highMs < 180_000, JSON.stringify(left));
  assert.equal(
    timeLeft(
      after(60, (second) => second * 10),
      at(600, { state: 'held' }),
    ),
    undefined,
  );
});

test('an uneven pace widens the range; a standstill leaves it open', () => {
  const uneven = timeLeft(
    after(40, (second) => (second <= 20 ? second * 2 : 40 + (second - 20) * 8)),
    at(200),
  );
  assert.ok(uneven?.highMs !== undefined && uneven.highMs >= 3 * uneven.lowMs, JSON.stringify(uneven));
  const stood = timeLeft(
    after(40, (second) => Math.min(second, 20) * 8),
    at(160),
  );
  assert.equal(stood?.highMs, undefined);
  assert.ok(stood !== undefined);
});

test('the time left in words', () => {
  assert.equal(formatTimeLeft(undefined), 'time left not known yet');
  assert.equal(formatTimeLeft({ lowMs: 41_000 }), 'at least 40s left');
  assert.equal(formatTimeLeft({ lowMs: 100_000, highMs: 200_000 }), 'about 2m to 3m left');
  assert.equal(formatTimeLeft({ lowMs: 9 * 60_000, highMs: 9 * 60_000 + 1 }), 'about 9m left');
  assert.equal(formatTimeLeft({ lowMs: 0, highMs: 3 * 3_600_000 + 60_000 }), 'about 5s to 3h left');
});
