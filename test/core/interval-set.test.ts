import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatInstant, FOREVER, parseInstant, type Interval } from '../../src/core/interval/interval.js';
import {
  contains,
  intersect,
  normalize,
  overlapping,
  overlaps,
  subtract,
  totalMs,
  union,
  type IntervalSet,
} from '../../src/core/interval/set.js';

/** The model: a set of time as one boolean for each ms of 0–39. */
const SIZE = 40;
const bitmap = (intervals: Iterable<Interval>): boolean[] => {
  const bits = Array<boolean>(SIZE).fill(false);
  for (const { start, end } of intervals) bits.fill(true, start, Math.max(start, end));
  return bits;
};
const time = fc.nat(SIZE);
const interval: fc.Arbitrary<Interval> = fc
  .tuple(time, time)
  .filter(([a, b]) => a !== b)
  .map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) }));
const many = fc.array(interval, { maxLength: 8 });
const set = many.map(normalize);

/** What every function here must give back. */
function assertSet(found: IntervalSet): void {
  found.forEach(({ start, end }, i) => {
    assert.ok(start < end, 'not empty');
    const next = found[i + 1];
    if (next) assert.ok(end < next.start, 'ascending, neither overlapping nor touching');
  });
}

describe('sets of time agree with a bitmap', () => {
  const bits = (found: Interval[], expected: boolean[]): void => {
    assertSet(found);
    assert.deepEqual(bitmap(found), expected);
  };
  it('normalize', () => fc.assert(fc.property(many, (a) => bits(normalize(a), bitmap(a)))));
  it('union', () => fc.assert(fc.property(many, many, (a, b) => bits(union(a, b), bitmap([...a, ...b])))));
  it('intersect', () => {
    fc.assert(
      fc.property(set, set, (a, b) =>
        bits(
          intersect(a, b),
          bitmap(a).map((one, i) => one && bitmap(b)[i] === true),
        ),
      ),
    );
  });
  it('subtract', () => {
    fc.assert(
      fc.property(set, set, (a, b) =>
        bits(
          subtract(a, b),
          bitmap(a).map((one, i) => one && bitmap(b)[i] === false),
        ),
      ),
    );
  });
  it('overlapping', () => {
    fc.assert(
      fc.property(set, interval, (a, i) =>
        assert.deepEqual(
          overlapping(a, i),
          a.filter((one) => overlaps(one, i)),
        ),
      ),
    );
  });

  it('contains', () => {
    fc.assert(
      fc.property(set, interval, (a, i) =>
        assert.equal(contains(a, i), bitmap(a).slice(i.start, i.end).every(Boolean)),
      ),
    );
  });
  it('overlaps', () => {
    fc.assert(
      fc.property(interval, interval, (a, b) =>
        assert.equal(
          overlaps(a, b),
          bitmap([a]).some((one, i) => one && bitmap([b])[i] === true),
        ),
      ),
    );
  });
  it('totalMs', () => fc.assert(fc.property(set, (a) => assert.equal(totalMs(a), bitmap(a).filter(Boolean).length))));
});

describe('sets of time', () => {
  it('may be endless', () => {
    const past = { start: -Infinity, end: 5 };
    assert.deepEqual(subtract([FOREVER], [past]), [{ start: 5, end: Infinity }]);
    assert.deepEqual(subtract([past], [FOREVER]), []);
    assert.deepEqual(union([past], [{ start: 5, end: Infinity }], [FOREVER]), [FOREVER]);
    assert.deepEqual(intersect([past], [{ start: 0, end: Infinity }]), [{ start: 0, end: 5 }]);
    assert.ok(contains([FOREVER], FOREVER));
    assert.ok(!contains([past], FOREVER));
    assert.equal(totalMs([past]), Infinity);
  });

  it('drop what is empty and do not change their input', () => {
    const input: readonly Interval[] = Object.freeze([
      Object.freeze({ start: 3, end: 4 }),
      Object.freeze({ start: 1, end: 1 }),
    ]);
    assert.deepEqual(normalize(input), [{ start: 3, end: 4 }]);
  });
});

it('instants are written and read back', () => {
  for (const text of ['2013-01-01T00:00:00Z', '2013-01-01T00:00:00.250Z', 'infinity', '-infinity']) {
    assert.equal(formatInstant(parseInstant(text)), text);
  }
  for (const text of ['2013-01-01', '', 'now', '2013-01-01T00:00:00+01:00'])
    assert.throws(() => parseInstant(text), RangeError);
});
