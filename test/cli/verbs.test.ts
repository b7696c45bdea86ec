import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Command } from 'commander';
import { adopt, forget } from '../../src/cli/commands/adopt.js';
import { graph } from '../../src/cli/commands/graph.js';
import type { Verb } from '../../src/cli/verb.js';
import { init, projectName } from '../../src/cli/commands/init.js';
import { problemsDocument, validate } from '../../src/cli/commands/validate.js';
import { silentIo } from './support/io.js';
import { loadProject } from '../../src/project/load.js';
import { readProjectFiles } from '../../src/project/files.js';

function folderFor(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
  context.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Runs a verb that needs no database; what it prints, and its exit code where it set one. */
async function run(verb: Verb, ...args: readonly string[]): Promise<{ out: string; code: number }> {
  let out = '';
  let code = 0;
  const io = silentIo((text) => (out += text), Date.UTC(2026, 2, 1));
  const command: Command = verb.make(io, (number) => (code = number)).exitOverride();
  await command.parseAsync([...args], { from: 'user' });
  return { out, code };
}

test('init writes a project that loads, starts 90 days ago, and says what to type', async (context) => {
  const folder = join(folderFor(context), 'my shop');
  const { out } = await run(init, folder);
  const project = await loadProject(await readProjectFiles(folder), { environment: 'default', env: {} });
  assert.equal(project.name, 'my_shop');
  assert.deepEqual([...project.datasets.keys()], ['orders_raw', 'sales_day', 'sales_7d']);
  assert.equal(project.datasets.get('orders_raw')?.start, Date.UTC(2025, 11, 1));
  assert.deepEqual(project.datasets.get('sales_7d')?.needs, [
    { dataset: 'sales_day', lookback: { months: 0, days: 6, ms: 0 } },
  ]);
  assert.equal(readFileSync(join(folder, '.gitignore'), 'utf8'), '.sluice/\n');
  assert.match(out, /cd '.*my shop'\n {2}npx sluice dev --detach .*\n {2}npx sluice backfill --wait\n$/);
});

test('init refuses a folder with a project, and changes nothing; other files stay', async (context) => {
  const folder = folderFor(context);
  writeFileSync(join(folder, 'README.md'), 'mine');
  const { out } = await run(init, folder, '--json');
  const document: unknown = JSON.parse(out);
  assert.ok(typeof document === 'object' && document !== null && 'kept' in document);
  assert.deepEqual(document.kept, ['README.md']);
  assert.equal(readFileSync(join(folder, 'README.md'), 'utf8'), 'mine');
  writeFileSync(join(folder, 'sluice.yaml'), 'project: other');
  await assert.rejects(run(init, folder), { code: 'project_exists', exitCode: 2 });
  assert.equal(readFileSync(join(folder, 'sluice.yaml'), 'utf8'), 'project: other');
});

test('a folder’s name becomes a project’s', () => {
  const names = ['shop', 'My Shop', '2026', 'default', 'sluice-x', 'été', '---', 'x'.repeat(90)].map(projectName);
  assert.deepEqual(names, [
    'shop',
    'My_Shop',
    'my_2026',
    'my_default',
    'my_sluice-x',
    't',
    'my_project',
    'x'.repeat(50),
  ]);
});

test('graph: selection, mapping in words, and who suffers', async (context) => {
  const folder = join(folderFor(context), 'shop');
  await run(init, folder);
  const json: unknown = JSON.parse((await run(graph, 'sales_7d', '-p', folder, '--json')).out);
  assert.deepEqual(json, [
    {
      name: 'sales_7d',
      kind: 'transform',
      grain: 'day',
      needs: [{ dataset: 'sales_day', mapping: 'lookback 6d' }],
      timezone: 'UTC',
      owner: null,
      coalesce: { joined: false, why: 'it reads rows before or after its interval, by day' },
    },
  ]);
  const all = (await run(graph, '-p', folder, '--json')).out;
  assert.match(all, /"name": "orders_raw"[^}]*"coalesce": null/);
  assert.match(all, /"name": "sales_day"[^]*"joined": true,\s*"why": "no row depends on another partition"/);
  const impact = (await run(graph, '--impact', 'orders_raw', '-p', folder)).out;
  assert.match(
    impact,
    /While orders_raw is late, 2 datasets that read it, directly or not, wait: sales_day, sales_7d\./,
  );
  await assert.rejects(run(graph, '--impact', 'order_raw', '-p', folder), {
    code: 'unknown_dataset',
    remedy: 'did you mean orders_raw?',
  });
  await assert.rejects(run(graph, 'sales_day', '--impact', 'orders_raw', '-p', folder), { code: 'option_conflict' });
  await assert.rejects(run(graph, 'nothing', '-p', folder), { code: 'unknown_dataset' });
});

test('validate: valid, or every problem at once, with a list of them under --json', async (context) => {
  const folder = join(folderFor(context), 'shop');
  await run(init, folder);
  assert.deepEqual(JSON.parse((await run(validate, '-p', folder, '--json')).out), { valid: true, datasets: 3 });
  writeFileSync(join(folder, 'datasets/a.sql'), 'SELECT 1 FROM nowhere');
  writeFileSync(join(folder, 'datasets/b.sql'), 'SELEC');
  await assert.rejects(run(validate, '-p', folder), { code: 'project_invalid', exitCode: 2 });
  const { out, code } = await run(validate, '-p', folder, '--json');
  assert.equal(code, 2);
  assert.match(out, /"file": "datasets\/a\.sql"[^]*"file": "datasets\/b\.sql"/);
});

test('the list of problems is cut to 4,000 characters, and says how many there are', () => {
  const problems = Array.from({ length: 100 }, (_, line) => ({
    file: 'datasets/a.sql',
    line,
    code: 'x',
    message: 'wrong '.repeat(20),
  }));
  const document = problemsDocument({ problems, notChecked: [{ dataset: 'b', because: 'a' }] });
  assert.equal(document.error.message, '100 problems in the project');
  const { length } = JSON.stringify(document, null, 2);
  assert.ok(length <= 4000 && length > 3500, `${length}`);
});

test('adopt and forget want a range before they connect', async (context) => {
  const folder = join(folderFor(context), 'shop');
  await run(init, folder);
  await assert.rejects(run(forget, 'sales_day', '-p', folder), { code: 'range_missing', exitCode: 2 });
  await assert.rejects(run(adopt, 'sales_day', '--last', '3d', '--stale', '-p', folder), { code: 'reason_missing' });
  await assert.rejects(run(forget, '-p', folder), { code: 'dataset_missing', exitCode: 2 });
  for (const more of [['prod'], ['default', 'sales_day'], ['default', '--all'], ['default', '--last', '3d']])
    await assert.rejects(run(forget, '--everything', ...more, '-p', folder), { code: 'option_conflict', exitCode: 2 });
});
