import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { eventually } from '../support/eventually.js';
import { startStack, type Stack } from '../support/stack.js';
import { countsOf, datasetOf, projectYaml, typed, whysOf, type Typed } from './planning-kit.js';

const RAW = `extract: { from: ops, table: public.items, time: at }\nkey: [id]\n`;
const ENVIRONMENTS = 'environments: { dev: { schema: dev_me } }';
const FILES = {
  'sluice.yaml': projectYaml('tables', `defaults: { grain: day, start: 2024-01-01 }\n${ENVIRONMENTS}`),
  'datasets/items.yaml': RAW,
  'datasets/slow.sql': `/*
time: day
key: [day]
*/
SELECT date_trunc('day', i.at) AS day, count(*) AS n, max(pg_sleep(0.3)::text) AS z
FROM items i WHERE i.at >= :start AND i.at < :end GROUP BY 1
`,
};
const RANGE = '--from 2024-01-01 --to 2024-01-11';

let stack: Stack;
let tables: Typed;
let ops: pg.Client;
let warehouse: pg.Client;

before(async () => {
  stack = await startStack();
  ops = await stack.connect('ops_tables');
  warehouse = await stack.connect('wh_tables');
  await ops.query(`CREATE TABLE items (id bigint PRIMARY KEY, at timestamptz NOT NULL, "Größe :x" int, price numeric(8,2));
    INSERT INTO items SELECT i, '2024-01-01Z'::timestamptz + i * interval '12 hours', i, i FROM generate_series(0, 19) i`);
  stack.project('tables', FILES);
  tables = typed(stack, 'tables');
  await stack.worker(`${stack.dir}/tables`);
});
after(() => stack.stop());

