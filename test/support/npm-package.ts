import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Runs a program in the repository to its end, on this terminal; answers its exit code. */
export function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): number {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, env: { ...process.env, ...env }, stdio: 'inherit' });
  if (error) console.error(`${command}: ${error.message}`);
  return status ?? 1;
}

/** Runs test files by node's test runner. */
export function runTests(node: string, paths: readonly string[], env: NodeJS.ProcessEnv = {}): number {
  const tests = ['--import', 'tsx', '--import', './test/support/seed.ts', '--test', '--test-concurrency=2'];
  return run(node, [...tests, '--test-timeout=600000', '--test-reporter=spec', ...paths], env);
}

/**
 * The folder of an npm package that tests need and users don't; installed into `node_modules/.cache` where it is not there yet, without what it
 * would run.
 */
export function packageFolder(name: string, version: string): string {
  const folder = join(ROOT, 'node_modules/.cache/packages', `${name.replace('/', '+')}-${version}`);
  const found = join(folder, 'node_modules', name);
  if (existsSync(join(found, 'package.json'))) return found;
  mkdirSync(folder, { recursive: true });
  const install = ['install', '--prefix', folder, '--no-save', '--ignore-scripts', '--no-audit', '--no-fund'];
  if (run('npm', [...install, `${name}@${version}`]) !== 0) throw new Error(`${name}@${version} cannot be installed`);
  return found;
}
