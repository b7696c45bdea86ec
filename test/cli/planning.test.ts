import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDuration } from '../../src/core/time/duration.js';
import { adoptablePartitions } from '../../src/planning/adoptable.js';
import { askedInterval, requireRange } from '../../src/planning/asked.js';
import { problemOf } from '../../src/planning/check.js';
import { unsafeCalls, type Call } from '../../src/planning/functions.js';
import { namesAny } from '../../src/planning/volatiles.js';
import { impactOf, mappingText } from '../../src/planning/impact.js';
import { loadDataset, projectFiles } from '../project/helpers.js';

const NOW = Date.UTC(2013, 2, 10, 12);
const at = (day: number): number => Date.UTC(2013, 2, day);

test('impact: all that read it are late; an edge that ignores changes stops what is wrong', () => {
  const nodes = [
    { name: 'a', needs: [] },
    { name: 'b', owner: 'sales', needs: [{ dataset: 'a' }] },
    { name: 'c', owner: 'ops', needs: [{ dataset: 'a', stale: 'ignore' as const }] },
    { name: 'd', owner: 'ops', needs: [{ dataset: 'c' }] },
    { name: 'other', needs: [] },
  ];
  assert.deepEqual(impactOf(nodes, 'a'), {
    dataset: 'a',
    late: ['b', 'c', 'd'],
    wrong: ['b'],
    owners: ['ops', 'sales'],
  });
  assert.deepEqual(impactOf(nodes, 'd'), { dataset: 'd', late: [], wrong: [], owners: [] });
});

test('mappings in words', () => {
  const lookback = parseDuration('7d');
  assert.ok(lookback);
  assert.equal(mappingText({ dataset: 'a' }, 'b'), '');
  assert.equal(mappingText({ dataset: 'a', lookback }, 'b'), 'lookback 7d');
  assert.equal(
    mappingText({ dataset: 'a', window: 'all', stale: 'ignore' }, 'b'),
    'all before its end, changes ignored',
  );
  assert.equal(mappingText({ dataset: 'b' }, 'b'), 'previous partition');
});

test('calls that must not be: not PostgreSQL’s own safe ones, unlike others of their name; not what is allowed', () => {
  const call = (text: string): Call => {
    const [schema = '', name = ''] = text.split('.');
    return { schema, name, through: null };
  };
  const calls = ['pg_catalog.random', 'public.random', 'mine.x', 'pg_catalog.nextval'].map(call);
  const unsafe = (allow: readonly string[]): string[] =>
    unsafeCalls(calls, allow).map(({ schema, name }) => `${schema}.${name}`);
  assert.deepEqual(unsafe([]), ['public.random', 'mine.x', 'pg_catalog.nextval']);
  assert.deepEqual(unsafe(['NextVal', 'mine.x', 'random']), []);
  assert.deepEqual(unsafe(['other.x', 'pg_catalog.random']), ['public.random', 'mine.x', 'pg_catalog.nextval']);
});

test('a name may stand in a text however it is written, also where it does not', () => {
  const names = ['nextval', 'lo_get', 'two words', 'größe'];
  for (const text of [
    "SELECT NextVal('s')",
    '/* nextval */ SELECT 1',
    'SELECT x."nextval"',
    'SELECT "Two Words"(1)',
    'SELECT Größe(1)',
  ])
    assert.equal(namesAny(text, names), true, text);
  // Escaped, or cut by PostgreSQL to a name of 63 bytes: nobody can tell.
  for (const text of ['SELECT U&"n\\0065xtval"(1)', `SELECT ${'x'.repeat(64)}(1)`])
    assert.equal(namesAny(text, names), true);
  for (const text of ['SELECT nextval2(1), my_nextval, lo_gets', 'SELECT nextval$ FROM t'])
    assert.equal(namesAny(text, names), false);
});

test('a refusal of planning is taken apart into a problem', () => {
  const file = 'datasets/a.sql';
  assert.deepEqual(
    problemOf(file, { code: 'sql_error', message: 'datasets/a.sql:12: no: such: thing', remedy: 'mend it' }),
    {
      file,
      line: 12,
      code: 'sql_error',
      message: 'no: such: thing',
      remedy: 'mend it',
    },
  );
  assert.deepEqual(problemOf(file, { code: 'x', message: 'datasets/a.sql: table gone', remedy: undefined }), {
    file,
    code: 'x',
    message: 'table gone',
  });
  assert.deepEqual(problemOf(file, { code: 'x', message: 'elsewhere', remedy: undefined }), {
    file,
    code: 'x',
    message: 'elsewhere',
  });
});

test('a range is read in the project’s zone and rounded out to partitions of the dataset’s', async () => {
  const raw = await loadDataset(projectFiles(), 'raw');
  const project = { timezone: 'America/New_York' };
  assert.deepEqual(askedInterval(project, raw, { on: '2013-03-04' }, NOW), { start: at(4), end: at(6) });
  assert.deepEqual(askedInterval(project, raw, { from: '2013-03-04T12:00Z' }, NOW), { start: at(4), end: Infinity });
  assert.deepEqual(askedInterval(project, raw, { last: '1d' }, NOW), { start: at(9), end: at(11) });
  assert.throws(() => askedInterval(project, raw, { from: '2013-03-04', to: '2013-03-04' }, NOW), {
    code: 'range_empty',
  });
  assert.throws(
    () => {
      requireRange(raw, {}, 'adopt');
    },
    { code: 'range_missing', exitCode: 2 },
  );
});

test('adoptable: from the start to the last complete partition; what is left out is said', async () => {
  const raw = await loadDataset(
    projectFiles({ 'datasets/raw.yaml': 'extract: { from: ops, table: t, time: t }\nstart: 2013-03-05' }),
    'raw',
  );
  assert.deepEqual(adoptablePartitions(raw, { start: at(6), end: at(8) }, NOW), {
    runs: [{ start: at(6), step: 86_400_000, count: 2 }],
    notes: [],
  });
  const open = adoptablePartitions(raw, { start: -Infinity, end: Infinity }, NOW);
  assert.deepEqual(open, { runs: [{ start: at(5), step: 86_400_000, count: 5 }], notes: [] });
  const wide = adoptablePartitions(raw, { start: at(1), end: at(20) }, NOW);
  assert.deepEqual(wide.runs, open.runs);
  assert.equal(wide.notes.length, 2);
  assert.deepEqual(adoptablePartitions(raw, { start: at(1), end: at(3) }, NOW).runs, []);
});