async function columnsOf(table: string): Promise<string[]> {
  const { rows } = await warehouse.query<{ column: string }>(
    `SELECT attname || ' ' || format_type(atttypid, atttypmod) AS column FROM pg_attribute
     WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [table],
  );
  return rows.map(({ column }) => column);
}

test('a target table has exactly the columns of its source, in order, an index on time and a unique one on key', async () => {
  const plan = await tables.plan(`items ${RANGE}`);
  assert.match(datasetOf(plan, 'items').ddl.join('\n'), /CREATE TABLE IF NOT EXISTS "analytics"."items"/);
  assert.equal((await warehouse.query(`SELECT to_regclass('analytics.items') AS made`)).rows[0]?.made, null);
  await tables.build(`items ${RANGE}`);
  assert.deepEqual(await columnsOf('analytics.items'), [
    'id bigint',
    'at timestamp with time zone',
    'Größe :x integer',
    'price numeric(8,2)',
  ]);
  const { rows } = await warehouse.query<{ def: string }>(
    `SELECT regexp_replace(indexdef, 'INDEX \\S+ ON', 'INDEX ON') AS def FROM pg_indexes WHERE schemaname = 'analytics' AND tablename = 'items' ORDER BY 1`,
  );
  assert.deepEqual(
    rows.map(({ def }) => def),
    ['CREATE INDEX ON analytics.items USING btree (at)', 'CREATE UNIQUE INDEX ON analytics.items USING btree (id)'],
  );
  assert.deepEqual(datasetOf(await tables.plan(`items ${RANGE} --rebuild all`), 'items').ddl, []);
});

test('two backfills of one range: refuse names the holder, skip leaves its part out, wait carries on after it', async () => {
  // No batch begins, so that the first one holds its range for as long as the others plan.
  assert.equal((await stack.sluice(['warehouse', 'hold', '-p', 'tables'])).code, 0);
  const reserved = (id: string): Promise<unknown> =>
    eventually(`${id} holds its range`, async () => {
      const { rowCount } = await warehouse.query(`SELECT 1 FROM sluice.reserved WHERE workflow_id LIKE $1`, [
        `%/${id}`,
      ]);
      return (rowCount ?? 0) > 0;
    });
  const first = tables.build(`slow ${RANGE} --id holder --max-parallel 1`);
  await reserved('holder');
  assert.match(
    await tables.refused(`backfill slow ${RANGE} --wait`),
    /backfill holder holds slow 2024-01-01 … 2024-01-11/,
  );
  const skips = tables.build('items slow --from 2024-01-09 --to 2024-01-13 --on-conflict skip --id skips');
  await reserved('skips');
  const waits = tables.build(`slow --from 2024-01-09 --to 2024-01-11 --on-conflict wait --id waits`);
  await eventually('the third waits', async () => {
    const { rowCount } = await warehouse.query(`SELECT 1 FROM sluice.backfills WHERE backfill_id = 'waits'`);
    return (rowCount ?? 0) > 0;
  });
  assert.equal((await stack.sluice(['warehouse', 'release', '-p', 'tables'])).code, 0);
  assert.deepEqual((await skips).partitions, { total: 4, done: 4, failed: 0, blocked: 0, skipped: 0 });
  assert.equal((await waits).partitions.failed, 0);
  await first;
  assert.deepEqual(countsOf(await tables.plan(`slow ${RANGE}`)), { slow: [0, 0, 0, 10] });
});

test('forget takes partitions out of the ledger, adopt takes them back', async () => {
  const forgot = await tables.run('forget slow --from 2024-01-03 --to 2024-01-05');
  assert.equal(forgot.code, 0);
  assert.deepEqual(whysOf(await tables.plan(`slow ${RANGE}`), 'slow'), ['2024-01-03/2024-01-05 missing']);
  const refused = await tables.run('backfill slow --on 2024-01-03 --wait --on-failure fail --json');
  assert.equal(refused.code, 3, refused.err);
  // As printed.
  const [, command = ''] = /`sluice (adopt [^`]*)`/.exec(forgot.out.replaceAll('\n', ' ')) ?? [];
  const adopted = await tables.run(command);
  assert.equal(adopted.code, 0, adopted.err);
  assert.deepEqual(countsOf(await tables.plan(`slow ${RANGE}`)), { slow: [0, 0, 0, 10] });
});

test('a table that somebody dropped is not taken for built: refused, until the ledger forgets it', async () => {
  await warehouse.query('ALTER TABLE analytics.slow RENAME TO away');
  for (const asked of [RANGE, '--on 2024-01-03 --rebuild all']) {
    const said = await tables.refused(`plan slow ${asked}`);
    assert.match(said, /table "analytics"."slow" is gone, and the ledger has 12 partitions of it/);
    assert.match(said, /sluice forget slow --from 2024-01-01/);
  }
  await warehouse.query('ALTER TABLE analytics.away RENAME TO slow');
  assert.deepEqual(countsOf(await tables.plan(`slow ${RANGE}`)), { slow: [0, 0, 0, 10] });
});

test('rows that sluice did not write are never replaced without --overwrite, also beside partitions that it did write', async () => {
  await tables.run('forget slow --from 2024-01-04 --to 2024-01-05');
  await warehouse.query(
    `DELETE FROM analytics.slow WHERE day = '2024-01-04Z'; INSERT INTO analytics.slow VALUES ('2024-01-04Z', 77)`,
  );
  const kept = await tables.run('backfill slow --on 2024-01-04 --wait --on-failure fail --json');
  assert.equal(kept.code, 3);
  assert.deepEqual((await warehouse.query(`SELECT n::int FROM analytics.slow WHERE day = '2024-01-04Z'`)).rows, [
    { n: 77 },
  ]);
  await tables.build('slow --on 2024-01-04 --overwrite');
  assert.deepEqual((await warehouse.query(`SELECT n::int FROM analytics.slow WHERE day = '2024-01-04Z'`)).rows, [
    { n: 2 },
  ]);

  // An extract joins partitions into one batch: a published one must not cover for its neighbour.
  await tables.run('forget items --from 2024-01-04 --to 2024-01-05');
  await warehouse.query(`INSERT INTO analytics.items VALUES (4711, '2024-01-04 01:00Z')`);
  const joined = await tables.run(`backfill items ${RANGE} --rebuild all --wait --on-failure fail --json`);
  assert.equal(joined.code, 3, joined.out);
  assert.equal((await warehouse.query(`SELECT 1 FROM analytics.items WHERE id = 4711`)).rowCount, 1);
  await tables.build(`items --on 2024-01-04 --overwrite`);
  assert.equal((await warehouse.query(`SELECT 1 FROM analytics.items WHERE id = 4711`)).rowCount, 0);
  await tables.build(`slow ${RANGE} --rebuild stale`);
});

test('a key that nothing keeps unique: sluice makes the index in a table of its own, and asks for it in another’s', async () => {
  const { rows } = await warehouse.query<{ name: string }>(
    `SELECT indexrelid::regclass::text AS name FROM pg_index WHERE indrelid = 'analytics.slow'::regclass AND indisunique`,
  );
  await warehouse.query(`DROP INDEX ${rows[0]?.name ?? ''}`);
  const made = datasetOf(await tables.plan(`slow ${RANGE} --rebuild all`), 'slow').ddl;
  assert.match(
    made.join(),
    /^CREATE UNIQUE INDEX IF NOT EXISTS "slow_[0-9a-f]{6}_key_idx" ON "analytics"."slow" \("day"\)$/,
  );
  await warehouse.query(`UPDATE sluice.tables SET created_by_sluice = false WHERE table_name = 'slow'`);
  const said = await tables.refused(`plan slow ${RANGE} --rebuild all`);
  const [index = ''] = /CREATE UNIQUE INDEX ON .*;/.exec(said) ?? [];
  assert.equal(index, 'CREATE UNIQUE INDEX ON "analytics"."slow" ("day");', said);
  await warehouse.query(index);
  assert.equal(datasetOf(await tables.plan(`slow ${RANGE} --rebuild all`), 'slow').build, 10);
});

test('a table has one owner', async () => {
  await warehouse.query(
    `CREATE TABLE analytics.mine (id bigint, at timestamptz, n int); INSERT INTO analytics.mine VALUES (1, '2024-01-01Z', 1)`,
  );
  stack.project('thief', {
    'sluice.yaml': FILES['sluice.yaml'].replace('project: tables', 'project: thief'),
    'datasets/items.yaml': RAW,
  });
  assert.match(
    await typed(stack, 'thief').refused(`plan items ${RANGE}`),
    /table "analytics"."items" belongs to dataset items of project tables/,
  );
  stack.project('foreign', {
    'sluice.yaml': FILES['sluice.yaml'].replace('project: tables', 'project: foreign'),
    'datasets/mine.yaml': RAW,
  });
  assert.match(
    await typed(stack, 'foreign').refused(`plan mine ${RANGE}`),
    /holds rows that sluice did not write[^]*--overwrite/,
  );
});

test('on_schema_change: add adds columns, as the plan shows; keep keeps what is gone; retyped ones are refused with the ALTER', async () => {
  await ops.query('ALTER TABLE items ADD COLUMN note text; UPDATE items SET note = id::text');
  const plan = await tables.plan(`items --on 2024-01-02 --rebuild all`);
  assert.deepEqual(datasetOf(plan, 'items').ddl, [
    'ALTER TABLE "analytics"."items" ADD COLUMN IF NOT EXISTS "note" text',
  ]);
  const shown = await tables.run('plan items --on 2024-01-02 --rebuild all');
  assert.match(shown.out, /ALTER TABLE/);
  stack.project('tables', { 'datasets/items.yaml': `${RAW}on_schema_change: fail\n` });
  assert.match(
    await tables.refused('plan items --on 2024-01-02 --rebuild all'),
    /ALTER TABLE "analytics"."items" ADD COLUMN IF NOT EXISTS "note" text;/,
  );
  stack.project('tables', { 'datasets/items.yaml': RAW });
  await tables.build('items --on 2024-01-02 --rebuild all --local');
  assert.deepEqual(
    (await warehouse.query(`SELECT count(note)::int AS notes, count(*)::int AS all FROM analytics.items`)).rows,
    [{ notes: 2, all: 20 }],
  );

  await ops.query('ALTER TABLE items DROP COLUMN note');
  const gone = await tables.refused('plan items --on 2024-01-02 --rebuild all');
  assert.match(gone, /has "note", which is no longer read\n.*`on_schema_change: keep`/);
  assert.doesNotMatch(gone, /DROP/);
  stack.project('tables', { 'datasets/items.yaml': `${RAW}on_schema_change: keep\n` });
  const kept = await tables.plan('items --on 2024-01-02 --rebuild all');
  assert.deepEqual(
    kept.warnings.map(({ code }) => code),
    ['column_left'],
  );
  await ops.query('ALTER TABLE items ALTER COLUMN price TYPE numeric(12,2)');
  const retyped = await tables.refused('plan items --on 2024-01-02 --rebuild all');
  const [, alter = ''] =
    /(ALTER TABLE "analytics"."items" ALTER COLUMN "price" TYPE numeric\(12,2\) USING "price"::numeric\(12,2\);)/.exec(
      retyped,
    ) ?? [];
  await warehouse.query(alter);
  await tables.build('items --on 2024-01-02 --rebuild all --local');
});

test('an environment has its own schema, ledger, ids and queues', async () => {
  await stack.worker(`${stack.dir}/tables`, ['-e', 'dev']);
  const plan = await tables.plan(`items ${RANGE} -e dev`);
  assert.deepEqual([plan.environment, countsOf(plan)], ['dev', { items: [10, 10, 0, 0] }]);
  assert.match(
    await tables.refused(`plan slow ${RANGE}`, { SLUICE_ENV: 'dev' }),
    /sluice backfill \+slow --from 2024-01-01 --to 2024-01-11 -e dev/,
  );
  const status = await tables.build(`items ${RANGE} --id holder`, { SLUICE_ENV: 'dev' });
  assert.deepEqual([status.environment, status.id, status.partitions.done], ['dev', 'holder', 10]);
  assert.equal((await warehouse.query('SELECT 1 FROM dev_me.items')).rowCount, 20);
  const { rows } = await warehouse.query(`SELECT workflow_id FROM sluice.backfills WHERE environment = 'dev'`);
  assert.deepEqual(rows, [{ workflow_id: 'backfill/tables@dev/holder' }]);
  assert.match(await tables.refused(`plan items ${RANGE} -e nowhere`), /nowhere/);
});
