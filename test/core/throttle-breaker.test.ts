import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  answered,
  CANARY_MS,
  claim,
  CLOSED,
  failed,
  FAILURES_MIN,
  isClean,
  passes,
  PAUSE_MAX_MS,
  PAUSE_MS,
  PROOFS,
  restMs,
  WINDOW_MS,
  type Breaker,
} from '../../src/core/throttle/breaker.js';

const times = (n: number, breaker: Breaker, step: (breaker: Breaker) => Breaker): Breaker =>
  Array.from({ length: n }).reduce<Breaker>((one) => step(one), breaker);
const fail = (now: number) => (breaker: Breaker) => failed(breaker, now, 'connection_refused');
const answer = (now: number) => (breaker: Breaker) => answered(breaker, now);
const opened = times(FAILURES_MIN, CLOSED, fail(1_000));

describe('a breaker', () => {
  it('opens at the third failure, not before, and says since when', () => {
    const before = times(FAILURES_MIN - 1, CLOSED, fail(1_000));
    assert.equal(before.state, 'closed');
    const { state, since, tryAt, cause } = fail(3_000)(before);
    assert.deepEqual([state, since, tryAt, cause], ['open', 1_000, 3_000 + PAUSE_MS, 'connection_refused']);
  });
  it('stays closed while most connects are answered', () => {
    const mixed = times(4, fail(0)(CLOSED), answer(10));
    assert.equal(times(2, mixed, fail(20)).state, 'closed');
    assert.equal(times(3, mixed, fail(20)).state, 'open');
  });
  it('forgets what is older than its window', () => {
    const two = times(FAILURES_MIN - 1, CLOSED, fail(0));
    assert.equal(fail(WINDOW_MS)(two).state, 'closed');
    assert.equal(fail(WINDOW_MS - 1)(two).state, 'open');
    assert.deepEqual(answer(WINDOW_MS)(two), CLOSED);
  });
  it('sends one canary when its pause is over, and another where that one is never heard of', () => {
    const due = opened.tryAt;
    assert.deepEqual(
      [due - 1, due].map((now) => passes(opened, now)),
      ['wait', 'canary'],
    );
    const trying = claim(opened, due);
    assert.equal(passes(trying, due), 'wait');
    assert.equal(claim(trying, due), trying, 'nobody else claims it');
    assert.equal(passes(trying, due + CANARY_MS), 'canary');
  });
  it('doubles its pause with each canary that fails, up to the cap', () => {
    let breaker = opened;
    const pauses = Array.from({ length: 7 }, () => {
      const { pauseMs, tryAt } = breaker;
      breaker = failed(claim(breaker, tryAt), tryAt, 'x');
      return pauseMs;
    });
    assert.deepEqual(pauses, [1_000, 2_000, 4_000, 8_000, 16_000, PAUSE_MAX_MS, PAUSE_MAX_MS]);
    assert.equal(breaker.since, opened.since);
  });
  it('closes by proof: the canary and three answers; a failure in between opens it for longer', () => {
    const proving = answered(claim(opened, opened.tryAt), opened.tryAt);
    assert.deepEqual([proving.state, passes(proving, 0)], ['proving', 'pass']);
    assert.deepEqual(times(PROOFS, proving, answer(9_000)), CLOSED);
    const again = fail(9_000)(times(PROOFS - 1, proving, answer(9_000)));
    assert.deepEqual([again.state, again.pauseMs], ['open', 2 * PAUSE_MS]);
  });
});

const step = fc.record({ ms: fc.integer({ min: 0, max: 20_000 }), what: fc.constantFrom('ask', 'fail', 'answer') });

it('whatever it hears: it never opens without enough failures, its pause has bounds, and no two pass as canary within one pause', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let [breaker, now, failures, canaryAt] = [CLOSED, 1_000, 0, -Infinity];
      for (const { ms, what } of steps) {
        now += ms;
        const before = breaker;
        if (what === 'fail') failures++;
        if (what === 'ask') {
          if (passes(breaker, now) === 'canary') {
            assert.ok(now - canaryAt >= PAUSE_MS, 'two canaries');
            canaryAt = now;
          }
          breaker = claim(breaker, now);
        } else breaker = what === 'fail' ? failed(breaker, now, 'x') : answered(breaker, now);
        if (breaker.state === 'open') {
          assert.ok(failures >= FAILURES_MIN);
          assert.ok(breaker.pauseMs >= PAUSE_MS && breaker.pauseMs <= PAUSE_MAX_MS);
          assert.ok(restMs(breaker, now) <= PAUSE_MAX_MS);
        }
        assert.ok(breaker.since <= now && before.since <= now);
        if (isClean(breaker)) assert.deepEqual(breaker, CLOSED);
      }
    }),
  );
});

it('whatever it went through, answers alone close it', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let [breaker, now] = [CLOSED, 0];
      for (const { ms, what } of steps) {
        now += ms;
        breaker =
          what === 'ask' ? claim(breaker, now) : what === 'fail' ? failed(breaker, now, 'x') : answered(breaker, now);
      }
      for (let i = 0; i <= PROOFS + 1; i++) {
        now += PAUSE_MAX_MS;
        breaker = answered(claim(breaker, now), now);
      }
      assert.deepEqual(breaker, CLOSED);
    }),
  );
});
