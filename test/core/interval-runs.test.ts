import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Interval } from '../../src/core/interval/interval.js';
import {
  appendRun,
  countRuns,
  ordinalsCovered,
  partitionAt,
  partitionsOf,
  runEnd,
  runsOf,
  type Run,
} from '../../src/core/interval/runs.js';

/** Ascending partitions, some adjacent, of lengths that often repeat. */
const partitions: fc.Arbitrary<Interval[]> = fc
  .array(fc.record({ gap: fc.constantFrom(0, 0, 0, 5), length: fc.constantFrom(1, 1, 2, 3) }), { maxLength: 30 })
  .map((parts) => {
    let at = 0;
    return parts.map(({ gap, length }) => ({ start: (at += gap), end: (at += length) }));
  });

describe('runs', () => {
  it('round trip with their partitions', () => {
    fc.assert(
      fc.property(partitions, (parts) => {
        const runs = runsOf(parts);
        assert.deepEqual([...partitionsOf(runs)], parts);
        assert.equal(countRuns(runs), parts.length);
        for (let i = -1; i <= parts.length; i++) assert.deepEqual(partitionAt(runs, i), parts[i]);
      }),
    );
  });

  it('tell which of their partitions stretches of time cover', () => {
    const masked = partitions.chain((parts) =>
      fc.tuple(fc.constant(parts), fc.array(fc.boolean(), { minLength: parts.length, maxLength: parts.length })),
    );
    fc.assert(
      fc.property(masked, ([parts, mask]) => {
        const stretches: { start: number; end: number }[] = [];
        for (const { start, end } of parts.filter((_, i) => mask[i])) {
          const last = stretches.at(-1);
          if (last?.end === start) last.end = end;
          else stretches.push({ start, end });
        }
        const covered = ordinalsCovered(runsOf(parts), stretches).flatMap(([lo, hi]) =>
          Array.from({ length: hi - lo }, (_, i) => lo + i),
        );
        assert.deepEqual(
          covered,
          parts.flatMap((_, i) => (mask[i] ? [i] : [])),
        );
      }),
    );
    const whole: Run[] = [{ start: -Infinity, step: Infinity, count: 1 }];
    assert.deepEqual(ordinalsCovered(whole, [{ start: -Infinity, end: Infinity }]), [[0, 1]]);
    assert.deepEqual(ordinalsCovered(whole, [{ start: -Infinity, end: 0 }]), []);
  });

  it('are as few as can be', () => {
    fc.assert(
      fc.property(partitions, (parts) => {
        const runs = runsOf(parts);
        runs.forEach((run, i) => {
          const next = runs[i + 1];
          assert.ok(!next || next.step !== run.step || next.start !== runEnd(run));
        });
      }),
    );
  });

  it('join when appended as when made at once', () => {
    fc.assert(
      fc.property(partitions, fc.nat(30), (parts, at) => {
        const runs: Run[] = runsOf(parts.slice(0, at));
        for (const run of runsOf(parts.slice(at))) appendRun(runs, run);
        assert.deepEqual(runs, runsOf(parts));
      }),
    );
  });

  it('hold all of time as one partition', () => {
    const all = { start: -Infinity, end: Infinity };
    const runs = runsOf([all]);
    assert.deepEqual(runs, [{ start: -Infinity, step: Infinity, count: 1 }]);
    assert.deepEqual([...partitionsOf(runs)], [all]);
    assert.deepEqual(partitionAt(runs, 0), all);
    assert.equal(runEnd(runs[0] ?? assert.fail()), Infinity);
  });
});
