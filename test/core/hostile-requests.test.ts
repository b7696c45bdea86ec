// Whatever is typed for a range or a selection is understood or refused with a remedy: never an exception, never a NaN, never a slow match.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { select, type SelectGraph } from '../../src/core/graph/select.js';
import { resolveRange } from '../../src/core/time/range.js';
import { sqlInstant } from '../../src/store/ledger.js';

const NOW = Date.parse('2024-03-10T12:00:00Z');
const MESSAGE_MAX = 4_000;

/** Pieces of what is right, put together wrong, and anything at all. */
function textOf(...pieces: readonly string[]): fc.Arbitrary<string> {
  return fc.oneof(
    fc.array(fc.constantFrom(...pieces), { maxLength: 8 }).map((parts) => parts.join('')),
    fc.string({ unit: 'binary', maxLength: 400 }),
  );
}

const time = textOf(
  '2024-03-10',
  'T',
  '02:30',
  ':00',
  'Z',
  '+',
  '-',
  '99:99',
  '2024',
  '-02-30',
  '0',
  ' ',
  'infinity',
  'now',
);
const length = textOf(
  '30',
  '9999999',
  'y',
  'd',
  'h',
  'm',
  '-',
  '1e9',
  '.',
  '0',
  '9007199254740993',
  'P',
  'T',
  ' ',
  'months',
);
const selector = textOf(
  '+',
  '*',
  'a',
  'b',
  'tag:',
  'path:',
  '/',
  '..',
  '\\',
  '[',
  '(',
  '$',
  '?',
  ' ',
  '\n',
  'datasets',
);

test('a range is read or refused', () => {
  const range = fc.record({ from: time, to: time, on: time, last: length }, { requiredKeys: [] });
  const zone = fc.constantFrom('UTC', 'America/New_York', 'Asia/Kathmandu', 'Pacific/Apia');
  fc.assert(
    fc.property(range, zone, (options, zone) => {
      const result = resolveRange(options, { zone, now: NOW });
      if ('problem' in result) {
        assert.ok(result.problem.message.length <= MESSAGE_MAX && result.problem.remedy !== '');
        return;
      }
      const { from = -Infinity, to = Infinity } = result.range;
      assert.ok(from < to, `${from} … ${to}`);
      // What PostgreSQL reads, and what a text of ours names: years 1 to 9999, or no end.
      for (const end of [from, to]) assert.match(sqlInstant(end), /^\d{4}-.*Z$|^-?infinity$/);
    }),
    { numRuns: 2_000 },
  );
});

test('a selection is read or refused, and a pattern takes no time', () => {
  const graph: SelectGraph = new Map(
    ['a', 'b', 'a'.repeat(63)].map((name, i) => [
      name,
      { file: `datasets/${name}.sql`, tags: ['t'], needs: i === 1 ? [{ dataset: 'a' }] : [] },
    ]),
  );
  const began = performance.now();
  fc.assert(
    fc.property(fc.array(selector, { maxLength: 4 }), fc.array(selector, { maxLength: 2 }), (selectors, excludes) => {
      const result = select(graph, selectors, excludes);
      if ('problem' in result) assert.ok(result.problem.message.length <= MESSAGE_MAX && result.problem.remedy !== '');
      else assert.ok(result.selected.size > 0 && [...result.selected].every((name) => graph.has(name)));
    }),
    { numRuns: 2_000 },
  );
  // Stars that a backtracking match would try in every way: 2^30 of them.
  select(graph, [`${'*a'.repeat(30)}*b`]);
  assert.ok(performance.now() - began < 10_000);
});
