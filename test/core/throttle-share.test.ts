import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { choose, type Choice, type Contender } from '../../src/core/throttle/share.js';
import { random } from '../support/random.js';

const of = (epoch: number, held: number, waiting: number, priority = 3, given = 0): Contender => ({
  epoch,
  held,
  waiting,
  priority,
  given,
});

interface Side {
  readonly sessions: number;
  readonly priority?: number;
}

/** Slot time of backfills at a gate whose sessions ask in any order; a batch lasts ten times as long as a wait between two asks. */
function share(slots: number, sides: readonly Side[]): number[] {
  const next = random(1);
  const sessions = sides.flatMap(({ sessions: n }, epoch) =>
    Array.from({ length: n }, () => ({ epoch, holds: false, gave: -1 })),
  );
  const time = sides.map(() => 0);
  for (let step = 0; step < 20_000; step++) {
    const me = sessions[Math.floor(next() * sessions.length)];
    for (const { epoch, holds } of sessions) if (holds) time[epoch] = (time[epoch] ?? 0) + 1;
    if (!me || (me.holds && next() > 0.1)) continue;
    const had = me.holds;
    [me.holds, me.gave] = [false, -1];
    const others = sessions.filter((one) => one !== me);
    const seen = sides.map(({ priority = 3 }, epoch) => {
      const theirs = others.filter((one) => one.epoch === epoch);
      const held = theirs.filter(({ holds }) => holds).length;
      return of(epoch, held, theirs.length - held, priority, others.filter(({ gave }) => gave === epoch).length);
    });
    const free = others.filter(({ holds }) => holds).length < slots;
    const choice: Choice = free ? choose(seen, me.epoch, had, next()) : { kind: 'wait' };
    me.holds = choice.kind === 'take';
    me.gave = choice.kind === 'give' ? choice.to : -1;
  }
  return time;
}

const jain = (all: readonly number[]): number =>
  all.reduce((sum, one) => sum + one, 0) ** 2 / (all.length * all.reduce((sum, one) => sum + one ** 2, 0));

describe('sharing slots', () => {
  it('hands a slot to a backfill that waits and has fewer', () => {
    assert.deepEqual(choose([of(1, 3, 0), of(2, 0, 1)], 1, true, 0.9), { kind: 'give', to: 2 });
    assert.deepEqual(choose([of(1, 1, 0), of(2, 2, 1)], 1, true, 0), { kind: 'take' });
    assert.deepEqual(choose([of(1, 0, 0), of(2, 0, 1, 3, 1)], 1, false, 0), { kind: 'wait' });
  });

  it('takes what nobody else waits for', () => {
    const chance = fc.double({ min: 0, max: 0.999, noNaN: true });
    fc.assert(
      fc.property(fc.nat(9), fc.nat(9), fc.nat(9), fc.boolean(), chance, (mine, own, held, had, by) => {
        assert.equal(choose([of(1, mine, own), of(2, held, 0)], 1, had, by).kind, 'take');
      }),
    );
  });

  it('always lets one of those that wait pass', () => {
    const contender = fc.tuple(fc.nat(9), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 5 }), fc.nat(1));
    fc.assert(
      fc.property(fc.array(contender, { minLength: 1, maxLength: 6 }), (rows) => {
        const all = rows.map(([held, waiting, priority, given], epoch) => of(epoch, held, waiting, priority, given));
        assert.ok(all.some(({ epoch }) => choose(all, epoch, false, 0).kind === 'take'));
      }),
    );
  });

  it('is even among equals, whatever the slots and however many sessions each has', () => {
    for (const slots of [1, 2, 3, 4, 7]) {
      for (const [a, b] of [
        [8, 8],
        [8, 5],
      ] as const) {
        const time = share(slots, [{ sessions: a }, { sessions: b }]);
        assert.ok(jain(time) >= 0.95, `${slots} slots, ${a} and ${b} sessions: ${time.join(' ')}`);
      }
    }
    const three = share(4, [{ sessions: 4 }, { sessions: 5 }, { sessions: 6 }]);
    assert.ok(jain(three) >= 0.95, three.join(' '));
  });

  it('gives the more urgent more, and every other something', () => {
    for (const slots of [1, 4]) {
      const of = (a: number, b: number): number => {
        const [first = 0, second = 0] = share(slots, [
          { sessions: 6, priority: a },
          { sessions: 6, priority: b },
        ]);
        return second / first;
      };
      assert.ok(of(1, 5) > 0.02 && of(1, 5) < 0.2, `${slots} slots: ${of(1, 5)}`);
      assert.ok(of(2, 3) > 0.2 && of(2, 3) < 0.8, `${slots} slots: ${of(2, 3)}`);
    }
  });
});
