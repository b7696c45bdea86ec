import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { downstreamOf, topological, upstreamOf } from '../../src/core/graph/order.js';

type Needs = Record<string, readonly string[]>;
const needsIn =
  (graph: Needs) =>
  (name: string): readonly string[] =>
    graph[name] ?? [];
const sort = (graph: Needs): ReturnType<typeof topological> => topological(Object.keys(graph), needsIn(graph));

const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
/** Any graph of up to six datasets, cycles and unknown names included. */
const graph: fc.Arbitrary<Needs> = fc.dictionary(name, fc.array(name, { maxLength: 2 }), {
  maxKeys: 6,
  noNullPrototype: true,
});

/** Brute force: the least order in which every dataset follows what it needs, or undefined. */
function leastOrder(needs: Needs): string[] | undefined {
  const names = Object.keys(needs).sort();
  const order: string[] = [];
  while (order.length < names.length) {
    const next = names.find(
      (one) =>
        !order.includes(one) &&
        (needs[one] ?? []).every((need) => need === one || !(need in needs) || order.includes(need)),
    );
    if (next === undefined) return undefined;
    order.push(next);
  }
  return order;
}

/** Brute force: every path of at least one edge, self edges left out. */
function reachable(needs: Needs, from: string): Set<string> {
  let reached = new Set<string>();
  for (;;) {
    const more = new Set([
      ...reached,
      ...[from, ...reached].flatMap((one) => (needs[one] ?? []).filter((need) => need !== one)),
    ]);
    if (more.size === reached.size) return reached;
    reached = more;
  }
}

describe('topological', () => {
  it('puts upstreams first, ties by name', () => {
    assert.deepEqual(sort({ d: ['b', 'c'], c: ['a'], b: ['a'], a: [], _: ['d'] }), {
      order: ['a', 'b', 'c', 'd', '_'],
    });
    assert.deepEqual(sort({}), { order: [] });
  });
  it('takes a dataset that needs itself, and ignores unknown names', () => {
    assert.deepEqual(sort({ a: ['a', 'nowhere'], b: ['b', 'a', 'a'] }), { order: ['a', 'b'] });
  });
  it('names a cycle, closed, least name first, without what hangs on it', () => {
    assert.deepEqual(sort({ z: ['c'], c: ['b'], b: ['a'], a: ['c'], x: [] }), { cycle: ['a', 'c', 'b', 'a'] });
  });
  it('orders a thousand datasets in a chain', () => {
    const chain: Needs = Object.fromEntries(
      Array.from({ length: 1000 }, (_, i) => [`d${i}`, i === 0 ? [] : [`d${i - 1}`]]),
    );
    assert.deepEqual(sort(chain), { order: Object.keys(chain) });
  });
  it('agrees with brute force', () => {
    fc.assert(
      fc.property(graph, (needs) => {
        const found = sort(needs);
        const expected = leastOrder(needs);
        if ('order' in found) {
          assert.deepEqual(found.order, expected);
          return;
        }
        assert.equal(expected, undefined);
        assert.ok(found.cycle.length > 2 && found.cycle[0] === found.cycle.at(-1));
        assert.equal(new Set(found.cycle).size, found.cycle.length - 1);
        found.cycle.slice(1).forEach((need, i) => assert.ok(needs[found.cycle[i] ?? '']?.includes(need)));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('upstreamOf and downstreamOf', () => {
  it('agree with brute force, and with each other', () => {
    fc.assert(
      fc.property(graph, name, (needs, root) => {
        assert.deepEqual(upstreamOf([root], needsIn(needs)), reachable(needs, root));
        const names = Object.keys(needs);
        if (!names.includes(root)) return;
        const readers = names.filter((one) => reachable(needs, one).has(root));
        assert.deepEqual([...downstreamOf([root], names, needsIn(needs))].sort(), readers.sort());
      }),
    );
  });
  it('hold a root only where another leads to it', () => {
    const needs = needsIn({ c: ['b'], b: ['a', 'b'], a: [] });
    assert.deepEqual([...upstreamOf(['c', 'b'], needs)].sort(), ['a', 'b']);
    assert.deepEqual([...upstreamOf(['b'], needs)], ['a']);
    assert.deepEqual([...downstreamOf(['b'], ['a', 'b', 'c'], needs)], ['c']);
  });
});
