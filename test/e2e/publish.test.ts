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
    INSERT INTO items SELECT i, '2024-01-01Z'::timestamptz + i * interval '6 hours', 1 FROM generate_series(0, 15) i`);
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
  // It is tried five times, half a minute in all; the first says it.
  const started = await shop.run('backfill strict --on 2024-01-03 --rebuild all --id strict');
  assert.equal(started.code, 0, started.err);
  const kept = `SELECT message AS t FROM sluice.failures WHERE dataset = 'strict' AND code = 'key_moved' LIMIT 1`;
  const message = await eventually('a failure is kept', async () => (await rowsOf(kept)) || undefined);
  assert.match(
    message,
    /2 keys of partition \[2024-01-03T00:00:00Z, 2024-01-04T00:00:00Z\) are in \[2024-01-01T00:00:00Z, 2024-01-02T00:00:00Z\)/,
  );
  assert.equal((await shop.run('cancel strict')).code, 0);
  assert.equal(await itemsOf('strict'), before);
  // Together with the partition that it left, it goes through.
  await shop.build(`strict ${RANGE} --rebuild all`);
  assert.equal(await itemsOf('strict'), await itemsOf('items'));
});
