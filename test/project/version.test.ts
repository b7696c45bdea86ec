import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadDataset, projectFiles, transform } from './helpers.js';

const SQL = 'SELECT t, 1 AS one FROM raw WHERE t >= :start AND t < :end';
const version = async (name: string, text: string, settings?: string): Promise<string> => {
  const file =
    name === 'raw'
      ? { 'datasets/raw.yaml': text, 'datasets/clean.sql': undefined }
      : { 'datasets/clean.sql': transform(text, settings) };
  return (await loadDataset(projectFiles(file), name)).version;
};

test('a version is 16 hex digits', async () => assert.match(await version('clean', SQL), /^[0-9a-f]{16}$/));

const SAME: readonly [name: string, sql: string, settings: string][] = [
  ['blanks', SQL.replaceAll(' ', '\n   '), 'time: t'],
  ['comments', `-- why\n${SQL} /* done */`, 'time: t'],
  ['case of keywords', SQL.replace('SELECT', 'select'), 'time: t'],
  ['a semicolon', `${SQL};`, 'time: t'],
  ['who and what for', SQL, 'time: t\nowner: me\ntags: [x]\ndescription: d\nfreshness: 1d'],
  ['how it runs', SQL, 'time: t\npriority: 1\ncoalesce: never\nready_after: 1h\nstart: 2014-01-01'],
  ['needs without a mapping', SQL, 'time: t\nneeds: { raw: { stale: ignore } }'],
  ['an explicit default', SQL, 'time: t\ngrain: day\ntimezone: UTC'],
];
for (const [name, sql, settings] of SAME) {
  test(`same version: ${name}`, async () =>
    assert.equal(await version('clean', sql, settings), await version('clean', SQL)));
}

const OTHER: readonly [name: string, sql: string, settings: string][] = [
  ['a constant', SQL.replace('1 AS', '2 AS'), 'time: t'],
  ['a string', SQL.replace('1 AS', "'1' AS"), 'time: t'],
  ['a column', SQL.replace('AS one', 'AS two'), 'time: t'],
  ['parameters', `${SQL} AND :start < :end`, 'time: t'],
  ['swapped parameters', `${SQL} AND :end < :start`, 'time: t'],
  ['the grain', SQL, 'time: t\ngrain: hour'],
  ['the zone', SQL, 'time: t\ntimezone: Europe/Berlin'],
  ['the time column', SQL, 'time: one'],
  ['the key', SQL, 'time: t\nkey: [one]'],
  ['the order of the key', SQL, 'time: t\nkey: [t, one]'],
  ['a mapping', SQL, 'time: t\nneeds: { raw: { lookback: 1d } }'],
  ['a mask', SQL, 'time: t\nmask: [one]'],
];
test('every change of what decides the content gives a version of its own', async () => {
  const versions = await Promise.all([
    version('clean', SQL),
    ...OTHER.map(([, sql, settings]) => version('clean', `${sql} `, settings)),
  ]);
  const names = ['nothing', ...OTHER.map(([name]) => name)];
  for (const [index, one] of versions.entries())
    assert.equal(versions.indexOf(one), index, `${names[index]} = ${names[versions.indexOf(one)]}`);
});

test('versions of extracts', async () => {
  const texts = {
    table: 'extract: { from: ops, table: public.x, time: t }',
    connection: 'extract: { from: wh, table: public.x, time: t }',
    other: 'extract: { from: ops, table: public.y, time: t }',
    time: 'extract: { from: ops, table: public.x, time: u }',
    unit: 'extract: { from: ops, table: public.x, time: { column: t, unit: ms } }',
    zone: 'extract: { from: ops, table: public.x, time: t, source_timezone: UTC }',
    query: 'extract: { from: ops, time: t, query: SELECT 1 AS t }',
    constant: 'extract: { from: ops, time: t, query: SELECT 2 AS t }',
  };
  const versions = await Promise.all(Object.values(texts).map((text) => version('raw', text)));
  assert.equal(new Set(versions).size, versions.length);
  assert.equal(await version('raw', 'extract: { time: t, table: x, from: ops }\nowner: me'), versions[0]);
  assert.equal(
    await version('raw', 'extract:\n  from: ops\n  time: t\n  query: |\n    SELECT -- one\n     1 AS t\n'),
    versions[6],
  );
});
