/** Files and functions that fit in one head: half of the files at most 120 lines, none over 300, no function over 70. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import ts from 'typescript';
import type { SourceFile } from './tree.js';
import { codeFiles, parse } from './tree.js';

const FILE_MAX = 300;
const TEST_FILE_MAX = 700;
const MEDIAN_MAX = 120;
const FUNCTION_MAX = 70;

/**
 * The ratchet: what is over a limit today (`path`, or `path#function`), and its lines. It may only shrink: an entry
 * that grew fails, and so does one that is smaller or no longer needed, until the number here follows.
 */
const OVER: Readonly<Record<string, number>> = {};

const isTest = (path: string): boolean => /^(?:test|bench)\//.test(path);
const linesOf = (text: string): number => text.trimEnd().split('\n').length;

function nameOf(node: ts.FunctionLikeDeclaration): string {
  const named = node.name ?? (ts.isVariableDeclaration(node.parent) ? node.parent.name : undefined);
  return named?.getText() ?? '(anonymous)';
}

/** Every function with a body and the lines from its first token to its last. */
function functionsOf(file: SourceFile): { name: string; lines: number }[] {
  const source = parse(file);
  const found: { name: string; lines: number }[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const first = source.getLineAndCharacterOfPosition(node.getStart(source)).line;
      const last = source.getLineAndCharacterOfPosition(node.getEnd()).line;
      found.push({ name: nameOf(node), lines: last - first + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** What is longer than its limit, by `path` or `path#function`. */
function oversized(files: readonly SourceFile[]): Record<string, number> {
  const over: Record<string, number> = {};
  for (const file of files) {
    const lines = linesOf(file.text);
    if (lines > (isTest(file.path) ? TEST_FILE_MAX : FILE_MAX)) over[file.path] = lines;
    if (isTest(file.path)) continue;
    for (const found of functionsOf(file)) {
      if (found.lines > FUNCTION_MAX) over[`${file.path}#${found.name}`] = found.lines;
    }
  }
  return over;
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
}

test('no file over 300 lines (tests 700), no function over 70, but for the ratchet', () => {
  assert.deepEqual(oversized(codeFiles()), OVER);
});

test('the median file has at most 120 lines', () => {
  const lines = codeFiles()
    .filter(({ path }) => !isTest(path))
    .map(({ text }) => linesOf(text));
  assert.ok(median(lines) <= MEDIAN_MAX, `median ${median(lines)} of ${lines.length} files`);
});

test('a long file, a long test, a long function and a long method are found', () => {
  const body = (lines: number): string => '  f();\n'.repeat(lines - 2);
  const files = [
    { path: 'src/a.ts', text: 'x;\n'.repeat(301) },
    { path: 'src/b.ts', text: 'x;\n'.repeat(300) },
    { path: 'test/c.test.ts', text: 'x;\n'.repeat(701) },
    {
      path: 'src/d.ts',
      text: `export function long(): void {\n${body(71)}}\nexport function fits(): void {\n${body(70)}}\n`,
    },
    { path: 'src/e.ts', text: `const arrow = () => {\n${body(71)}};\n` },
    { path: 'src/f.ts', text: `class C {\nmethod(): void {\n${body(72)}}\n}\n` },
    { path: 'test/g.test.ts', text: `test(() => {\n${body(99)}});\n` },
  ];
  assert.deepEqual(oversized(files), {
    'src/a.ts': 301,
    'test/c.test.ts': 701,
    'src/d.ts#long': 71,
    'src/e.ts#arrow': 71,
    'src/f.ts#method': 72,
  });
});

test('the median is the middle one, the lower of two', () => {
  assert.equal(median([500, 1, 100]), 100);
  assert.equal(median([400, 1, 100, 200]), 100);
});
