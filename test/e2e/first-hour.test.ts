/** docs/first-hour.md, as printed: every block in one shell, and every `#>` line in what its block prints. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ROOT } from '../architecture/tree.js';

let dir: string;
let shop: string;

/** Commands by name: ours as `npx` finds it, and a psql, which not every machine has. */
const COMMANDS = {
  npx: `#!/bin/sh\nshift\nexec '${process.execPath}' '${join(ROOT, 'dist/src/cli/sluice.js')}' "$@"\n`,
  psql: `#!/bin/sh\ncd '${ROOT}' && exec '${process.execPath}' -e '
    const { Client } = require("pg"); const client = new Client({ connectionString: process.argv[1] });
    client.connect().then(() => client.query(process.argv[3])).then(() => client.end());' "$@"\n`,
};

before(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-hour-'));
  shop = join(dir, 'shop');
  mkdirSync(join(dir, 'bin'));
  for (const [name, text] of Object.entries(COMMANDS)) {
    writeFileSync(join(dir, 'bin', name), text);
    chmodSync(join(dir, 'bin', name), 0o755);
  }
  mkdirSync(join(dir, 'target'));
  copyFileSync(join(ROOT, 'test/fixtures/dbt/manifest.json'), join(dir, 'target/manifest.json'));
});

after(() => {
  run('npx sluice dev --stop', shop);
  rmSync(dir, { recursive: true, force: true });
});

function run(script: string, cwd: string): { code: number | null; out: string } {
  const own = Object.entries(process.env).filter(([name]) => !/^(?:SLUICE_|TEMPORAL_)/.test(name));
  const env = { ...Object.fromEntries(own), PATH: `${join(dir, 'bin')}:${process.env['PATH'] ?? ''}` };
  const ran = spawnSync('bash', ['-euc', script], { cwd, env, encoding: 'utf8' });
  return { code: ran.status, out: ran.stdout + ran.stderr };
}

/** The blocks of a page that a shell can run. */
const blocks = [...readFileSync(join(ROOT, 'docs/first-hour.md'), 'utf8').matchAll(/^```sh\n(.*?)^```$/gms)].map(
  ([, block = '']) => block,
);

test('every block of docs/first-hour.md runs as printed', () => {
  assert.ok(blocks.length >= 9, `${blocks.length} blocks`);
  blocks.forEach((block, i) => {
    const { code, out } = run(block, i === 0 ? dir : shop);
    assert.equal(code, 0, `${block}\n${out}`);
    for (const [, wanted = ''] of block.matchAll(/^#> (.*)$/gm)) assert.ok(out.includes(wanted), `${wanted}\n${out}`);
  });
});
