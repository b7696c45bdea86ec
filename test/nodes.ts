/** `npm run test:nodes`: the pure tests, and a few that start everything, on every Node that is supported; `-- 24` on one. */
import { join } from 'node:path';
import { packageFolder, runTests } from './support/npm-package.js';

/** Packages that hold a Node's program and nothing else. 20 has no newer one than this; where it runs already, it is taken. */
const VERSIONS: Readonly<Record<number, string>> = { 20: '20.8.0', 22: '22.23.5', 24: '24.22.3' };
const FILES = ['test/pure.ts', 'test/e2e/engine.test.ts', 'test/e2e/planning.test.ts', 'test/e2e/restarts.test.ts'];

function nodeOf(major: number): string {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  const version = VERSIONS[major];
  if (version === undefined) throw new Error(`${major} is none of ${Object.keys(VERSIONS).join(', ')}`);
  return join(packageFolder(`node-${process.platform}-${process.arch}`, version), 'bin', 'node');
}

const asked = process.argv.slice(2).map(Number);
const failed = (asked.length > 0 ? asked : Object.keys(VERSIONS).map(Number)).filter((major) => {
  console.error(`\nNode ${major}: ${FILES.join(', ')}`);
  return runTests(nodeOf(major), FILES) !== 0;
});
if (failed.length > 0) console.error(`failed on Node ${failed.join(', ')}`);
process.exitCode = failed.length > 0 ? 1 : 0;
