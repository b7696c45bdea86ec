// A brute-force model of the board, and generators, for the tests of src/core/slice.
import fc from 'fast-check';
import type { Board, News, UpstreamEdge } from '../../src/core/slice/board.js';
import { expandMapping } from '../../src/core/plan/decode.js';
import type { StepRun } from '../../src/core/plan/types.js';
import type { Span } from '../../src/core/slice/spans.js';
import { ordinalsOf } from '../../src/core/slice/spans.js';
import { STATES } from '../../src/core/slice/states.js';
import type { State } from '../../src/core/slice/states.js';

export const statesOf = (board: Board): State[] => [...board.states].map((code) => STATES[code]!);

/** Every ordinal waits for the one of the same number. */
export function identity(upstream: string, count: number): UpstreamEdge {
  return {
    upstream,
    upstreamCount: count,
    mapping: { lo: [{ count, at: 0, step: 1, every: 1 }], hi: [{ count, at: 1, step: 1, every: 1 }] },
  };
}

/** A mapping that reads these, one after the other, however they lie. */
export function mappingOf(spans: readonly Span[]): UpstreamEdge['mapping'] {
  const flat = (values: readonly number[]): StepRun[] => values.map((at) => ({ count: 1, at, step: 0, every: 1 }));
  return { lo: flat(spans.map(([lo]) => lo)), hi: flat(spans.map(([, hi]) => hi)) };
}

export const tell = (version: number, told: Partial<Omit<News, 'version'>>): News => ({
  version,
  done: [],
  failed: [],
  skipped: [],
  ...told,
});

export const spanIn = (count: number): fc.Arbitrary<Span> =>
  fc.tuple(fc.nat(count), fc.nat(count)).map(([a, b]): Span => [Math.min(a, b), Math.max(a, b)]);

export const spansIn = (count: number): fc.Arbitrary<Span[]> => fc.array(spanIn(count), { maxLength: 3 });

export const edgeTo = (upstream: string, count: number): fc.Arbitrary<UpstreamEdge> =>
  fc.integer({ min: 1, max: 12 }).chain((upstreamCount) =>
    fc.array(spanIn(upstreamCount), { minLength: count, maxLength: count }).map((spans) => ({
      upstream,
      upstreamCount,
      mapping: mappingOf(spans),
    })),
  );

/** News with versions 0, 1, 2, … as one upstream sends them: what is done grows, what failed or is skipped is anything. */
export const newsOf = (upstreamCount: number): fc.Arbitrary<News[]> =>
  fc
    .array(fc.tuple(spanIn(upstreamCount), spansIn(upstreamCount), spansIn(upstreamCount)), { maxLength: 5 })
    .map((steps) =>
      steps.map(([, failed, skipped], version) => ({
        version,
        done: steps.slice(0, version + 1).map(([grown]) => grown),
        failed,
        skipped,
      })),
    );

/** What states follow from all that was told, in whatever order: sets and loops, sharing nothing with the board. */
export function expectedStates(
  count: number,
  edges: readonly UpstreamEdge[],
  told: ReadonlyMap<string, readonly News[]>,
): State[] {
  return Array.from({ length: count }, (_, ordinal) => {
    const inputs = edges.flatMap((edge) => {
      const heard = told.get(edge.upstream) ?? [];
      const latest = heard.reduce<News | undefined>(
        (best, one) => (best && best.version >= one.version ? best : one),
        undefined,
      );
      const done = new Set(heard.flatMap((one) => [...ordinalsOf(one.done)]));
      const failed = new Set(ordinalsOf(latest?.failed ?? []));
      const skipped = new Set(ordinalsOf(latest?.skipped ?? []));
      const result: string[] = [];
      const [lo, hi] = expandMapping(edge.mapping, ordinal);
      for (let i = lo; i < hi; i++) {
        result.push(done.has(i) ? 'done' : skipped.has(i) ? 'skipped' : failed.has(i) ? 'failed' : 'open');
      }
      return result;
    });
    if (inputs.includes('skipped')) return 'skipped';
    if (inputs.includes('failed')) return 'blocked';
    return inputs.includes('open') ? 'waiting' : 'ready';
  });
}
