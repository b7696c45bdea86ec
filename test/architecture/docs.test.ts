/** Documents that hold: links lead somewhere, decisions are listed, and commands are ones that the CLI has. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { test } from 'node:test';
import { COMMANDS } from '../../src/cli/commands/index.js';
import { silentIo } from '../cli/support/io.js';
import type { SourceFile } from './tree.js';
import { allFiles, ROOT } from './tree.js';

const documents = (): SourceFile[] =>
  allFiles().filter(({ path }) => path.endsWith('.md') && !path.startsWith('test/fixtures/'));
const FENCE = /^(?:```|~~~)/;

/** Lines outside (`false`) or inside (`true`) of fenced code. */
function lines(text: string, inCode: boolean): string[] {
  let open = false;
  return text.split('\n').filter((line) => {
    if (FENCE.test(line)) {
      open = !open;
      return false;
    }
    return open === inCode;
  });
}

/** Relative links of one document whose target is not there; web addresses and anchors in the page are not looked at. */
function deadLinks({ path, text }: SourceFile, exists: (path: string) => boolean): string[] {
  const prose = lines(text, false)
    .join('\n')
    .replace(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\[[^\]]*\]\(([^)\s]+)[^)]*\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^(?:[a-z]+:|#)/.test(target))
    .filter((target) => !exists(posix.join(posix.dirname(path), target.replace(/#.*$/, ''))))
    .map((target) => `${path}: ${target}`);
}

/** Verbs typed after `sluice` in fenced code: at the start of a line or after a prompt, `npx`, `&&`, `|` or `;`. */
function typedVerbs({ text }: SourceFile): string[] {
  const command = /(?:^|[$;|] |&& |npx )\s*sluice ([a-z][a-z-]*)/g;
  return lines(text, true).flatMap((line) => [...line.matchAll(command)].map(([, verb = '']) => verb));
}

function unknownVerbs(files: readonly SourceFile[], verbs: ReadonlySet<string>): string[] {
  return files.flatMap((file) =>
    typedVerbs(file).flatMap((verb) => (verbs.has(verb) ? [] : [`${file.path}: sluice ${verb}`])),
  );
}

function unlisted(decisions: readonly string[], index: string): string[] {
  return decisions.filter((name) => !index.includes(`](${name})`));
}

/** What `sluice --help` lists. */
function verbsOfCli(): ReadonlySet<string> {
  return new Set(COMMANDS.map(({ make }) => make(silentIo(), () => undefined).name()));
}

/** Titles of tests that a page names, as `file`: "title", "…part of one…", and that their file has not. */
function lostTests(page: string, read: (path: string) => string | undefined): string[] {
  const [, ...parts] = page.split(/`((?:test|examples)\/[\w./-]+\.ts)`/);
  return parts.flatMap((path, i) => {
    if (i % 2 === 1) return [];
    const text = read(path);
    if (text === undefined) return [path];
    const titles = [...(parts[i + 1] ?? '').split('|')[0]!.matchAll(/"([^"\n]+)"/g)].map(([, title = '']) => title);
    return titles
      .filter((title) => !title.split('…').every((piece) => text.includes(piece)))
      .map((title) => `${path}: ${title}`);
  });
}

const textOf = (path: string): string | undefined =>
  existsSync(join(ROOT, path)) ? readFileSync(join(ROOT, path), 'utf8').replaceAll("\\'", "'") : undefined;

for (const page of ['docs/contract-tests.md', 'docs/guarantees.md'])
  test(`every test that ${page} names is there`, () => {
    assert.deepEqual(lostTests(textOf(page) ?? '', textOf), []);
  });

test('a test that is gone is found', () => {
  const page = '| a | `test/a.ts`: "one", "t…o"; `test/b.ts`: "x" | "no title"\n| b | `test/a.ts`: "three" |';
  const files: Record<string, string> = { 'test/a.ts': "test('one') test('two')" };
  assert.deepEqual(
    lostTests(page, (path) => files[path]),
    ['test/b.ts', 'test/a.ts: three'],
  );
});

test('relative links lead to a file', () => {
  const dead = documents().flatMap((file) => deadLinks(file, (path) => existsSync(join(ROOT, path))));
  assert.deepEqual(dead, []);
});

test('every command in a document is a verb of the CLI', () => {
  assert.deepEqual(unknownVerbs(documents(), verbsOfCli()), []);
});

test('every decision is numbered and listed in docs/decisions/README.md', () => {
  const decisions = readdirSync(join(ROOT, 'docs/decisions')).filter((name) => name !== 'README.md');
  const index = allFiles().find(({ path }) => path === 'docs/decisions/README.md');
  assert.deepEqual(unlisted(decisions, index?.text ?? ''), []);
  assert.deepEqual(
    decisions.filter((name) => !/^\d{4}-[a-z0-9-]+\.md$/.test(name)),
    [],
  );
  const numbers = decisions.map((name) => name.slice(0, 4));
  assert.equal(new Set(numbers).size, numbers.length, `a number is used twice: ${numbers.join(' ')}`);
});

test('a dead link is found, and only it', () => {
  const text = '[a](b.md) [c](../gone.md#x "t") [w](https://x.y) [h](#here) `[d](code.md)`\n```\n[e](fenced.md)\n```\n';
  const found = deadLinks({ path: 'docs/x.md', text }, (path) => path === 'docs/b.md');
  assert.deepEqual(found, ['docs/x.md: ../gone.md#x']);
});

test('a wrong verb is found, in code only', () => {
  const text =
    'sluice outside\n```sh\nnpx sluice plan --last 3d\n$ sluice paln\nnpm ci && sluice go | sluice no\n# the sluice folder\n```\n';
  assert.deepEqual(unknownVerbs([{ path: 'a.md', text }], new Set(['plan'])), [
    'a.md: sluice paln',
    'a.md: sluice go',
    'a.md: sluice no',
  ]);
});

test('a decision that is not listed is found', () => {
  assert.deepEqual(unlisted(['0001-a.md', '0002-b.md'], '- [1](0001-a.md)'), ['0002-b.md']);
});
