/** Arrows point down (DESIGN §6): every import against the one table in layers.json, and no cycles. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { importsOf, packageOf, resolveImport } from './imports.js';
import type { SourceFile } from './tree.js';
import { codeFiles } from './tree.js';

interface Layer {
  /** Folders it may import; `*` is any. Its own always. */
  readonly may: readonly string[];
  /** Folders of which it may import types. */
  readonly types?: readonly string[];
  /** The only packages it may import, no `node:` builtin among them; absent: any. */
  readonly packages?: readonly string[];
}
type Table = Readonly<Record<string, Layer>>;

const table = JSON.parse(readFileSync(new URL('layers.json', import.meta.url), 'utf8')) as Table;

function layerOf(path: string, layers: Table): string | undefined {
  return Object.keys(layers).find((layer) => path.startsWith(`${layer}/`));
}

/** Every edge that the table does not allow, and every file in a folder that it does not know. */
function forbiddenEdges(files: readonly SourceFile[], layers: Table): string[] {
  return files.flatMap((file) => {
    const from = layerOf(file.path, layers);
    const rules = from === undefined ? undefined : layers[from];
    if (from === undefined || rules === undefined)
      return [`${file.path}: in no layer of test/architecture/layers.json`];
    return importsOf(file).flatMap(({ specifier, typeOnly }) => {
      const target = resolveImport(file.path, specifier);
      if (target === undefined) {
        if (rules.packages === undefined || rules.packages.includes(packageOf(specifier))) return [];
        return [`${file.path}: ${from} may not import the package ${specifier}`];
      }
      const to = layerOf(target, layers);
      if (to === from || rules.may.includes('*') || (to !== undefined && rules.may.includes(to))) return [];
      if (to !== undefined && rules.types?.includes(to) === true) {
        return typeOnly ? [] : [`${file.path}: ${from} may import only types of ${to} (${specifier})`];
      }
      return [`${file.path}: ${from} may not import ${to ?? target} (${specifier})`];
    });
  });
}

/** One cycle for each file that closes one, as `a → b → a`. */
function cycles(files: readonly SourceFile[]): string[] {
  const edges = new Map(
    files.map((file) => [
      file.path,
      importsOf(file).flatMap(({ specifier }) => resolveImport(file.path, specifier) ?? []),
    ]),
  );
  const found: string[] = [];
  const state = new Map<string, 'open' | 'closed'>();
  const visit = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === 'closed') return;
    if (state.get(path) === 'open') {
      found.push([...trail.slice(trail.indexOf(path)), path].join(' → '));
      return;
    }
    state.set(path, 'open');
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
    state.set(path, 'closed');
  };
  for (const path of edges.keys()) visit(path, []);
  return found;
}

test('every import goes where the table lets it', () => {
  assert.deepEqual(forbiddenEdges(codeFiles(), table), []);
});

test('no import cycle, types included', () => {
  assert.deepEqual(cycles(codeFiles()), []);
});

/** The command as the build bundles it: what `src/cli/sluice.ts` looks for in `dist`. */
const BUILT = 'bundle/cli/main.ts';

test('relative imports name a file that exists', () => {
  const files = codeFiles();
  const known = new Set(files.map(({ path }) => path));
  const lost = files.flatMap((file) =>
    importsOf(file)
      .map(({ specifier }) => ({ specifier, target: resolveImport(file.path, specifier) }))
      .filter(({ target }) => target !== undefined && target.endsWith('.ts') && !known.has(target) && target !== BUILT)
      .map(({ specifier }) => `${file.path}: ${specifier}`),
  );
  assert.deepEqual(lost, []);
});

const bad: readonly (readonly [why: string, path: string, text: string, says: RegExp])[] = [
  ['up', 'src/core/a.ts', `import { s } from '../store/s.js';`, /src\/core may not import src\/store/],
  ['a type, up', 'src/core/a.ts', `import type { S } from '../store/s.js';`, /may not import src\/store/],
  ['a builtin', 'src/core/a.ts', `import { readFileSync } from 'node:fs';`, /may not import the package node:fs/],
  ['a package', 'workflows/a.ts', `import { z } from 'zod';`, /may not import the package zod/],
  ['a value', 'workflows/a.ts', `import { run } from '../activities/run.js';`, /only types of activities/],
  ['re-exported', 'src/contracts/a.ts', `export * from '../project/p.js';`, /may not import src\/project/],
  ['lazily', 'src/dev/a.ts', `const p = await import('../cli/main.js');`, /may not import src\/cli/],
  ['as a type query', 'src/store/a.ts', `type P = import('../planning/p.js').P;`, /may not import src\/planning/],
  ['computed', 'src/core/a.ts', `const p = await import(name);`, /may not import the package \(computed\)/],
  ['unknown folder', 'src/utils/a.ts', ``, /in no layer/],
  ['out of the house', 'src/store/a.ts', `import { x } from '../../bench/x.js';`, /may not import bench/],
];
for (const [why, path, text, says] of bad) {
  test(`a forbidden edge is found: ${why}`, () => {
    const found = forbiddenEdges([{ path, text }], table);
    assert.equal(found.length, 1);
    assert.match(found[0] ?? '', says);
  });
}

test('allowed edges pass', () => {
  const text = `import type * as activities from '../activities/index.js';\nimport { a } from '../src/core/a.js';\nimport './b.js';`;
  assert.deepEqual(forbiddenEdges([{ path: 'workflows/a.ts', text }], table), []);
});

test('a cycle is found and printed, once', () => {
  const files = [
    { path: 'src/core/a.ts', text: `import './b.js';` },
    { path: 'src/core/b.ts', text: `import type { C } from './c.js';` },
    { path: 'src/core/c.ts', text: `export { a } from './a.js';` },
    { path: 'src/core/d.ts', text: `import './a.js';` },
  ];
  assert.deepEqual(cycles(files), ['src/core/a.ts → src/core/b.ts → src/core/c.ts → src/core/a.ts']);
});
