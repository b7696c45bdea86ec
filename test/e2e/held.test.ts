/** A backfill that waits for a person: what it keeps from others, and the ways out of it, each as it is printed. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import type pg from 'pg';
import { RequestRefusedError, type BackfillClient } from '../../src/client/index.js';
import { clientOf, numberOf, projectYaml, reaches } from '../support/backfills.js';
import { eventually } from '../support/eventually.js';
import { startStack, type Stack } from '../support/stack.js';

let stack: Stack;
let warehouse: pg.Client;
let ops: pg.Client;
let till: BackfillClient;

const FILES = {
  'sluice.yaml': projectYaml('till'),
  'datasets/items_raw.yaml': 'extract: { from: ops, table: public.items, time: at }\nkey: [id]\n',
  'datasets/price_day.sql': `/*
time: day
key: [day]
*/
SELECT date_trunc('day', at) AS day, sum(100 / quantity) AS price FROM items_raw WHERE at >= :start AND at < :end GROUP BY 1
`,
  'datasets/price_3d.sql': `/*
time: day
key: [day]
needs:
  price_day: { lookback: 2d }
*/
SELECT max(day) AS day, sum(price) AS price FROM price_day WHERE day >= :start - interval '2 days' AND day < :end
`,
  'datasets/ranked.sql': `/*
grain: none
*/
SELECT quantity, count(*) AS items FROM items_raw WHERE at >= :start AND at < :end GROUP BY 1
`,
};

before(async () => {
  stack = await startStack();
  ops = await stack.connect('ops');
  warehouse = await stack.connect('warehouse');
  await ops.query(`CREATE TABLE items (id bigint PRIMARY KEY, at timestamptz NOT NULL, quantity int NOT NULL);
    CREATE INDEX ON items (at);
    INSERT INTO items SELECT i, '2024-01-01Z'::timestamptz + i * interval '8 hours', 1 + i % 3 FROM generate_series(0, 3 * 90 - 1) i`);
  await stack.worker(stack.project('till', FILES));
  till = await clientOf(stack, 'till');
});
after(async () => {
  await till.close();
  await stack.stop();
});

const january = { from: '2024-01-01', to: '2024-02-01' };
const quantityOn = (day: string, quantity: number): Promise<unknown> =>
  ops.query(`UPDATE items SET quantity = $2 WHERE at = $1::timestamptz`, [`${day}Z`, quantity]);
/** The backfill that published a day of a dataset last. */
async function publisherOf(dataset: string, day: string): Promise<string | undefined> {
  const { rows } = await warehouse.query<{ backfill_id: string }>(
    `SELECT backfill_id FROM sluice.partitions WHERE dataset = $1 AND starts_at = $2::timestamptz`,
    [dataset, day],
  );
  return rows[0]?.backfill_id;
}

test('what a held backfill has published is free for others, what is left is not; its retry leaves alone what they built', async () => {
  await quantityOn('2024-01-09', 0);
  await till.start(january, { id: 'rebuild' });
  const held = await reaches(till, 'rebuild', 'held');
  assert.deepEqual(held.partitions, { total: 94, done: 90, failed: 1, blocked: 3, skipped: 0 });

  // The whole of `ranked` and the last days of all others: it has done with them.
  const night = await till.start({ from: '2024-01-29', to: '2024-02-01', rebuild: 'all' }, { id: 'night' });
  assert.equal((await till.result(night.id)).partitions.done, 10);
  for (const [select, on] of [
    ['price_day', '2024-01-09'],
    ['price_*', '2024-01-10'],
  ] as const) {
    const refused = await till.start({ select, on, rebuild: 'all' });
    await assert.rejects(
      till.result(refused.id),
      (error) =>
        error instanceof RequestRefusedError && error.code === 'conflict' && error.message.includes('rebuild holds'),
    );
  }
  await warehouse.query(`UPDATE till.items_raw SET quantity = 1 WHERE quantity = 0`);
  await till.retry('rebuild');
  assert.deepEqual((await till.result('rebuild')).partitions, {
    total: 94,
    done: 94,
    failed: 0,
    blocked: 0,
    skipped: 0,
  });
  assert.deepEqual(
    [await publisherOf('price_3d', '2024-01-31Z'), await publisherOf('ranked', '-infinity')],
    ['night', 'night'],
  );
  assert.equal(await numberOf(warehouse, `SELECT count(*) AS n FROM sluice.reserved`), 0);
  await quantityOn('2024-01-09', 1);
});

test('skip without a range is refused and takes nothing; an end with skips is no "all is published", for cron neither', async () => {
  await quantityOn('2024-02-05', 0);
  await quantityOn('2024-02-08', 0);
  await till.start({ select: ['items_raw', 'price_day'], from: '2024-02-01', to: '2024-02-11' }, { id: 'skips' });
  await reaches(till, 'skips', 'held');
  const refused = await stack.sluice(['skip', 'skips', 'price_day', '-p', 'till', '--json']);
  assert.equal(refused.code, 2, refused.out);
  assert.match(refused.out, /"range_missing".*leave 2 partitions.*--failed.*--all/s);
  await assert.rejects(till.skip('skips', { dataset: 'price_day' }), /needs a range/);
  assert.equal((await till.status('skips')).partitions.skipped, 0);

  // One is left out; what is planned anew then leaves it out as well.
  await till.skip('skips', { dataset: 'price_day', on: '2024-02-05', requestedBy: 'ann' });
  await eventually('it is held with one skipped', async () => {
    const { state, partitions } = await till.status('skips');
    return state === 'held' && partitions.skipped === 1;
  });
  await till.retry('skips', { withCurrent: true });
  const again = await reaches(till, 'skips', 'held');
  assert.deepEqual(again.partitions, { total: 20, done: 18, failed: 1, blocked: 0, skipped: 1 });
  const watched = stack.sluice(['watch', 'skips', '-p', 'till']);
  const ended = await stack.sluice(['skip', 'skips', 'price_day', '--failed', '-p', 'till'], { env: { USER: 'bob' } });
  assert.equal(ended.code, 0, ended.err);
  const last = await till.result('skips');
  assert.deepEqual([last.state, last.reason], ['completed', '18 published, 2 skipped by ann, bob']);
  assert.deepEqual(last.partitions, { total: 20, done: 18, failed: 0, blocked: 0, skipped: 2 });
  assert.equal((await watched).code, 3);
  const list = await stack.sluice(['list', '-p', 'till']);
  assert.match(list.out, /^skips {2}.*completed.*2 skipped/m);
  await quantityOn('2024-02-05', 1);
  await quantityOn('2024-02-08', 1);
});

test('retry --upstream: after the source was mended what failed is read again, up the graph, and nothing else', async () => {
  await quantityOn('2024-03-05', 0);
  await till.start({ from: '2024-03-01', to: '2024-03-11' }, { id: 'mended' });
  const held = await reaches(till, 'mended', 'held');
  assert.deepEqual(held.partitions, { total: 35, done: 31, failed: 1, blocked: 3, skipped: 0 });
  assert.deepEqual(
    held.waiting?.or?.map(({ next }) => next),
    ['sluice retry mended --with-current', 'sluice retry mended --upstream', 'sluice skip mended price_day --failed'],
  );
  const ids = `SELECT dataset, starts_at, publish_id FROM sluice.partitions
    WHERE dataset = 'items_raw' AND starts_at >= '2024-03-01Z' AND starts_at <> '2024-03-05Z' ORDER BY 2`;
  const before = await warehouse.query(ids);
  await quantityOn('2024-03-05', 4);
  const said = await stack.sluice(['retry', 'mended', '--upstream', '-p', 'till', '--json']);
  assert.match(said.out, /"state": "(running|completed)"/, 'as it stands after it has planned anew');
  assert.deepEqual((await till.result('mended')).partitions, {
    total: 35,
    done: 35,
    failed: 0,
    blocked: 0,
    skipped: 0,
  });
  assert.deepEqual((await warehouse.query(ids)).rows, before.rows, 'what had not failed was not read again');
  assert.equal(
    await numberOf(warehouse, `SELECT price AS n FROM till.price_day WHERE day = '2024-03-05Z'`),
    await numberOf(ops, `SELECT sum(100 / quantity) AS n FROM items WHERE at >= '2024-03-05Z' AND at < '2024-03-06Z'`),
  );
  // A reader that was done already read the old row.
  assert.equal(
    await numberOf(warehouse, `SELECT items AS n FROM till.ranked WHERE quantity = 0`),
    await numberOf(warehouse, `SELECT count(*) AS n FROM till.items_raw WHERE quantity = 0`),
  );

  // The extract is not of this backfill: it is read again all the same, and no more of it.
  await quantityOn('2024-03-12', 0);
  await till.start({ select: 'items_raw', from: '2024-03-11', to: '2024-03-15' }, { id: 'raw' });
  await till.result('raw');
  await till.start({ select: 'price_day', on: '2024-03-12' }, { id: 'alone' });
  await reaches(till, 'alone', 'held');
  await quantityOn('2024-03-12', 1);
  await till.retry('alone', { upstream: true });
  assert.equal((await till.result('alone')).state, 'completed');
  assert.deepEqual(
    [await publisherOf('items_raw', '2024-03-11Z'), await publisherOf('items_raw', '2024-03-12Z')],
    ['raw', 'alone'],
  );
});

test('a start that names nobody is once in the journal, by whoever told Temporal', async () => {
  const connection = await Connection.connect({ address: stack.dev.info().temporalAddress });
  const client = new Client({ connection, identity: 'cli:ann@laptop' });
  const journal = `SELECT actor FROM sluice.journal WHERE action = 'start' AND backfill_id = $1`;
  for (const [id, requestedBy, actor] of [
    ['by-cli', undefined, 'cli:ann@laptop'],
    ['by-name', 'bob', 'bob'],
  ] as const) {
    await client.workflow.execute('backfill', {
      workflowId: `backfill/till/${id}`,
      taskQueue: 'sluice',
      args: [{ project: 'till', select: 'items_raw', on: '2024-03-25', rebuild: 'all', requestedBy }],
    });
    assert.deepEqual((await warehouse.query(journal, [id])).rows, [{ actor }]);
  }
  // The first attempt has reserved all, and its answer is lost.
  const locker = await stack.connect('warehouse');
  await locker.query('BEGIN; LOCK TABLE sluice.staging');
  const ran = client.workflow.execute('backfill', {
    workflowId: 'backfill/till/by-two',
    taskQueue: 'sluice',
    args: [{ project: 'till', select: 'items_raw', on: '2024-03-26', rebuild: 'all' }],
  });
  await eventually('it waits, all else done', async () => {
    const { rowCount } = await warehouse.query(
      `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted AND relation = 'sluice.staging'::regclass`,
    );
    return rowCount === 1;
  });
  await locker.query('COMMIT');
  await ran;
  assert.deepEqual((await warehouse.query(journal, ['by-two'])).rows, [{ actor: 'cli:ann@laptop' }]);
  await connection.close();
});

test('rows that the ledger forgot: plan says so with commands that work, why says what failed, adopt and retry go on', async () => {
  const run = async (command: string): Promise<string> => {
    const ran = await stack.sluice([...command.split(' ').slice(1), '-p', 'till']);
    assert.equal(ran.code, 0, `${command}\n${ran.out}${ran.err}`);
    // The folder, which the command was given, is part of whatever it prints.
    return ran.out.replaceAll(/\s-p\s+till/g, '');
  };
  const day = '--from 2024-01-20 --to 2024-01-21';
  await run(`sluice forget price_day --on 2024-01-20`);
  const plan = await run('sluice plan price_* --from 2024-01-19 --to 2024-01-22');
  const said = plan.replaceAll(/\s+/g, ' ');
  assert.ok(said.includes(`sluice adopt price_day ${day}`), plan);
  assert.ok(said.includes(`sluice backfill price_day ${day} --overwrite`), plan);

  const missing = await run('sluice why price_day 2024-01-20');
  assert.match(
    missing.replaceAll(/[\s│]+/g, ' '),
    /missing .* But its table holds rows that the ledger does not know.* type sluice adopt price_day --from 2024-01-20 --to 2024-01-21/,
  );

  await till.start({ select: 'price_day', on: '2024-01-20' }, { id: 'wall' });
  const held = await reaches(till, 'wall', 'held');
  assert.equal(held.datasets[0]?.failures[0]?.code, 'foreign_rows');
  const why = await run('sluice why price_day 2024-01-20');
  assert.match(
    why.replaceAll(/[\s│]+/g, ' '),
    /failed .*in backfill wall at 2[^Z]+ after .*foreign_rows: .*held since .*sluice retry wall price_day/,
  );
  const adopting = held.waiting?.or?.[0]?.next ?? '';
  assert.equal(adopting, 'sluice adopt price_day --from 2024-01-20T00:00:00Z --to 2024-01-21T00:00:00Z');
  await run(adopting);
  await run(held.waiting?.next ?? '');
  assert.deepEqual((await till.result('wall')).partitions, { total: 1, done: 1, failed: 0, blocked: 0, skipped: 0 });
  assert.equal(await publisherOf('price_day', '2024-01-20Z'), 'adopt');

  // What is published, and failed as it was built again, says so too.
  await warehouse.query(`UPDATE till.items_raw SET quantity = 0 WHERE at = '2024-01-22Z'`);
  await till.start({ select: 'price_day', on: '2024-01-22', rebuild: 'all' }, { id: 'again' });
  await reaches(till, 'again', 'held');
  assert.match(
    await run('sluice why price_day 2024-01-22'),
    /failed\n.*again[^]*division_by_zero[^]*sluice retry again/,
  );
  await run('sluice cancel again');
});
