import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GovernorStateJson } from '../../src/contracts/governor.js';
import { beginGovernor, judge } from '../../src/core/throttle/judge.js';
import type { GovernorState } from '../../src/core/throttle/judge.js';
import { CAUSES, SENSES } from '../../src/core/throttle/types.js';
import type { Readings, Rules, Verdict } from '../../src/core/throttle/types.js';
import type { Window } from '../../src/core/throttle/windows.js';
import { reading, readings, rules } from './throttle-kit.js';

/** A Monday. */
const NOON = Date.UTC(2026, 5, 1, 12);
const LAG = { lag_seconds: 8 };
const HUGE_LAG = { lag_seconds: 90 };

/** Judges one tick a second, each over a state that was written and read as JSON. */
class Governor {
  state: GovernorState = beginGovernor();
  now = NOON;
  constructor(private readonly rules: Rules) {}

  tick(seen: Readings, over: Partial<Rules> = {}): Verdict {
    const { state, verdict } = judge(this.state, seen, { ...this.rules, ...over }, this.now, 1000);
    this.state = GovernorStateJson.parse(JSON.parse(JSON.stringify(state)));
    assert.deepEqual(this.state, state);
    this.now += 1000;
    return verdict;
  }

  ticks(count: number, seen: Readings): Verdict[] {
    return Array.from({ length: count }, () => this.tick(seen));
  }
}

const slotsOf = (verdicts: readonly Verdict[]): number[] => verdicts.map(({ slots }) => slots);
const causesOf = (verdicts: readonly Verdict[]): string[] => [...new Set(verdicts.map(({ cause }) => cause))];

describe('judge', () => {
  it('gives the budget, by the fixed law', () => {
    const verdict = new Governor(rules()).tick(readings());
    assert.deepEqual([verdict.slots, verdict.cause, verdict.reading, verdict.cancel], [8, 'free', null, 'none']);
  });

  it('lets a person hold and limit, and says who and why', () => {
    const governor = new Governor(rules());
    const held = governor.tick(readings(), { order: { slots: 0, by: 'ana', reason: 'release day' } });
    assert.deepEqual([held.slots, held.cause, held.reason], [0, 'operator', 'held by ana: release day']);
    const limited = governor.tick(readings(), { order: { slots: 3, by: 'ana', reason: '' } });
    assert.deepEqual([limited.slots, limited.cause, limited.reason], [3, 'operator', 'limited to 3 by ana']);
    assert.equal(governor.tick(readings(), { order: { slots: 30, by: 'ana', reason: '' } }).slots, 8);
  });

  it('lets nobody talk a stop away', () => {
    const verdict = new Governor(rules()).tick(readings(LAG), { order: { slots: 3, by: 'ana', reason: '' } });
    assert.deepEqual([verdict.slots, verdict.cause, verdict.reading], [0, 'stop', 'lag_seconds']);
  });

  it('cancels what blocks others also while a person holds', () => {
    const verdict = new Governor(rules()).tick(readings({ blocked: 1 }), { order: { slots: 0, by: 'a', reason: '' } });
    assert.deepEqual([verdict.cause, verdict.cancel], ['operator', 'blocker']);
  });

  it('keeps a window, and says what comes next', () => {
    const days = [0, 1, 2, 3, 4];
    const window: Window = { days, from: 8 * 60, to: 18 * 60, zone: 'America/New_York', slots: 1 };
    const { verdict, next } = judge(beginGovernor(), readings(), rules({ windows: [window] }), NOON, 1000);
    assert.deepEqual([verdict.slots, verdict.cause], [1, 'window']);
    assert.match(verdict.reason, /until 2026-06-01T22:00:00Z/);
    assert.deepEqual(next, { at: Date.UTC(2026, 5, 1, 22), window: null });
  });
});

describe('a stop', () => {
  for (const [name, seen] of [
    ['blocked', readings({ blocked: 1 })],
    ['lag_seconds', readings({ lag_seconds: 5.1 })],
    ['lag_bytes', readings({ lag_bytes: 1.1 * 1024 ** 3 })],
    ['slots_lost', readings({ slots_lost: 1 })],
    ['archive', readings({ archive: 43 })],
    ['autovacuum', readings({ autovacuum: 1 })],
    ['checkpoints', readings({ checkpoints: 2 })],
    ['connections', readings({ connections: 4 })],
    ['hold_when lag', readings({}, { lag: 11 })],
  ] as const) {
    it(`by ${name} holds at once, and names it`, () => {
      const holdWhen = name === 'hold_when lag' ? [{ name: 'lag', above: 10 }] : [];
      const verdict = new Governor(rules({ holdWhen })).tick(seen);
      assert.deepEqual([verdict.slots, verdict.cause, verdict.reading], [0, 'stop', name]);
    });
  }

  it('at the bound is none', () => {
    const edge = { lag_seconds: 5, archive: 42, checkpoints: 1, connections: 5, lag_bytes: 1024 ** 3 };
    const governor = new Governor(rules({ holdWhen: [{ name: 'lag', above: 10 }] }));
    assert.equal(governor.tick(readings(edge, { lag: 10 })).slots, 8);
  });

  it('ends after five clean ticks, at half, and rises', () => {
    const governor = new Governor(rules());
    governor.tick(readings());
    governor.tick(readings(LAG));
    const after = governor.ticks(9, readings());
    assert.deepEqual(slotsOf(after), [0, 0, 0, 0, 4, 5, 6, 7, 8]);
    assert.deepEqual(causesOf(after), ['recovering', 'free']);
  });

  it('counts clean ticks from the start where it comes back, or what stopped it is not known', () => {
    for (const seen of [LAG, { lag_seconds: null }]) {
      const governor = new Governor(rules());
      governor.tick(readings(LAG));
      governor.ticks(4, readings());
      assert.equal(governor.tick(readings(seen)).slots, 0);
      assert.deepEqual(slotsOf(governor.ticks(4, readings())), [0, 0, 0, 0]);
      assert.notEqual(governor.tick(readings()).slots, 0);
    }
  });
});

