// Type-aware lint. Every rule that is switched off says why; the layers come from test/architecture/layers.json,
// the same table that the architecture test draws.
import { readFileSync } from 'node:fs';
import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import { createNodeResolver, flatConfigs, importX } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

const layers = JSON.parse(readFileSync(new URL('./test/architecture/layers.json', import.meta.url), 'utf8'));
const production = ['src/**/*.ts', 'workflows/**/*.ts', 'activities/**/*.ts'];

/** One zone per layer and forbidden neighbour, checked on resolved paths. Type-only edges are narrowed further down. */
const zones = Object.entries(layers)
  .filter(([, { may }]) => !may.includes('*'))
  .flatMap(([target, { may, types = [] }]) =>
    Object.keys(layers)
      .filter((from) => from !== target && !may.includes(from) && !types.includes(from))
      .map((from) => ({
        target: `./${target}`,
        from: `./${from}`,
        message: `${target} may not import ${from} (DESIGN §6).`,
      })),
  );

const noEnv = { object: 'process', property: 'env', message: 'Only src/worker, src/dev and src/cli/main.ts read it.' };
const pureOnly = 'src/core is pure: pass it as a parameter.';
const ambient = [
  'process',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'fetch',
  'performance',
  'crypto',
];
const sandboxed = ['process', 'Buffer', 'require', 'fetch', 'performance', 'crypto', 'WeakRef', 'FinalizationRegistry'];
const banned = (names, message) => names.map((name) => ({ name, message }));
/** Bare specifiers other than these packages and their sub-paths, `node:` builtins among them. */
const onlyPackages = (names) => `^(?!\\.)(?!(?:${names.join('|')})(?:/|$))`;

/** What DESIGN §6 allows one purely typed neighbour: workflows see activities, the client sees messages. */
const typeOnly = (folder, { packages } = {}) => ({
  '@typescript-eslint/no-restricted-imports': [
    'error',
    {
      patterns: [
        { regex: `^(?:\\.\\./)+${folder}/`, allowTypeImports: true, message: `Types of ${folder} only (DESIGN §6).` },
        ...(packages
          ? [{ regex: onlyPackages(packages), message: `Only ${packages.join(', ')} here (DESIGN §6).` }]
          : []),
      ],
    },
  ],
});

export default defineConfig(
  { ignores: ['dist/', 'node_modules/', '.sluice/', 'test/fixtures/'] },
  js.configs.recommended,
  { files: ['**/*.js'], languageOptions: { globals: { URL: 'readonly', process: 'readonly', console: 'readonly' } } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, flatConfigs.typescript],
    plugins: { 'import-x': importX },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    settings: {
      // Sources name the compiled file, as NodeNext wants; the resolver must look for the source.
      'import-x/resolver-next': [
        createNodeResolver({ extensionAlias: { '.js': ['.ts', '.js'] }, extensions: ['.ts', '.js'] }),
      ],
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-floating-promises': [
        'error',
        // node:test awaits what these return by itself.
        {
          allowForKnownSafeCalls: [
            {
              from: 'package',
              package: 'node:test',
              name: ['test', 'it', 'describe', 'suite', 'before', 'after', 'beforeEach', 'afterEach'],
            },
          ],
        },
      ],
      // `${count} rows` reads better than String(count); objects, null and undefined stay forbidden.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // `() => log(x)` returns nothing that anyone could misread.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // `while (true)` is the plain way to write a loop that ends from within.
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      // Off: an `async` function without `await` turns a throw into a rejection, which interfaces of promises want.
      '@typescript-eslint/require-await': 'off',
      // `_` marks what a signature demands and the body does not need.
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      // Packages are not followed: theirs would cost most of a minute, and are not ours to mend.
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
      'import-x/no-extraneous-dependencies': [
        'error',
        { devDependencies: ['test/**', 'bench/**', 'src/worker/build.ts'], optionalDependencies: false },
      ],
      'import-x/no-restricted-paths': ['error', { basePath: import.meta.dirname, zones }],
      'max-lines': ['error', 300],
      'max-lines-per-function': ['error', 70],
      eqeqeq: 'error',
    },
  },
  {
    files: production,
    ignores: ['src/worker/**', 'src/dev/**', 'src/cli/main.ts', 'src/core/**'],
    rules: { 'no-restricted-properties': ['error', noEnv] },
  },
  {
    files: ['src/core/**/*.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: pureOnly },
        { object: 'Math', property: 'random', message: pureOnly },
        { object: 'Temporal', property: 'Now', message: pureOnly },
      ],
      'no-restricted-globals': ['error', ...banned(ambient, pureOnly)],
      'no-restricted-syntax': [
        'error',
        { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message: pureOnly },
        { selector: ':function[async=true], AwaitExpression', message: 'src/core is synchronous.' },
      ],
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            { regex: onlyPackages(layers['src/core'].packages), message: 'src/core imports no such package.' },
          ],
        },
      ],
    },
  },
  {
    files: ['workflows/**/*.ts'],
    rules: {
      // Date, Math.random and setTimeout stay: the workflow sandbox replaces them by deterministic ones.
      'no-restricted-globals': ['error', ...banned(sandboxed, 'A workflow replays: no such thing in its sandbox.')],
      ...typeOnly('activities', { packages: layers.workflows.packages }),
    },
  },
  { files: ['src/client/**/*.ts'], rules: typeOnly('workflows') },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      // The architecture test draws cycles among tests as well.
      'import-x/no-cycle': 'off',
      'max-lines': ['error', 700],
      // A `describe` block is a list, not a function to be held in mind.
      'max-lines-per-function': 'off',
      // A test that finds `undefined` fails, which is what it is for.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // JSON of a command under test is looked at as it comes.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/explicit-module-boundary-types': 'off',
    },
  },
);
