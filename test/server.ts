/**
 * `npm run test:server`: the core of the suite against Temporal's server for production, with PostgreSQL as its persistence, without Docker. Needs
 * `go`, and builds the server from its module the first time, which takes ten minutes on two cores; kept in `node_modules/.cache`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const VERSION = 'v1.32.0';
const COMMANDS = { server: 'go.temporal.io/server/cmd/server', sql: 'go.temporal.io/server/cmd/tools/sql' } as const;
const FILES = [
  'engine',
  'contract',
  'restarts',
  'deploys',
  'reliability-control',
  'reliability-fence',
  'reliability-kill',
];

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BIN = join(ROOT, 'node_modules/.cache/temporal-server', VERSION);

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv): number {
  const { status, error } = spawnSync(command, args, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: 'inherit',
  });
  if (error) console.error(`${command}: ${error.message}`);
  return status ?? 1;
}

function build(): number {
  if (Object.keys(COMMANDS).every((name) => existsSync(join(BIN, name)))) return 0;
  console.error(`builds Temporal ${VERSION} into ${BIN}`);
  const modules = Object.values(COMMANDS).map((path) => `${path}@${VERSION}`);
  return run('go', ['install', ...modules], { GOBIN: BIN });
}

const files = FILES.map((name) => `test/e2e/${name}.test.ts`);
const tests = ['--import', 'tsx', '--test', '--test-concurrency=1', '--test-timeout=600000', '--test-reporter=spec'];
process.exitCode = build() || run(process.execPath, [...tests, ...files], { SLUICE_TEST_SERVER: BIN });
