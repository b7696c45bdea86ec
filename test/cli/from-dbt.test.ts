/** `init --from-dbt`, on a manifest of dbt's version 12. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { init } from '../../src/cli/commands/init.js';
import { silentIo } from './support/io.js';
import { readProjectFiles } from '../../src/project/files.js';
import { loadProject } from '../../src/project/load.js';
import type { Project } from '../../src/project/project.js';

const MANIFEST = fileURLToPath(new URL('../fixtures/dbt/manifest.json', import.meta.url));
const Answer = z.object({ notCarried: z.array(z.object({ id: z.string(), reason: z.string() })) });

function folderFor(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-dbt-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function fromDbt(folder: string, manifest: string): Promise<Map<string, string[]>> {
  let out = '';
  const command = init.make(
    silentIo((text) => (out += text)),
    () => undefined,
  );
  await command.exitOverride().parseAsync([folder, '--from-dbt', manifest, '--json'], { from: 'user' });
  const reasons = new Map<string, string[]>();
  for (const { id, reason } of Answer.parse(JSON.parse(out)).notCarried)
    reasons.set(id, [...(reasons.get(id) ?? []), reason]);
  return reasons;
}

function sqlOf({ datasets }: Project, name: string): string {
  const body = datasets.get(name)?.body;
  assert.ok(body?.kind === 'transform');
  return body.statement.text.slice(body.statement.text.indexOf('*/') + 2).trim();
}

test('compiled models become datasets that validate accepts: batches are partitions, the rest is built whole', async (context) => {
  const folder = join(folderFor(context), 'shop');
  await fromDbt(folder, MANIFEST);
  const project = await loadProject(await readProjectFiles(folder), { environment: 'default', env: {} });
  assert.deepEqual([...project.datasets.keys()], ['last_order', 'orders_day', 'orders_month', 'totals']);

  const day = project.datasets.get('orders_day');
  assert.equal(day?.axis.grain, 'day');
  assert.equal(day.start, Date.UTC(2024, 0, 1));
  assert.deepEqual([day.key, day.time, day.owner, day.tags], [['day'], 'day', 'sales', ['daily']]);
  assert.deepEqual(day.table, { schema: 'analytics', name: 'orders_day' });
  assert.match(
    sqlOf(project, 'orders_day'),
    /from \(SELECT \* FROM raw\.orders WHERE "ordered_at" >= \$1\s+AND "ordered_at" < \$2\s*\) o\b/,
  );

  // Read without an alias: the name that its columns are written with stays.
  assert.match(sqlOf(project, 'orders_month'), /WHERE "day" >= \$1\s+AND "day" < \$2\s*\) AS "orders_day"\n/);
  const month = project.datasets.get('orders_month');
  assert.deepEqual([month?.needs, month?.onSchemaChange], [[{ dataset: 'orders_day' }], 'fail']);

  const totals = project.datasets.get('totals');
  assert.deepEqual([totals?.axis.grain, totals?.publish, totals?.key, totals?.refresh], ['none', 'view', [], 'always']);
  assert.deepEqual(totals?.table, { schema: 'reports', name: 'totals' });
  assert.match(sqlOf(project, 'totals'), /from analytics\.countries\) *\n.*from orders_month as m/i);
});

test('what cannot be carried over is listed with its reason, there and in a file, and its readers read its table', async (context) => {
  const folder = join(folderFor(context), 'shop');
  const reasons = await fromDbt(folder, MANIFEST);
  const said = (id: string, pattern: RegExp): void => assert.match((reasons.get(id) ?? []).join('\n'), pattern);
  said('model.shop.running', /reads itself/);
  said('model.shop.late', /crm\.people in the database other: make an extract/);
  said('model.shop.stg', /ephemeral/);
  said('model.shop.forecast', /Python/);
  said('model.shop.orders_day', /lookback 3.*sluice backfill orders_day --last 4d --rebuild all/);
  said('seed.shop.countries', /a seed/);
  said('test.shop.not_null_totals_name.0a1b2c', /a test \(not_null\)/);
  assert.equal(reasons.size, 8);
  const file = readFileSync(join(folder, 'NOT_CARRIED.md'), 'utf8');
  for (const id of reasons.keys()) assert.ok(file.includes(id), id);
  const project = await loadProject(await readProjectFiles(folder), { environment: 'default', env: {} });
  assert.deepEqual(project.datasets.get('last_order')?.reads, [{ schema: 'analytics', name: 'running' }]);
});

test('another version, another database and no manifest are refused, and nothing is written', async (context) => {
  const folder = folderFor(context);
  const manifest = readFileSync(MANIFEST, 'utf8');
  const cases = [
    ['manifest_version', manifest.replace('/manifest/v12.json', '/manifest/v11.json')],
    ['manifest_version', '{"metadata":{"dbt_schema_version":"https://example.com/catalog/v1.json"}}'],
    ['manifest_adapter', manifest.replace('"adapter_type": "postgres"', '"adapter_type": "snowflake"')],
    ['bad_manifest', '{'],
    ['bad_manifest', manifest.replace('"nodes": {', '"nodes": [], "_": {')],
    ['nothing_to_carry', manifest.replaceAll(/"compiled_code": "[^\n]*",/g, '"compiled_code": null,')],
  ] as const;
  for (const [code, text] of cases) {
    writeFileSync(join(folder, 'manifest.json'), text);
    await assert.rejects(fromDbt(join(folder, 'made'), join(folder, 'manifest.json')), { code, exitCode: 2 });
  }
  assert.deepEqual(readdirSync(folder), ['manifest.json']);
});
