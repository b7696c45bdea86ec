/** The package as npm would pack it: all that it runs on, nothing that it does not. Needs `npm run build` first. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { filesOf, FOLDERS } from '../tiers.js';
import { importsOf, packageOf, resolveImport } from './imports.js';
import type { SourceFile } from './tree.js';
import { codeFiles, ROOT } from './tree.js';

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
}
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;

const PACKED = /^(?:src|workflows|activities)\//;
/** Runs in the repository only, and is not compiled. */
const NOT_PACKED = 'src/worker/build.ts';

/** Packages that the code imports at run time and that an installed sluice would lack. */
function undeclared(files: readonly SourceFile[], declared: ReadonlySet<string>): string[] {
  return files.flatMap((file) =>
    importsOf(file)
      .filter(({ specifier, typeOnly }) => !typeOnly && resolveImport(file.path, specifier) === undefined)
      .filter(({ specifier }) => !isBuiltin(specifier) && !declared.has(packageOf(specifier)))
      .map(({ specifier }) => `${file.path}: ${specifier}`),
  );
}

/** What of a packed listing should not be there, or is missing. */
function packingErrors(packed: readonly string[], wanted: readonly string[]): string[] {
  const allowed =
    /^(?:dist\/(?:src|workflows|activities)\/.*\.(?:js|d\.ts)|dist\/workflow-bundle\.js|dist\/bundle\/cli\/(?:[\w-]+\.js|LICENSES\.txt)|[A-Z]+(?:\.md)?|package\.json)$/;
  const strange = packed.filter((path) => !allowed.test(path) || /\.test\.|worker\/build\./.test(path));
  return [
    ...strange.map((path) => `should not be packed: ${path}`),
    ...wanted.filter((path) => !packed.includes(path)).map((path) => `missing: ${path}`),
  ];
}

/** Every file that package.json points to, with the `./` taken off. */
function promised(): string[] {
  const targets = [
    ...Object.values(manifest.bin),
    ...Object.values(manifest.exports).flatMap((t) => (typeof t === 'string' ? t : Object.values(t))),
  ];
  return targets.map((path) => path.replace(/^\.\//, ''));
}

/** The compiled file of a source, unless that source is yet to be written. */
const onceWritten = (path: string, source: string): string[] => (existsSync(join(ROOT, source)) ? [path] : []);

test('the installed package needs only its dependencies', () => {
  const files = codeFiles().filter(({ path }) => PACKED.test(path) && path !== NOT_PACKED);
  assert.deepEqual(undeclared(files, new Set(Object.keys(manifest.dependencies))), []);
});

test('npm packs what runs, and nothing else', () => {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const answer: unknown = JSON.parse(
    execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
  );
  const [listing] = Array.isArray(answer) ? answer : Object.values(answer as object);
  const packed = (listing as { files: { path: string }[] }).files.map(({ path }) => path);
  const compiled = promised().flatMap((path) =>
    path.startsWith('dist/')
      ? onceWritten(path, path.slice('dist/'.length).replace(/(?:\.d\.ts|\.js)$/, '.ts'))
      : [path],
  );
  const bundle = onceWritten('dist/workflow-bundle.js', 'workflows/index.ts');
  const documents = onceWritten('README.md', 'README.md');
  assert.deepEqual(packingErrors(packed, [...compiled, ...bundle, ...documents, 'LICENSE', 'CHANGELOG.md']), []);
});

test('a development dependency in packed code is found; types, builtins and own files are not', () => {
  const text = `import 'tsx/esm'; import 'node:fs'; import './b.js'; import type { A } from 'a'; import '@t/worker/lib/x.js'; import ts from 'typescript';`;
  assert.deepEqual(undeclared([{ path: 'src/a.ts', text }], new Set(['@t/worker'])), [
    'src/a.ts: tsx/esm',
    'src/a.ts: typescript',
  ]);
});

test('sources, tests, maps and lost files are found', () => {
  const packed = [
    'package.json',
    'dist/src/a.js',
    'dist/src/a.js.map',
    'src/a.ts',
    'dist/test/a.test.js',
    'dist/src/worker/build.js',
  ];
  assert.deepEqual(packingErrors(packed, ['LICENSE', 'package.json']), [
    'should not be packed: dist/src/a.js.map',
    'should not be packed: src/a.ts',
    'should not be packed: dist/test/a.test.js',
    'should not be packed: dist/src/worker/build.js',
    'missing: LICENSE',
  ]);
});

test('every test file is in one tier: in test/pure.ts, or a file of its own', () => {
  const all = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => `test/${file}`);
  const pure = all.filter((file) => FOLDERS.some((folder) => file.startsWith(`test/${folder}/`)));
  const [first, faults] = [filesOf('first'), filesOf('faults')];
  assert.deepEqual([...pure, ...first, ...faults].sort(), ['test/pure.ts', ...all].sort());
  assert.ok(faults.length > 10 && faults.every((file) => all.includes(file)));
});
