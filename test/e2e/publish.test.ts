/** How a dataset is published: replace and merge, keys over all partitions, views, whole tables, grants. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { eventually } from '../support/eventually.js';
import { startStack, type Stack } from '../support/stack.js';
import { countsOf, datasetOf, projectYaml, typed, type Typed } from './planning-kit.js';

const extract = (more: string): string => `extract: { from: ops, table: public.items, time: at }\nkey: [id]\n${more}`;
const FILES = {
  'sluice.yaml': projectYaml('pub'),
  'datasets/items.yaml': extract(''),
  'datasets/merged.yaml': extract('publish: merge\n'),
  'datasets/strict.yaml': extract('moves: fail\n'),
  'datasets/per_day.sql': `/*
time: day
key: [day]
*/
SELECT date_trunc('day', i.at) AS day, count(*) AS n, sum(i.amount) AS amount
FROM items i WHERE i.at >= :start AND i.at < :end GROUP BY 1
`,
  'datasets/big.sql': `/*
time: at
publish: view
*/
SELECT m.id, m.at, m.amount FROM merged m WHERE m.amount > 1
`,
  'datasets/big_per_day.sql': `/*
time: day
key: [day]
*/
SELECT date_trunc('day', b.at) AS day, sum(b.amount) AS amount FROM big b WHERE b.at >= :start AND b.at < :end GROUP BY 1
`,
  'datasets/whole.sql': `/*
grain: none
key: [id]
grants: [pub_reader]
*/
SELECT i.id, i.amount, pg_sleep(0.05)::text AS slept FROM items i
`,
  'datasets/secret.yaml': extract('').replace('public.items', 'public.secrets') + 'mask: [word]\nstart: 2024-02-01\n',
  'datasets/upserted.sql': `/*
time: at
key: [id]
publish: merge
moves: follow
*/
SELECT i.id, i.at, i.amount * 2 AS twice FROM items i WHERE i.at >= :start AND i.at < :end
`,
};

let stack: Stack;
let shop: Typed;
let ops: pg.Client;
let warehouse: pg.Client;
before(async () => {
  stack = await startStack();
  ops = await stack.connect('ops_pub');
  warehouse = await stack.connect('wh_pub');
  await ops.query(`CREATE TABLE items (id int PRIMARY KEY, at timestamptz NOT NULL, amount int);
    CREATE INDEX ON items (at);
    CREATE TABLE secrets (id int, at timestamptz NOT NULL, word text);
    INSERT INTO secrets VALUES (1, '2024-02-01T01:00Z', 'open'), (1, '2024-02-01T02:00Z', 'sesame');
    INSERT INTO items SELECT i, '2024-01-01Z'::timestamptz + i * interval '6 hours', 1 FROM generate_series(0, 15) i`);
  await warehouse.query('CREATE ROLE pub_reader');
  await stack.worker(stack.project('pub', FILES));
  shop = typed(stack, 'pub');
});
after(() => stack.stop());

const RANGE = '--from 2024-01-01 --to 2024-01-05';

async function rowsOf(sql: string): Promise<string> {
  const { rows } = await warehouse.query<{ t: string }>(sql);
  return rows.map(({ t }) => t).join(' ');
}

/** `id@day:amount` of a table, by id. */
const itemsOf = (table: string, amount = 'amount'): Promise<string> =>
  rowsOf(
    `SELECT id || '@' || extract(day FROM at AT TIME ZONE 'UTC') || ':' || ${amount} AS t FROM analytics.${table} ORDER BY id`,
  );

/** `day:rows` of the ledger. */
const ledgerOf = (dataset: string): Promise<string> =>
  rowsOf(`SELECT extract(day FROM starts_at AT TIME ZONE 'UTC') || ':' || rows AS t FROM sluice.partitions
    WHERE dataset = '${dataset}' ORDER BY starts_at`);

test('a whole table is rebuilt under its readers: never empty, with its grants, and what depends on it', async () => {
  await shop.build(`items whole ${RANGE}`);
  await warehouse.query(`CREATE VIEW analytics.on_whole AS SELECT id FROM analytics.whole; CREATE INDEX mine ON analytics.whole (amount);
    SET ROLE pub_reader`);
  const state = { over: false, least: Infinity };
  const reader = await stack.connect('wh_pub');
  const read = async (): Promise<boolean> => {
    const { rows } = await reader.query<{ n: number }>('SELECT count(*)::int AS n FROM analytics.on_whole');
    state.least = Math.min(state.least, rows[0]?.n ?? 0);
    return state.over;
  };
  const reading = eventually('the rebuild is over', read, 120_000);
  assert.equal(await rowsOf('SELECT count(*)::text AS t FROM analytics.whole'), '16', 'its reader may read it');
  await warehouse.query('RESET ROLE');
  const file = `SELECT pg_relation_filenode('analytics.whole')::text || ' ' || to_regclass('analytics.mine') AS t`;
  const before = await rowsOf(file);
  await shop.build(`whole --rebuild all`);
  state.over = true;
  await reading;
  assert.equal(state.least, 16);
  assert.equal(await rowsOf(file), before);
});

test('values of a masked dataset are kept nowhere but in its table', async () => {
  const ran = await shop.run('backfill secret --on 2024-02-01 --on-failure fail --wait');
  assert.equal(ran.code, 3, ran.err);
  assert.equal(
    await rowsOf(
      `SELECT code || ' ' || (message ~ 'id\\)=')::text || ' ' || (detail IS NULL)::text AS t FROM sluice.failures WHERE dataset = 'secret'`,
    ),
    'duplicate_key false true',
  );
});

test('merge upserts by key and deletes nothing; the ledger counts what the partition holds', async () => {
  await shop.build(RANGE);
  assert.equal(await itemsOf('merged'), await itemsOf('items'));
  assert.deepEqual(countsOf(await shop.plan(`${RANGE} --rebuild stale`))['upserted'], [0, 0, 0, 4]);
  await ops.query(`UPDATE items SET amount = 5 WHERE id = 4; DELETE FROM items WHERE id = 5;
    INSERT INTO items VALUES (100, '2024-01-02T01:00Z', 7)`);
  const { partitions } = await shop.build(`items merged upserted --on 2024-01-02 --rebuild all`);
  assert.equal(partitions.done, 3);
  const others = '0@1:1 1@1:1 2@1:1 3@1:1';
  const rest = '8@3:1 9@3:1 10@3:1 11@3:1 12@4:1 13@4:1 14@4:1 15@4:1';
  assert.equal(
    await itemsOf('items'),
    `${others} 4@2:5 6@2:1 7@2:1 ${rest} 100@2:7`,
    'replace: what is gone there goes',
  );
  assert.equal(await itemsOf('merged'), `${others} 4@2:5 5@2:1 6@2:1 7@2:1 ${rest} 100@2:7`);
  assert.equal(
    await itemsOf('upserted', 'twice / 2'),
    await itemsOf('merged'),
    'a transform merges as an extract does: 5 is gone from its input',
  );
  assert.equal(await ledgerOf('merged'), '1:4 2:5 3:4 4:4');
  assert.equal(await ledgerOf('items'), '1:4 2:4 3:4 4:4');
  // Equal content: nothing that reads it is stale afterwards.
  const changed = `SELECT string_agg(changed_xid::text, ' ' ORDER BY dataset, starts_at) AS t FROM sluice.partitions WHERE dataset IN ('merged', 'upserted')`;
  const before = await rowsOf(changed);
  await shop.build(`merged upserted ${RANGE} --rebuild all`);
  assert.equal(await rowsOf(changed), before);
});

test('merge: a day that is built before another takes its rows is what building it again gives, and not stale', async () => {
  for (const [days, order, ledger] of [
    ['2 days', 'oldest', '1:2 2:5 3:6 4:4'],
    ['-2 days', 'newest', '1:4 2:5 3:4 4:4'],
  ] as const) {
    await ops.query(`UPDATE items SET at = at + interval '${days}' WHERE id IN (1, 2)`);
    await shop.build(`items ${RANGE} --rebuild all`);
    // The day that they left comes first: it deletes nothing, and has them until the other one is built.
    const { partitions } = await shop.build(`upserted ${RANGE} --rebuild stale --order ${order} --max-parallel 1`);
    assert.equal(partitions.done, 2);
    assert.equal(await ledgerOf('upserted'), ledger);
    assert.deepEqual(countsOf(await shop.plan(`upserted ${RANGE} --rebuild stale`))['upserted'], [0, 0, 0, 4]);
    const kept = `SELECT string_agg(concat(changed_xid, ' ', digest), ' ' ORDER BY starts_at) AS t FROM sluice.partitions WHERE dataset = 'upserted'`;
    const before = await rowsOf(kept);
    await shop.build(`upserted ${RANGE} --rebuild all`);
    assert.equal(await rowsOf(kept), before);
  }
});

test('a row whose time moved follows, and the partition that it left is stale, with its readers', async () => {
  await shop.build(`${RANGE} --rebuild stale`);
  await ops.query(`UPDATE items SET at = at + interval '2 days' WHERE id IN (1, 2)`);
  await shop.build(`items merged --on 2024-01-03 --rebuild all`);
  for (const table of ['items', 'merged']) {
    assert.match(await itemsOf(table), /^0@1:1 1@3:1 2@3:1 3@1:1 4@2/, table);
    assert.match(await ledgerOf(table), /^1:2 2:\d 3:6 4:4$/, table);
  }
  const plan = await shop.plan(`${RANGE} --rebuild stale`);
  for (const name of ['items', 'merged']) {
    const { intervals, stale } = datasetOf(plan, name);
    assert.equal(stale, 1);
    assert.deepEqual(
      intervals.map(({ start, why }) => [start, why]),
      [['2024-01-01T00:00:00Z', 'stale: rows moved to another partition']],
    );
  }
  assert.equal(datasetOf(plan, 'per_day').stale, 2, 'of the days that it left and went to');
  const why = await shop.run('why items 2024-01-01');
  assert.match(why.out, /Rows of it moved to another partition/);
  await shop.build(`${RANGE} --rebuild stale`);
  assert.deepEqual(
    Object.values(countsOf(await shop.plan(`${RANGE} --rebuild stale`))).filter(([build]) => build !== 0),
    [],
  );
  assert.equal(await rowsOf(`SELECT string_agg(n::text, ' ' ORDER BY day) AS t FROM analytics.per_day`), '2 4 6 4');
});

test('moves: fail names both partitions, and changes nothing', async () => {
  const before = await itemsOf('strict');
  // The other partition is not in the plan, so waiting for it would be in vain.
  const failed = await shop.run('backfill strict --on 2024-01-03 --rebuild all --on-failure fail --wait --json');
  assert.equal(failed.code, 3, failed.err);
  assert.match(failed.out, /"code": "key_moved"[^]*"attempts": 1\b/);
  assert.match(
    failed.out,
    /2 keys of partition \[2024-01-03T00:00:00Z, 2024-01-04T00:00:00Z\) are in \[2024-01-01T00:00:00Z, 2024-01-02T00:00:00Z\)/,
  );
  assert.equal(await itemsOf('strict'), before);
  // Together with the partition that it left, it goes through.
  await shop.build(`strict ${RANGE} --rebuild all`);
  assert.equal(await itemsOf('strict'), await itemsOf('items'));
});

test('a view has no data, and what reads it is built through it, and again when its inputs changed', async () => {
  const big = `SELECT relkind::text || ' ' || pg_get_viewdef(oid) AS t FROM pg_class WHERE relname = 'big'`;
  assert.match(
    await rowsOf(big),
    /^v\s+SELECT (m\.)?id,\s+(m\.)?at,\s+(m\.)?amount\s+FROM analytics.merged m\s+WHERE \(?(m\.)?amount > 1/,
  );
  assert.equal(await ledgerOf('big'), '1:0 2:0 3:0 4:0');
  const perDay = `SELECT extract(day FROM day AT TIME ZONE 'UTC') || ':' || amount AS t FROM analytics.big_per_day ORDER BY day`;
  assert.equal(await rowsOf(perDay), '2:12');
  await ops.query('UPDATE items SET amount = 3 WHERE id = 12');
  const asked = await shop.plan(`merged --on 2024-01-04 --rebuild all`);
  assert.deepEqual(
    asked.leavesStale.map(({ dataset }) => dataset),
    ['big', 'big_per_day'],
  );
  await shop.build(`merged --on 2024-01-04 --rebuild all`);
  const plan = await shop.plan(`big big_per_day ${RANGE} --rebuild stale`);
  assert.deepEqual(datasetOf(plan, 'big').ddl, [], 'the view is as it was');
  assert.deepEqual(countsOf(plan), { big: [1, 0, 1, 3], big_per_day: [1, 0, 0, 4] });
  await shop.build(`big big_per_day ${RANGE} --rebuild stale`);
  assert.equal(await rowsOf(perDay), '2:12 4:3');
  // Changed in place: another query, one more column. What reads it is stale by its definition.
  stack.project('pub', {
    'datasets/big.sql': FILES['datasets/big.sql'].replace('m.amount FROM', 'm.amount, 1 AS one FROM'),
  });
  const changed = await shop.run(`plan big ${RANGE} --rebuild stale --json`);
  assert.match(changed.out, /CREATE OR REPLACE VIEW \\"analytics\\".\\"big\\"/);
  assert.match(await shop.refused(`adopt big ${RANGE}`), /a view has no rows of its own/);
});

test('a type that changes under views: what is printed drops them first, and the backfill makes them again', async () => {
  const bigger = '/*\ntime: at\npublish: view\n*/\nSELECT b.id, b.at, b.amount FROM big b WHERE b.amount > 2\n';
  stack.project('pub', { ...FILES, 'datasets/bigger.sql': bigger });
  const asked = `merged big bigger ${RANGE}`;
  await shop.build(`${asked} --local`);
  await ops.query('ALTER TABLE items ALTER COLUMN amount TYPE bigint');
  const said = (await shop.refused(`plan ${asked} --rebuild all`)).replaceAll(/[│ ]+\n?[│ ]*/g, ' ');
  const [printed = ''] = /DROP VIEW[^]*bigint;/.exec(said) ?? [];
  assert.match(printed, /"bigger";\s*DROP VIEW IF EXISTS "analytics"."big";\s*ALTER TABLE "analytics"."merged"/);
  await warehouse.query(printed);
  await shop.build(`${asked} --local --rebuild all`);
  const types = `SELECT string_agg(DISTINCT data_type, ' ') AS t FROM information_schema.columns
    WHERE table_name IN ('merged', 'big', 'bigger') AND column_name = 'amount'`;
  assert.equal(await rowsOf(types), 'bigint');
  assert.deepEqual(countsOf(await shop.plan(asked)), { merged: [0, 0, 0, 4], big: [0, 0, 0, 4], bigger: [0, 0, 0, 4] });
});
