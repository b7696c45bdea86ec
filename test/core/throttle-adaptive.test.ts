import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { adaptive } from '../../src/core/throttle/adaptive.js';
import type { AdaptiveState } from '../../src/core/throttle/adaptive.js';
import type { Bounds, Readings, Step } from '../../src/core/throttle/types.js';
import { readings } from './throttle-kit.js';

const BOUNDS: Bounds = { most: 16, knee: 16 };
const MEASURED = 6;

/** Ticks of one second; what runs follows the slots that were given. */
function run(count: number, seen: (slots: number) => Readings, state = adaptive.begin(BOUNDS)): Step<AdaptiveState> {
  let step: Step<AdaptiveState> = { state, slots: state.slots, cause: 'free', reason: '' };
  for (let i = 0; i < count; i++) step = adaptive.step(step.state, seen(step.slots), BOUNDS, 1000);
  return step;
}

const quiet =
  (foreground: number, canary = 5) =>
  (ours: number) =>
    readings({ foreground, canary, ours });

describe('the adaptive law', () => {
  it('measures before it begins', () => {
    const first = run(MEASURED - 1, quiet(0));
    assert.deepEqual([first.slots, first.cause], [0, 'calibrating']);
    const then = run(MEASURED + 1, quiet(0));
    assert.ok(then.slots > 0);
    assert.deepEqual(then.state.bases, [5]);
  });

  it('does not begin without latencies', () => {
    const blind: Readings = { ...readings(), probes: [] };
    assert.equal(run(100, () => blind).slots, 0);
  });

  it('uses what is left over, and says of what', () => {
    const step = run(120, quiet(9));
    assert.equal(step.cause, 'foreground');
    assert.ok(step.state.knee >= 16);
    assert.equal(step.slots, Math.round(step.state.knee - 9 - 3));
    assert.match(step.reason, /^9\.0 backends work for others, of \d+\.\d that the database bears$/);
  });

  it('gives room to a step of load within two ticks, and takes it back within ten', () => {
    const before = run(60, quiet(4));
    assert.ok(run(2, quiet(18), before.state).slots <= 3);
    const after = run(10, quiet(4), run(30, quiet(18), before.state).state);
    assert.ok(after.slots >= before.slots - 1, `${after.slots} of ${before.slots}`);
  });

  it('gives way when the canary slows down though nobody else is active', () => {
    const before = run(60, quiet(2));
    const slow = run(5, quiet(2, 12), before.state);
    assert.ok(slow.slots <= before.slots / 2);
    assert.equal(slow.cause, 'latency');
    assert.match(slow.reason, /12\.0 ms, and 5\.0 ms without sluice/);
  });

  it('learns that the knee is lower than it was told, and not what it did itself as normal', () => {
    const bears = 8;
    const slowed = (ours: number) => readings({ foreground: 2, ours, canary: 5 * Math.max(1, (2 + ours) / bears) });
    const step = run(300, slowed);
    assert.ok(step.state.knee < 1.5 * bears, `${step.state.knee}`);
    assert.deepEqual(step.state.bases, [5]);
  });

  it('stands still every ten minutes to measure, and keeps six measurements', () => {
    let still = 0;
    let state = run(MEASURED, quiet(4)).state;
    for (let i = 0; i < 6000; i++) {
      const step = adaptive.step(state, quiet(4)(state.slots), BOUNDS, 1000);
      if (step.cause === 'calibrating') still++;
      state = step.state;
    }
    assert.equal(state.bases.length, 6);
    assert.ok(still / 6000 < 0.017, `${still} s`);
    assert.ok(JSON.stringify(state).length < 2048);
  });
});

const latency = fc.constantFrom(5, 5, 6, 9, 40, 0, -1, NaN, Infinity, 1e12, 1e-9);
const count = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.constantFrom(null, NaN, -5, Infinity, 1e15));
const garbage = fc.record({
  foreground: count,
  ours: count,
  probes: fc.array(latency, { maxLength: 20 }),
  tickMs: fc.constantFrom(1000, 1000, 0, 90_000),
});

describe('the adaptive law, whatever it reads', () => {
  it('gives a whole number between 0 and the most, and keeps its numbers finite', () => {
    const bounds = fc.record({ most: fc.integer({ min: 0, max: 64 }), knee: fc.integer({ min: 1, max: 64 }) });
    fc.assert(
      fc.property(bounds, fc.array(garbage, { maxLength: 120 }), (given, all) => {
        let state = adaptive.begin(given);
        for (const { foreground, ours, probes, tickMs } of all) {
          const step = adaptive.step(state, { ...readings({ foreground, ours }), probes }, given, tickMs);
          state = step.state;
          assert.ok(Number.isInteger(step.slots) && step.slots >= 0 && step.slots <= given.most, `${step.slots}`);
          for (const number of [state.knee, state.window, state.foreground ?? 0, ...state.probes, ...state.bases])
            assert.ok(Number.isFinite(number), JSON.stringify(state));
          assert.ok(state.knee >= 1 && state.knee <= 1.35 * given.knee && state.window >= 1);
          assert.ok(!step.reason.includes('NaN'), step.reason);
        }
      }),
    );
  });

  it('never gives more where the canary takes longer', () => {
    const reached = fc
      .array(fc.record({ foreground: fc.nat({ max: 20 }), canary: fc.constantFrom(5, 5, 6, 7, 9) }), { maxLength: 60 })
      .map((all) => {
        let state = run(MEASURED, quiet(4)).state;
        for (const seen of all)
          state = adaptive.step(state, readings({ ...seen, ours: state.slots }), BOUNDS, 1000).state;
        return state;
      });
    const ms = fc.double({ min: 1, max: 60, noNaN: true });
    fc.assert(
      fc.property(reached, fc.nat({ max: 20 }), ms, ms, (state, foreground, a, b) => {
        const given = (canary: number): number => {
          const seen = readings({ foreground, ours: state.slots });
          return adaptive.step(state, { ...seen, probes: Array<number>(50).fill(canary) }, BOUNDS, 1000).slots;
        };
        assert.ok(given(Math.max(a, b)) <= given(Math.min(a, b)));
      }),
    );
  });
});
