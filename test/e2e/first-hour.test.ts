/** docs/first-hour.md and docs/recipes.md, as printed: every block in a shell, and every `#>` line in what its block prints. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import { ROOT } from '../architecture/tree.js';

/** What one block of a page has for those after it. */
const Exported = z.object({ OPS: z.string().optional(), WAREHOUSE: z.string().optional() });

/** Commands by name: ours as `npx` finds it, and a psql, which not every machine has. */
const COMMANDS = {
  npx: `#!/bin/sh\nshift\nexec '${process.execPath}' '${join(ROOT, 'dist/src/cli/sluice.js')}' "$@"\n`,
  psql: `#!/bin/sh\ncd '${ROOT}' && exec '${process.execPath}' -e '
    const { Client } = require("pg"); const client = new Client({ connectionString: process.argv[1] });
    client.connect().then(() => client.query(process.argv[3])).then((done) => {
      for (const row of done.rows ?? []) console.log(Object.values(row).join(" "));
      return client.end(); });' "$@"\n`,
};

let dir: string;
const shops: string[] = [];

before(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-hour-'));
  mkdirSync(join(dir, 'bin'));
  for (const [name, text] of Object.entries(COMMANDS)) {
    writeFileSync(join(dir, 'bin', name), text);
    chmodSync(join(dir, 'bin', name), 0o755);
  }
});

after(() => {
  for (const shop of shops) run('npx sluice dev --stop', shop);
  rmSync(dir, { recursive: true, force: true });
});

function run(script: string, cwd: string, more: NodeJS.ProcessEnv = {}): { code: number | null; out: string } {
  const own = Object.entries(process.env).filter(([name]) => !/^(?:SLUICE_|TEMPORAL_)/.test(name));
  const env = { ...Object.fromEntries(own), ...more, PATH: `${join(dir, 'bin')}:${process.env['PATH'] ?? ''}` };
  const ran = spawnSync('bash', ['-euc', script], { cwd, env, encoding: 'utf8' });
  return { code: ran.status, out: ran.stdout + ran.stderr };
}

/** The blocks of a page that a shell can run. */
function blocksOf(page: string): string[] {
  return [...readFileSync(join(ROOT, page), 'utf8').matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block);
}

for (const [page, least] of [
  ['docs/first-hour.md', 9],
  ['docs/recipes.md', 6],
] as const) {
  test(`every block of ${page} runs as printed`, () => {
    const home = join(dir, String(least));
    const shop = join(home, 'shop');
    mkdirSync(join(home, 'target'), { recursive: true });
    copyFileSync(join(ROOT, 'test/fixtures/dbt/manifest.json'), join(home, 'target/manifest.json'));
    shops.push(shop);
    const blocks = blocksOf(page);
    assert.ok(blocks.length >= least, `${blocks.length} blocks`);
    // One shell would be one process: what a block exports goes on to the next.
    let exported: NodeJS.ProcessEnv = {};
    blocks.forEach((block, i) => {
      const saved = join(home, 'exported');
      const script = `${block}\nnode -e 'process.stdout.write(JSON.stringify(process.env))' > '${saved}'`;
      const { code, out } = run(script, i === 0 ? home : shop, exported);
      assert.equal(code, 0, `${block}\n${out}`);
      const { OPS, WAREHOUSE } = Exported.parse(JSON.parse(readFileSync(saved, 'utf8')));
      exported = { OPS, WAREHOUSE };
      for (const [, wanted = ''] of block.matchAll(/^#> (.*)$/gm)) assert.ok(out.includes(wanted), `${wanted}\n${out}`);
    });
  });
}
