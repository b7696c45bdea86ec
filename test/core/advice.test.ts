import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { advise } from '../../src/core/advice/advise.js';
import type { DatasetFacts, Facts, KeptUnique } from '../../src/core/advice/types.js';

const dataset = (over: Partial<DatasetFacts> = {}): DatasetFacts => ({
  ...{
    name: 'sales',
    remaining: 1000,
    partitionMs: 100,
    gapMs: 0,
    inOrder: null,
    pool: null,
    joining: null,
    index: null,
  },
  ...over,
});

const KEPT: KeptUnique = { index: 'CREATE UNIQUE INDEX', addToKey: 'at' };

/** Four slots, all at work, in a database with cores to spare. */
const facts = (over: Partial<Facts> = {}): Facts => ({
  ...{
    id: 'b',
    connection: 'warehouse',
    slots: 4,
    cause: 'budget',
    budget: 4,
    rate: null,
    maxParallel: null,
    cores: 16,
  },
  ...{ atWork: 4, others: 0, cpu: { ours: 1, others: 0 }, queued: 0, workers: 1, batchesPerSecond: 8 },
  datasets: [dataset()],
  ...over,
});

const first = (of: Facts): string | undefined => advise(of).advice[0]?.code;

describe('advice', () => {
  it('is more slots where all are at work and the database is idle', () => {
    const { limit, secondsLeft, advice } = advise(facts());
    assert.equal(limit.code, 'slots');
    assert.equal(secondsLeft, 25);
    assert.deepEqual(
      advice.map(({ code, gain }) => [code, gain]),
      [['more_slots', 2]],
    );
    assert.match(advice[0]?.next ?? '', /budget\.slots 8/);
  });

  it('promises nothing of more slots where the cores are busy, or may be', () => {
    assert.deepEqual(advise(facts({ cores: 4, cpu: { ours: 4, others: 0 } })).advice, []);
    assert.deepEqual(advise(facts({ cores: null, cpu: { ours: 4, others: 0 } })).advice, []);
    assert.equal(advise(facts({ cores: 6, cpu: { ours: 4, others: 0 } })).advice[0]?.gain, 1.5);
  });

  it('is not more slots where the governor, a window or a person decides', () => {
    for (const cause of ['window', 'foreground', 'latency', 'stop'])
      assert.deepEqual(advise(facts({ cause })).advice, []);
    const cut = facts({ cause: 'operator', slots: 2, budget: 4, atWork: 2 });
    assert.deepEqual(
      advise(cut).advice.map(({ code, gain, next }) => [code, gain, next]),
      [['release', 2, 'sluice warehouse release warehouse']],
    );
  });

  it('names what is in the way, and nothing else', () => {
    assert.equal(first(facts({ maxParallel: 1, atWork: 1 })), 'max_parallel');
    assert.equal(first(facts({ rate: 2, batchesPerSecond: 2, atWork: 1, queued: 20 })), 'raise_rate');
    assert.equal(first(facts({ atWork: 1, queued: 2 })), 'add_workers');
    assert.equal(first(facts({ atWork: 1, datasets: [dataset({ pool: { name: 'heavy', slots: 1 } })] })), 'pool_slots');
    assert.equal(first(facts({ atWork: 1, datasets: [dataset({ inOrder: 'reads_itself' })] })), 'reads_itself');
    assert.equal(first(facts({ atWork: 1, datasets: [dataset({ inOrder: KEPT })] })), 'serial_key');
    assert.equal(first(facts({ atWork: 1, batchesPerSecond: 1 })), undefined);
    assert.equal(advise(facts({ atWork: 1 })).limit.code, 'inputs');
  });

  it('says what lets PostgreSQL keep a key unique, and what the key lacks for it', () => {
    const next = (inOrder: KeptUnique): string | undefined =>
      advise(facts({ atWork: 1, datasets: [dataset({ inOrder })] })).advice[0]?.next;
    assert.equal(next(KEPT), 'in sales: add at to key; then in the warehouse: CREATE UNIQUE INDEX');
    assert.equal(next({ ...KEPT, addToKey: null }), 'in the warehouse: CREATE UNIQUE INDEX');
  });

  it('counts on no gain in the gaps between batches that follow one another', () => {
    const slow = dataset({ inOrder: 'reads_itself', gapMs: 100 });
    assert.ok(Math.abs((advise(facts({ atWork: 1, datasets: [slow] })).advice[0]?.gain ?? 0) - 200 / 150) < 1e-9);
  });

  it('weighs what makes a dataset cheaper by how much of the work it is', () => {
    const index = { statement: 'CREATE INDEX', part: 0.1 };
    const both = [dataset({ index }), dataset({ name: 'other', remaining: 500 })];
    const [best] = advise(facts({ cause: 'window', datasets: both })).advice;
    assert.equal(best?.code, 'add_index');
    assert.equal(best.dataset, 'sales');
    assert.ok(Math.abs(best.gain - 150 / 60) < 1e-9);
    assert.equal(first(facts({ cause: 'window', datasets: [dataset({ joining: 0.2 })] })), 'join');
  });

  it('is silent of what ends, and of what is not measured', () => {
    assert.equal(advise(facts({ datasets: [dataset({ remaining: 0 })] })).limit.code, 'nothing');
    assert.equal(advise(facts({ datasets: [dataset({ partitionMs: null })] })).limit.code, 'nothing');
  });

  it('says at most three things, the best first, each a gain that a number can hold', () => {
    const number = fc.double({ min: 0, max: 64, noNaN: true });
    const part = fc.option(fc.double({ min: 0.01, max: 1, noNaN: true }));
    const datasets = fc.array(
      fc.record({
        name: fc.constantFrom('a', 'b', 'c'),
        remaining: fc.nat(1e6),
        partitionMs: fc.option(fc.double({ min: 0.1, max: 1e7, noNaN: true })),
        gapMs: fc.nat(1e4),
        inOrder: fc.constantFrom(null, 'reads_itself' as const, KEPT),
        pool: fc.option(fc.record({ name: fc.constant('p'), slots: fc.nat(9) })),
        joining: part,
        index: fc.option(
          fc.record({ statement: fc.constant('CREATE INDEX'), part: fc.double({ min: 0.01, max: 1, noNaN: true }) }),
        ),
      }),
      { maxLength: 5 },
    );
    const any = fc.record({
      ...{
        id: fc.constant('b'),
        connection: fc.constant('w'),
        slots: fc.option(fc.nat(64)),
        cause: fc.constantFrom('budget', 'free', 'operator', 'window'),
      },
      ...{
        budget: fc.option(fc.nat(64)),
        rate: fc.option(fc.double({ min: 0.001, max: 10_000, noNaN: true })),
        maxParallel: fc.option(fc.integer({ min: 1, max: 64 })),
        cores: fc.option(fc.integer({ min: 1, max: 64 })),
      },
      ...{
        atWork: number,
        others: number,
        cpu: fc.record({ ours: number, others: number }),
        queued: number,
        workers: fc.nat(9),
      },
      ...{ batchesPerSecond: number, datasets },
    });
    fc.assert(
      fc.property(any, (of) => {
        const { advice, secondsLeft } = advise(of);
        assert.ok(advice.length <= 3 && (secondsLeft === null || Number.isFinite(secondsLeft)));
        for (const [i, { gain, next }] of advice.entries()) {
          assert.ok(gain >= 1.2 && Number.isFinite(gain) && next !== '');
          assert.ok(gain <= (advice[i - 1]?.gain ?? Infinity));
        }
      }),
    );
  });
});
