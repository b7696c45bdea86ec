/** The package as npm packs it, in an empty folder outside the repository, with its production dependencies only. Needs `npm run build` first. */
import assert from 'node:assert/strict';
import { z } from 'zod';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { BackfillStatus } from '../../src/contracts/status.js';
import { ROOT } from '../architecture/tree.js';

/** Of an npm that is asked nothing but to do its work: no audit, no messages, what is cached first. */
const QUIET = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];

let dir: string;
let project: string;

before(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-package-'));
  project = join(dir, 'shop');
  // The build ran already; `prepare` would run it again.
  const packed = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', dir], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ filename } = { filename: '' }] = z
    .array(z.object({ filename: z.string() }))
    .parse(Object.values(z.record(z.string(), z.unknown()).or(z.array(z.unknown())).parse(JSON.parse(packed))));
  writeFileSync(join(dir, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
  execFileSync('npm', ['install', join(dir, filename), '--ignore-scripts', ...QUIET], { cwd: dir, stdio: 'inherit' });
});

after(() => {
  // A test that failed halfway leaves servers up.
  if (existsSync(project)) sluice(['dev', '--stop'], project);
  rmSync(dir, { recursive: true, force: true });
});

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Without what a developer's shell may say of other servers. */
const ENV = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(?:SLUICE_|TEMPORAL_)/.test(name)));

function sluice(args: readonly string[], cwd = dir): Ran {
  const { status, stdout, stderr } = spawnSync(join(dir, 'node_modules/.bin/sluice'), args, {
    cwd,
    env: ENV,
    encoding: 'utf8',
  });
  return { code: status, out: stdout, err: stderr };
}

test('the installed command has no development dependency, and helps', () => {
  for (const name of ['typescript', 'tsx', 'eslint', '@types/pg', '@types/pg-copy-streams']) {
    assert.equal(existsSync(join(dir, 'node_modules', name)), false, name);
  }
  const npx = spawnSync('npx', ['--no-install', 'sluice', '--help'], { cwd: dir, env: ENV, encoding: 'utf8' });
  assert.equal(npx.status, 0, npx.stderr);
  for (const verb of ['init', 'dev', 'plan', 'backfill', 'status'])
    assert.match(npx.stdout, new RegExp(`^ {2}${verb} `, 'm'));
});

test("README's quickstart runs as printed, on the installed package", () => {
  const [, block = ''] =
    /^## Quickstart\n.*?^```sh\n(.*?)^```$/ms.exec(readFileSync(join(ROOT, 'README.md'), 'utf8')) ?? [];
  const lines = block.trim().split('\n');
  assert.equal(lines.pop(), 'npx sluice dev --stop');
  const typed = spawnSync('bash', ['-euc', lines.join('\n')], { cwd: dir, env: ENV, encoding: 'utf8' });
  assert.equal(typed.status, 0, typed.stdout + typed.stderr);

  const listed = z.array(BackfillStatus).parse(JSON.parse(sluice(['list', '--json'], project).out));
  assert.deepEqual(
    listed.map(({ state }) => state),
    ['completed', 'completed'],
  );
  assert.ok((listed.at(-1)?.partitions.done ?? 0) >= 3 * 89, 'the first one built all of it');
  const again = sluice(['backfill', '--wait', '--json'], project);
  assert.equal(BackfillStatus.parse(JSON.parse(again.out)).partitions.total, 0);
  const stopped = sluice(['dev', '--stop'], project);
  assert.equal(stopped.code, 0, stopped.err);
  assert.match(stopped.out, /ended/);
  assert.equal(existsSync(join(project, '.sluice/dev.json')), false);
});

const CONSUMER = `
import { BackfillClient, BackfillFailedError, RequestRefusedError, type BackfillStatus, type PlanDocument } from 'sluice/client';
import { z } from 'zod';

export async function rebuild(address: string): Promise<number> {
  const backfills = await BackfillClient.connect({ project: 'flights', address });
  try {
    const plan: PlanDocument = await backfills.plan({ on: '2013-03-10', rebuild: 'all' });
    const builds: number = plan.datasets.reduce((sum, { build }) => sum + build, 0);
    const { id } = await backfills.start({ on: '2013-03-10', rebuild: 'all', select: ['carrier_7d'], priority: 2 });
    for await (const { state, partitions } of backfills.watch(id)) if (state === 'held') await backfills.skip(id, { dataset: 'carrier_7d', on: '2013-03-10' });
      else if (partitions.failed > 0) await backfills.cancel(id, { reason: 'no' });
    const status: BackfillStatus = await backfills.result(id);
    return builds + status.rows;
  } catch (error) {
    if (error instanceof RequestRefusedError) return error.code.length;
    if (error instanceof BackfillFailedError) return error.status.partitions.failed;
    throw error;
  } finally {
    await backfills.close();
  }
}

// @ts-expect-error: a key that is none
void ((backfills: BackfillClient) => backfills.start({ form: '2013-01-01' }));
// @ts-expect-error: a status has no such field
export const wrong = (status: BackfillStatus): number => status.percent;
`;

test('a strict TypeScript consumer compiles, library types checked', () => {
  const consumer = join(dir, 'consumer');
  mkdirSync(consumer);
  writeFileSync(join(consumer, 'main.ts'), CONSUMER);
  const compilerOptions = {
    strict: true,
    skipLibCheck: false,
    noEmit: true,
    target: 'ES2023',
    lib: ['ES2023'],
    module: 'NodeNext',
    types: ['node'],
  };
  writeFileSync(join(consumer, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['main.ts'] }));
  const { status, stdout } = spawnSync(
    process.execPath,
    [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', consumer],
    {
      encoding: 'utf8',
    },
  );
  assert.equal(status, 0, stdout);
});
