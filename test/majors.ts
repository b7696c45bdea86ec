/**
 * `npm run test:majors`: what matters most of the suite on every PostgreSQL that is supported; `-- 13 16` on some. Each is warehouse and source in turn,
 * beside another one. Their servers are npm packages of one family.
 */
import { packageName } from '../src/dev/postgres-binaries.js';
import { MAJORS } from '../src/postgres/server.js';
import { packageFolder, runTests } from './support/npm-package.js';

const VERSIONS: Readonly<Record<number, string>> = {
  13: '13.23.0-beta.16',
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
  18: '18.4.0-beta.17',
};
const FILES = ['majors', 'digest', 'planning', 'publish', 'cli-journeys', 'time', 'types', 'partitioned'];

function packageOf(major: number): string {
  const version = VERSIONS[major];
  if (version === undefined) throw new Error(`${major} is none of ${Object.keys(VERSIONS).join(', ')}`);
  return packageFolder(packageName(), version);
}

function passOn(warehouse: number, source: number, files: readonly string[]): boolean {
  console.error(`\nwarehouse ${warehouse}, source ${source}: ${files.join(', ')}`);
  const env = { SLUICE_POSTGRES_PACKAGE: packageOf(warehouse), SLUICE_TEST_SOURCE_PACKAGE: packageOf(source) };
  const paths = files.map((name) => `test/e2e/${name}.test.ts`);
  return runTests(process.execPath, paths, env) === 0;
}

const asked = process.argv.slice(2).map(Number);
const failed = (asked.length > 0 ? asked : Object.keys(VERSIONS).map(Number)).flatMap((major) => {
  const other = major === MAJORS.newest ? MAJORS.oldest : MAJORS.newest;
  return [
    ...(passOn(major, other, FILES) ? [] : [`warehouse ${major}`]),
    ...(passOn(other, major, ['majors']) ? [] : [`source ${major}`]),
  ];
});
if (failed.length > 0) console.error(`failed: ${failed.join(', ')}`);
process.exitCode = failed.length > 0 ? 1 : 0;
