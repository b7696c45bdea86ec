import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { priorityKey, urgencies, type Ranked } from '../../src/core/graph/urgency.js';

const ranked = (name: string, readers: string[], more: Partial<Ranked> = {}): Ranked => ({
  name,
  readers,
  priority: 3,
  costMs: 1000,
  partitions: 10,
  ...more,
});
const weights = (datasets: Ranked[]): Record<string, string> =>
  Object.fromEntries([...urgencies(datasets)].map(([name, { weight }]) => [name, weight.toFixed(3)]));

describe('urgencies', () => {
  it('weighs a dataset by the longest chain of work that waits for it', () => {
    // source → long → last, and source → leaf: chains of 3, 2, 1 and 1, squared.
    const datasets = [
      ranked('source', ['long', 'leaf']),
      ranked('long', ['last']),
      ranked('leaf', []),
      ranked('last', []),
    ];
    assert.deepEqual(weights(datasets), { source: '0.600', long: '0.267', leaf: '0.067', last: '0.067' });
  });

  it('counts what was never measured as what the others cost', () => {
    const datasets = [
      ranked('a', []),
      ranked('b', [], { costMs: undefined }),
      ranked('c', [], { costMs: undefined, partitions: 20 }),
    ];
    assert.deepEqual(weights(datasets), { a: '0.167', b: '0.167', c: '0.667' });
  });

  it('lets a dataset inherit the priority of its most urgent reader, through any number of them', () => {
    const datasets = [
      ranked('a', ['b']),
      ranked('b', ['c', 'd'], { priority: 4 }),
      ranked('c', [], { priority: 1 }),
      ranked('d', [], { priority: 5 }),
    ];
    assert.deepEqual(
      [...urgencies(datasets)].map(([name, { priority }]) => [name, priority]),
      [
        ['a', 1],
        ['b', 1],
        ['c', 1],
        ['d', 5],
      ],
    );
  });

  it('gives out one in all, something to each, and never less to what more waits for', () => {
    const dag = fc.array(fc.tuple(fc.integer({ min: 0, max: 100_000 }), fc.array(fc.nat(), { maxLength: 3 })), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(dag, (drawn) => {
        const datasets = drawn.map(([costMs, readers], i) =>
          ranked(
            `d${i}`,
            i + 1 < drawn.length ? readers.map((reader) => `d${i + 1 + (reader % (drawn.length - i - 1))}`) : [],
            { costMs },
          ),
        );
        const of = urgencies(datasets);
        const sum = [...of.values()].reduce((total, { weight }) => total + weight, 0);
        assert.ok(sum > 0.999 && sum < 1 + 0.001 * datasets.length, `${sum}`);
        for (const { name, readers } of datasets) {
          for (const reader of readers) assert.ok((of.get(name)?.weight ?? 0) >= (of.get(reader)?.weight ?? 0));
        }
      }),
    );
  });
});

describe('priorityKey', () => {
  it('is the backfill’s, moved by the dataset’s, within 1 and 5', () => {
    assert.deepEqual(
      [priorityKey(3, 3), priorityKey(3, 1), priorityKey(1, 1), priorityKey(5, 4), priorityKey(2, 5)],
      [3, 1, 1, 5, 4],
    );
  });
});
