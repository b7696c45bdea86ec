// Whatever stands in a project or a request is planned, or refused before anything is allocated for it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RequestError } from '../../src/contracts/errors.js';
import { bordersOf } from '../../src/core/plan/borders.js';
import { DATASET_PARTITIONS_MAX, earliestStart, partitionsUntil } from '../../src/core/plan/limits.js';
import { floorTo, GRAINS } from '../../src/core/time/axis.js';
import { readTime } from '../../src/core/time/text.js';
import { requireWithinLimits } from '../../src/planning/limits.js';
import { DatasetYaml } from '../../src/contracts/project.js';

const NOW = Date.parse('2024-03-10T12:00:00Z');
const zones = fc.constantFrom('UTC', 'America/New_York', 'Australia/Lord_Howe', 'Pacific/Apia');

test('a count of partitions without listing them is never much too small', () => {
  fc.assert(
    fc.property(fc.constantFrom(...GRAINS), zones, fc.integer({ min: 1, max: 40_000 }), (grain, zone, partitions) => {
      const axis = { grain, zone };
      const length = (NOW - earliestStart({ axis, start: 0 }, NOW)) / DATASET_PARTITIONS_MAX;
      // Years and quarters by the thousand would begin before year 1.
      const start = Number.isFinite(length)
        ? floorTo(axis, NOW - Math.min(partitions * length, 1_900 * 31_536_000_000))
        : -Infinity;
      const node = {
        name: 'a',
        axis,
        start,
        readyAfter: { months: 0, days: 0, ms: 0 },
        needs: [],
        refresh: 'never' as const,
      };
      const listed = (bordersOf([node], NOW)[0]?.length ?? 0) - 1;
      const counted = partitionsUntil(node, NOW);
      assert.ok(listed <= counted * 1.02 + 30, `${listed} listed, ${counted} counted`);
    }),
    { numRuns: 100 },
  );
});

test('any start is planned or refused with what to write, which is then planned', () => {
  const year = fc.oneof(fc.integer({ min: 1, max: 9999 }), fc.constantFrom(1, 2, 1000, 1900, 1970, 1986));
  fc.assert(
    fc.property(fc.constantFrom(...GRAINS), zones, year, (grain, zone, y) => {
      const tried = (text: string): RequestError | undefined => {
        const at = readTime(text, zone)?.start;
        assert.ok(at !== undefined, text);
        const start = grain === 'none' ? -Infinity : floorTo({ grain, zone }, at);
        const dataset = { file: 'datasets/a.sql', axis: { grain, zone }, start };
        try {
          requireWithinLimits({ datasets: new Map([['a', dataset]]) }, NOW);
          return undefined;
        } catch (error) {
          assert.ok(error instanceof RequestError);
          return error;
        }
      };
      const refused = tried(`${String(y).padStart(4, '0')}-01-01`);
      if (!refused) return;
      const remedy = /start: (\d{4}-01-01)/.exec(refused.remedy ?? '')?.[1];
      assert.ok(remedy, refused.remedy);
      assert.equal(tried(remedy)?.code, undefined);
    }),
    { numRuns: 500 },
  );
});

const problems = (lookback: string): string =>
  DatasetYaml.safeParse({ needs: { a: { lookback } } })
    .error?.issues.map(({ message }) => message)
    .join() ?? '';

test('a length beyond a thousand years is refused where it stands', () => {
  for (const length of ['1001y', '100000y', '9999999d']) assert.match(problems(length), /longer than 1,000 years/);
  assert.equal(problems('1000y'), '');
});
