/** What `npm run promises` breaks is there to be broken, and is what docs/guarantees.md says. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { BROKEN, type Broken } from '../promises/broken.js';
import { misplaced } from '../support/edits.js';
import { ROOT } from './tree.js';

type Read = (path: string) => string | undefined;

/** Rows of the page's first table by their bold words; and by the same, what the second says of when each was seen to fail. */
function promisesOf(page: string): { rows: Map<string, string>; seen: Map<string, string> } {
  const [rows, seen] = [new Map<string, string>(), new Map<string, string>()];
  for (const line of page.split('\n')) {
    const [, bold] = /^\| \*\*(.+?)\.?\*\*/.exec(line) ?? [];
    const [, plain, when] = /^\| ([^*|]+?) \| (.+) \|$/.exec(line) ?? [];
    if (bold !== undefined) rows.set(bold, line);
    else if (plain !== undefined && when !== undefined && !/^(?:promise|-+)$/.test(plain)) seen.set(plain, when);
  }
  return { rows, seen };
}

/** Promises that nothing breaks, and what is broken for no promise. */
function unbroken(entries: readonly Broken[], page: string): string[] {
  const promises = [...promisesOf(page).rows.keys()];
  const broken = entries.map(({ promise }) => promise);
  return [
    ...promises.filter((promise) => !broken.includes(promise)),
    ...broken.filter((promise) => !promises.includes(promise)),
  ];
}

/** Tests that are not in their files, and files that the row of their promise does not name. */
function untested(entries: readonly Broken[], page: string, read: Read): string[] {
  const { rows } = promisesOf(page);
  return entries.flatMap(({ promise, what, test: file, names = [] }) => {
    const named = [...(rows.get(promise) ?? '').matchAll(/`(test\/[\w./*-]+)`/g)].map(([, path = '']) => path);
    const isNamed = named.some((path) => path === file || new RegExp(`^${path.replace('*', '[^/]*')}$`).test(file));
    const text = read(file) ?? '';
    const lost = names.filter((name) => !text.includes(name));
    return isNamed && text !== '' && lost.length === 0 ? [] : [`${what}: ${file} ${lost.join()}`];
  });
}

/** What the page does not tell of, and what it tells of without its being broken. */
function untold(entries: readonly Broken[], page: string): string[] {
  const { seen } = promisesOf(page);
  const told = [...seen].flatMap(([promise, when]) => when.split('; ').map((what) => `${promise}: ${what}`));
  const planted = entries.map(({ promise, what }) => `${promise}: ${what}`);
  return [...planted.filter((one) => !told.includes(one)), ...told.filter((one) => !planted.includes(one))];
}

const textOf: Read = (path) =>
  existsSync(join(ROOT, path)) ? readFileSync(join(ROOT, path), 'utf8').replaceAll("\\'", "'") : undefined;
const sourceOf: Read = (path) => readFileSync(join(ROOT, path), 'utf8');
const PAGE = sourceOf('docs/guarantees.md') ?? '';

test('each planted bug has its place once in the source', () => {
  assert.deepEqual(
    misplaced(
      BROKEN.flatMap(({ edits }) => edits),
      sourceOf,
    ),
    [],
  );
  assert.ok(BROKEN.every(({ edits }) => edits.length > 0));
});

test('each promise is broken, and nothing else', () => {
  assert.deepEqual(unbroken(BROKEN, PAGE), []);
});

test('each promise is broken where its row names the test', () => {
  assert.deepEqual(untested(BROKEN, PAGE, textOf), []);
});

test('the page says when each test was seen to fail', () => {
  assert.deepEqual(untold(BROKEN, PAGE), []);
});

test('what does not hold is found', () => {
  const entry = (over: Partial<Broken>): Broken => ({
    promise: 'All',
    what: 'a bug',
    edits: [],
    test: 'test/a.ts',
    ...over,
  });
  const page =
    '| **All.** More | b | `test/a*.ts`: "t" |\n| **One** | b | `test/b.ts` |\n\n| All | a bug; an old bug |';
  const read: Read = (path) => ({ 'src/a.ts': 'x y y', 'test/a.ts': "test('t')", 'test/c.ts': '' })[path];
  const edits = ['x', 'y', 'z'].map((from) => ['src/a.ts', from, ''] as const);
  assert.deepEqual(misplaced(edits, read), ['src/a.ts: y', 'src/a.ts: z']);
  assert.deepEqual(unbroken([entry({}), entry({ promise: 'None' })], page), ['One', 'None']);
  assert.deepEqual(
    untested(
      [entry({ names: ['t'] }), entry({ names: ['u'] }), entry({ test: 'test/c.ts' }), entry({ promise: 'One' })],
      page,
      read,
    ),
    ['a bug: test/a.ts u', 'a bug: test/c.ts ', 'a bug: test/a.ts '],
  );
  assert.deepEqual(untold([entry({}), entry({ what: 'a new bug' })], page), ['All: a new bug', 'All: an old bug']);
});
