/**
 * Random pairs of a project and a changed one: building what is stale gives the tables that building all from nothing gives, or the change is
 * refused, or fails by name. `CHANGES=300 SEED=7 node --import tsx --test test/e2e/changes.test.ts` draws more of them.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { BackfillStatus } from '../../src/contracts/status.js';
import { changeSql, chainOf, filesOf, sourceSql, type Chain } from '../changes/chain.js';
import { startStack, type Stack } from '../support/stack.js';
import { projectYaml, typed, type Typed } from './planning-kit.js';

const WANTED = Number(process.env['CHANGES'] ?? 24);
const SEED = Number(process.env['SEED'] ?? 1);
const TOGETHER = 12;
const RANGE = '--to 2024-01-15T00:00Z';

let stack: Stack;
let ops: pg.Client;
let warehouse: pg.Client;
before(async () => {
  stack = await startStack();
  ops = await stack.connect('ops_changes');
  warehouse = await stack.connect('wh_changes');
});
after(() => stack.stop());

interface Numbered {
  readonly n: number;
  readonly seed: number;
  readonly before: Chain;
  readonly after: Chain;
  readonly changes: readonly string[];
}

const SETTINGS = `defaults: { grain: day, start: 2024-01-01 }\nenvironments: { fresh: { schema: fresh } }`;

/** The project of one round: chains as they are, each under the names of its number. */
function write(round: number, chains: readonly Numbered[], which: 'before' | 'after', schema = 'analytics'): string {
  const files = Object.assign({}, ...chains.map((one) => filesOf(one.n, one[which]))) as Record<string, string>;
  const inSchema = Object.entries(files).map(([path, text]) => [
    path,
    text.replaceAll('table: analytics.', `table: ${schema}.`),
  ]);
  const head = projectYaml(`changes${round}`, SETTINGS)
    .replaceAll(`_changes${round}`, '_changes')
    .replaceAll('slots: 4', 'slots: 8');
  const name = schema === 'fresh' ? `fresh${round}` : `changes${round}`;
  return stack.project(name, { 'sluice.yaml': head, ...(Object.fromEntries(inSchema) as Record<string, string>) });
}

/** Names of a chain's datasets, as its files have them. */
function datasetsOf(one: Numbered, which: 'before' | 'after'): string[] {
  return Object.keys(filesOf(one.n, one[which])).map((path) => path.replace(/^datasets\/|\.\w+$/g, ''));
}

async function build(project: Typed, names: readonly string[], more: string): Promise<ReadonlySet<string>> {
  if (names.length === 0) return new Set();
  const ran = await project.run(`backfill ${names.join(' ')} ${RANGE} ${more} --local --on-failure fail --wait --json`);
  assert.ok(ran.code === 0 || ran.code === 3, ran.err + ran.out);
  const { datasets } = BackfillStatus.parse(ran.json());
  return new Set(datasets.filter(({ failed, blocked }) => failed + blocked > 0).map(({ name }) => name));
}

/** Rows of a dataset in an environment's table, as text, within its partitions. */
async function contentOf(one: Numbered, dataset: string, schema: string): Promise<string[]> {
  const { after: chain, n } = one;
  const number = dataset.startsWith('e') ? chain.table : dataset.startsWith('d') ? chain.dailyTable : 0;
  const table = `${schema}.${dataset}${number === 0 ? '' : `_t${number}`}`;
  const value = chain.source.value;
  const columns = dataset.startsWith('e')
    ? `id, at, updated, local, epoch, ${value}${chain.source.note ? ', note' : ''}`
    : dataset.startsWith('d')
      ? `${chain.dayName}, m${chain.more ? ', n' : ''}`
      : 'n, s';
  // A rest of a partition with other borders stays in table and ledger (docs/time.md): no row of it is compared.
  const inside =
    dataset === `d${n}`
      ? ` WHERE EXISTS (SELECT FROM fresh.${table.split('.')[1] ?? ''} f WHERE f.${chain.dayName} = t.${chain.dayName})`
      : '';
  const { rows } = await warehouse.query<{ row: string }>(
    `SELECT ROW(${columns})::text AS row FROM ${table} t${inside} ORDER BY 1`,
  );
  return rows.map(({ row }) => row);
}

test(`${WANTED} changed projects: what is stale, built again, is what is built from nothing`, async (t) => {
  const told = { same: 0, refused: 0, failed: 0 };
  for (let round = 0; round * TOGETHER < WANTED; round++) {
    const chains = Array.from({ length: TOGETHER }, (_, i): Numbered => {
      const n = round * TOGETHER + i;
      return { n, seed: SEED * 10_000 + n, ...chainOf(SEED * 10_000 + n) };
    });
    await ops.query(chains.map((one) => sourceSql(one.n, one.before)).join('\n'));
    const folder = write(round, chains, 'before');
    const worker = await stack.worker(folder);
    const project = typed(stack, `changes${round}`);
    const broken = await build(
      project,
      chains.flatMap((one) => datasetsOf(one, 'before')),
      '',
    );
    const whole = chains.filter((one) => !datasetsOf(one, 'before').some((name) => broken.has(name)));
    await ops.query(whole.map((one) => changeSql(one.n, one.before, one.after)).join('\n') || 'SELECT 1');
    rmSync(join(folder, 'datasets'), { recursive: true });
    write(round, whole, 'after');
    const accepted: Numbered[] = [];
    for (const one of whole) {
      const plan = await project.run(`plan ${datasetsOf(one, 'after').join(' ')} ${RANGE} --rebuild stale --json`);
      assert.ok(plan.code === 0 || plan.code === 2, plan.err);
      if (plan.code === 0) accepted.push(one);
      else told.refused++;
    }
    const failed = await build(
      project,
      accepted.flatMap((one) => datasetsOf(one, 'after')),
      '--rebuild stale',
    );
    const freshFolder = write(round, accepted, 'after', 'fresh');
    const freshWorker = await stack.worker(freshFolder, ['-e', 'fresh']);
    const fresh = typed(stack, `fresh${round}`);
    const freshFailed = await build(
      fresh,
      accepted.flatMap((one) => datasetsOf(one, 'after')),
      '-e fresh',
    );
    for (const one of accepted) {
      const names = datasetsOf(one, 'after');
      if (names.some((name) => failed.has(name) || freshFailed.has(name))) {
        told.failed++;
        continue;
      }
      for (const name of names) {
        const [stale, nothing] = [await contentOf(one, name, 'analytics'), await contentOf(one, name, 'fresh')];
        assert.deepEqual(stale, nothing, `seed ${one.seed}, ${name}: ${one.changes.join(', ')}`);
      }
      told.same++;
    }
    for (const child of [worker, freshWorker]) {
      const gone = once(child, 'exit');
      child.kill();
      await gone;
    }
  }
  t.diagnostic(JSON.stringify(told));
  assert.ok(told.same >= WANTED / 2, JSON.stringify(told));
});
