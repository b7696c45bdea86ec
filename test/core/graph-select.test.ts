import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { select, type SelectGraph, type SelectProblem } from '../../src/core/graph/select.js';

const node = (
  file: string,
  needs: string[] = [],
  tags: string[] = [],
): { file: string; needs: { dataset: string }[]; tags: string[] } => ({
  file: `datasets/${file}`,
  needs: needs.map((dataset) => ({ dataset })),
  tags,
});
/** flights_raw → flights_clean → carrier_7d → board; weather → carrier_7d. */
const GRAPH: SelectGraph = new Map(
  Object.entries({
    flights_raw: node('ops/raw/flights_raw.yaml', [], ['core', 'raw']),
    weather: node('ops/weather.yaml', [], ['raw']),
    flights_clean: node('ops_clean/flights_clean.sql', ['flights_raw', 'flights_clean']),
    carrier_7d: node('carrier_7d.sql', ['flights_clean', 'weather'], ['core']),
    'board.v1': node('bi/board.v1.yaml', ['carrier_7d']),
  }),
);

function names(selectors: string[], excludes: string[] = []): string[] {
  const found = select(GRAPH, selectors, excludes);
  assert.ok('selected' in found, JSON.stringify(found));
  return [...found.selected].sort();
}

function problem(selectors: string[], excludes: string[] = [], graph = GRAPH): SelectProblem {
  const found = select(graph, selectors, excludes);
  assert.ok('problem' in found, JSON.stringify(found));
  return found.problem;
}

describe('select', () => {
  const examples: Record<string, string[]> = {
    flights_raw: ['flights_raw'],
    'flights_*': ['flights_clean', 'flights_raw'],
    '*': ['board.v1', 'carrier_7d', 'flights_clean', 'flights_raw', 'weather'],
    'board.*': ['board.v1'],
    '+flights_clean': ['flights_clean', 'flights_raw'],
    'flights_clean+': ['board.v1', 'carrier_7d', 'flights_clean'],
    '+flights_clean+': ['board.v1', 'carrier_7d', 'flights_clean', 'flights_raw'],
    'tag:core': ['carrier_7d', 'flights_raw'],
    'tag:r*': ['flights_raw', 'weather'],
    'tag:raw+': ['board.v1', 'carrier_7d', 'flights_clean', 'flights_raw', 'weather'],
    'path:ops': ['flights_raw', 'weather'],
    'path:ops/raw': ['flights_raw'],
    'path:datasets/ops/': ['flights_raw', 'weather'],
    'path:bi/board.v1.yaml': ['board.v1'],
    'path:datasets': ['board.v1', 'carrier_7d', 'flights_clean', 'flights_raw', 'weather'],
    '+path:ops_clean': ['flights_clean', 'flights_raw'],
  };
  for (const [selector, expected] of Object.entries(examples)) {
    it(`takes ${selector}`, () => assert.deepEqual(names([selector]), expected));
  }

  it('matches stars as a regular expression would', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', '.'), minLength: 1, maxLength: 6 });
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*', '*'), minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.uniqueArray(word, { minLength: 1, maxLength: 20 }), pattern, (words, glob) => {
        const like = new RegExp(`^${glob.replaceAll('.', '\\.').replaceAll('*', '.*')}$`);
        const found = select(new Map(words.map((name) => [name, node(`${name}.sql`)])), [glob]);
        assert.deepEqual(
          'selected' in found ? [...found.selected].sort() : [],
          words.filter((name) => like.test(name)).sort(),
        );
      }),
    );
  });

  it('takes the whole project for nothing, and the union of several', () => {
    assert.equal(names([]).length, 5);
    assert.deepEqual(names(['weather', 'flights_raw']), ['flights_raw', 'weather']);
  });

  it('takes excludes away', () => {
    assert.deepEqual(names([], ['tag:raw', 'board.v1']), ['carrier_7d', 'flights_clean']);
    assert.deepEqual(names(['+carrier_7d'], ['+flights_clean']), ['carrier_7d', 'weather']);
  });

  it('names the nearest of what matches nothing', () => {
    const cases: [selector: string, code: string, remedy: string][] = [
      ['flight_raw', 'unknown_dataset', 'flights_raw'],
      ['+flights_cleam+', 'unknown_dataset', 'flights_clean'],
      ['Weather', 'unknown_dataset', 'weather'],
      ['boardXv1', 'unknown_dataset', 'board.v1'],
      ['tag:cor', 'unknown_tag', 'tag:core'],
      ['path:op', 'unknown_path', 'path:ops'],
      ['path:ops/row', 'unknown_path', 'path:ops/raw'],
      ['zzz*', 'unknown_dataset', 'the nearest is'],
    ];
    for (const [selector, code, remedy] of cases) {
      for (const found of [problem([selector]), problem([], [selector])]) {
        assert.equal(found.code, code, selector);
        assert.ok(found.remedy.includes(remedy), found.remedy);
      }
    }
  });

  it('refuses what is no selector, and a selection of nothing', () => {
    for (const selector of ['', '+', '++']) assert.equal(problem([selector]).code, 'bad_selector');
    assert.equal(problem(['weather'], ['tag:raw']).code, 'nothing_selected');
    assert.equal(problem([], [], new Map()).code, 'nothing_selected');
    assert.equal(problem(['a'], [], new Map()).code, 'unknown_dataset');
  });
});