describe('a critical stop', () => {
  it('has a second chance, then cancels all and waits twice as long each time, ten minutes at most', () => {
    const governor = new Governor(rules());
    assert.equal(governor.tick(readings(HUGE_LAG)).cancel, 'none');
    const waits: number[] = [];
    for (let strike = 0; strike < 7; strike++) {
      const struck = governor.tick(readings(HUGE_LAG));
      assert.deepEqual([struck.cancel, struck.cause], ['all', 'critical']);
      let wait = 1;
      while (governor.tick(readings()).cause === 'critical') wait++;
      waits.push(wait);
      governor.tick(readings(HUGE_LAG));
    }
    assert.deepEqual(waits, [30, 60, 120, 240, 480, 600, 600]);
  });

  it('is forgotten after ten quiet minutes', () => {
    const governor = new Governor(rules());
    governor.ticks(2, readings(HUGE_LAG));
    governor.ticks(640, readings());
    assert.equal(governor.state.halts.strikes, 0);
  });

  it('cancels again what works on all the same', () => {
    const governor = new Governor(rules());
    governor.ticks(2, readings({ blocked: 1 }));
    assert.deepEqual([...new Set(governor.ticks(10, readings({ blocked: 1 })).map(({ cancel }) => cancel))], ['all']);
    assert.equal(governor.state.halts.strikes, 1);
  });

  it('is none where cancelling would not help', () => {
    const governor = new Governor(rules({ holdWhen: [{ name: 'lag', above: 10 }] }));
    const seen = readings({ autovacuum: 2, checkpoints: 9, connections: 0, lag_seconds: 20 }, { lag: 1000 });
    const verdicts = governor.ticks(60, seen);
    assert.deepEqual([...new Set(verdicts.map(({ cancel }) => cancel))], ['none']);
    assert.deepEqual(causesOf(verdicts), ['stop']);
  });
});

describe('what is unknown', () => {
  const holdWhen = [{ name: 'lag', above: 10 }];

  it('halves each tick, is 0 after ten seconds, and comes back', () => {
    const governor = new Governor(rules({ slots: 400, holdWhen }));
    governor.tick(readings({}, { lag: 1 }));
    const verdicts = governor.ticks(9, readings({}, { lag: null }));
    assert.deepEqual(slotsOf(verdicts), [200, 100, 50, 25, 12, 6, 3, 0, 0]);
    assert.deepEqual(causesOf(verdicts), ['unknown']);
    assert.match(verdicts[0]?.reason ?? '', /hold_when lag is unknown: it needs pg_monitor/);
    const back = slotsOf(governor.ticks(3, readings({}, { lag: 1 })));
    assert.deepEqual(back, [0, 1, 1]);
  });

  it('is a reading that is old, absent, or no number', () => {
    for (const seen of [reading(1, 3001), undefined, reading(NaN), reading(Infinity)]) {
      const governor = new Governor(rules({ holdWhen }));
      governor.tick(readings({}, { lag: 1 }));
      const declared: Readings['declared'] = seen ? { lag: seen } : {};
      assert.equal(governor.tick({ ...readings(), declared }).slots, 4);
    }
  });

  it('lets nothing through at the start', () => {
    assert.equal(new Governor(rules({ holdWhen })).tick(readings({}, { lag: null })).slots, 0);
  });
});

describe('whatever is read', () => {
  const value = fc.oneof(
    fc.constant(null),
    fc.constantFrom(0, 1, 5, 43, 1e12, -1, NaN, Infinity, -Infinity),
    fc.double({ min: 0, max: 100 }),
  );
  const seen = fc.record({
    sensed: fc.array(fc.record({ value, ageMs: fc.constantFrom(0, 500, 3001, 20_000, NaN) }), {
      minLength: SENSES.length,
      maxLength: SENSES.length,
    }),
    lag: value,
    probes: fc.array(fc.constantFrom(5, 6, 40, 0, -1, NaN, Infinity, 1e9), { maxLength: 8 }),
    tickMs: fc.constantFrom(0, 1000, 1000, 1000, 2500, 60_000),
  });

  it('the verdict is a whole number between 0 and the most, and never the stopped one', () => {
    fc.assert(
      fc.property(fc.array(seen, { minLength: 1, maxLength: 80 }), fc.constantFrom('fixed', 'adaptive'), (all, law) => {
        let state = beginGovernor();
        for (const { sensed, lag, probes, tickMs } of all) {
          const values = Object.fromEntries(SENSES.map((sense, i) => [sense, { ...reading(0), ...sensed[i] }]));
          const seenNow = { ...readings(values, { lag }), probes };
          const given = rules({ law, holdWhen: [{ name: 'lag', above: 10 }] });
          const judged = judge(state, seenNow, given, NOON, tickMs);
          const { slots, cause, reason } = judged.verdict;
          assert.ok(Number.isInteger(slots) && slots >= 0 && slots <= 8, `${slots}`);
          assert.ok(CAUSES.includes(cause) && reason !== '');
          if (lag !== null && Number.isFinite(lag) && lag > 10) assert.equal(slots, 0);
          state = GovernorStateJson.parse(JSON.parse(JSON.stringify(judged.state)));
          assert.deepEqual(state, judged.state);
        }
      }),
    );
  });
});
