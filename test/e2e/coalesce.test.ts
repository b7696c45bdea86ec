/** Joined partitions publish what single ones do: rows, and in the ledger a row for each partition with the same count and digest. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { PlanDocument } from '../../src/contracts/plan.js';
import { projectYaml } from '../support/backfills.js';
import { startStack, type Stack } from '../support/stack.js';

const transform = (coalesce: string, sql: string): string => `/*
time: day
coalesce: ${coalesce}
*/
${sql}
`;
/** A day without rows stays a partition of the ledger; `day` is a date, so its borders are local days. */
const BY_DAY = `SELECT o.at::date AS day, o.k, count(*) AS n, sum(o.v) AS v FROM orders o
WHERE o.at >= :start AND o.at < :end AND o.at::date <> '2024-03-12' GROUP BY 1, 2`;
const WIDTH = `SELECT o.at::date AS day, extract(day FROM :end - :start)::int AS days FROM orders o
WHERE o.at >= :start AND o.at < :end`;

const FILES = {
  'sluice.yaml': `${projectYaml('joins')}timezone: America/New_York\n`,
  'datasets/orders.yaml': 'extract: { from: ops, table: public.orders, time: at }\n',
  'datasets/together.sql': transform('auto', BY_DAY),
  'datasets/apart.sql': transform('never', BY_DAY),
  'datasets/width_always.sql': transform('always', WIDTH),
  'datasets/width_auto.sql': transform('auto', WIDTH),
  'datasets/astray.sql': transform(
    'always',
    `SELECT (o.at + interval '3 days')::date AS day FROM orders o WHERE o.at >= :start AND o.at < :end`,
  ),
};
const RANGE = ['-p', 'joins', '--from', '2024-03-01', '--to', '2024-03-31'];

let stack: Stack;
before(async () => {
  stack = await startStack();
  const ops = await stack.connect('ops');
  await ops.query(`CREATE TABLE orders (at timestamptz NOT NULL, k int, v int);
    INSERT INTO orders SELECT '2024-03-01T05:00Z'::timestamptz + i * interval '30 min', i % 3, i FROM generate_series(0, 1427) i`);
  stack.project('joins', FILES);
  await stack.worker(`${stack.dir}/joins`);
});
after(() => stack.stop());

test('the plan says of each transform whether its partitions are joined, and why not', async () => {
  const planned = await stack.sluice(['plan', ...RANGE, '--json']);
  assert.equal(planned.code, 0, planned.err);
  const { datasets } = PlanDocument.parse(planned.json());
  const codes = datasets.map(({ name, coalescing }) => [name, coalescing?.joined, coalescing?.code]).sort();
  assert.deepEqual(codes, [
    ['apart', false, 'never'],
    ['astray', true, 'always'],
    ['orders', undefined, undefined],
    ['together', true, 'proven'],
    ['width_always', true, 'always'],
    ['width_auto', false, 'parameter'],
  ]);
  const { out } = await stack.sluice(['plan', ...RANGE]);
  assert.match(out, /width_auto +one statement per partition: :start or :end is used elsewhere/);
  assert.match(out, /together +joined: no row depends on another partition/);
});

test('rows, counts and digests are those of the partitions one by one', async () => {
  const ran = await stack.sluice([
    'backfill',
    'orders',
    'together',
    'apart',
    'width_always',
    'width_auto',
    ...RANGE,
    '--wait',
  ]);
  assert.equal(ran.code, 0, ran.err);
  const warehouse = await stack.connect('warehouse');
  const rows = async (sql: string): Promise<unknown[]> => (await warehouse.query<Record<string, unknown>>(sql)).rows;
  const ledger = (dataset: string): Promise<unknown[]> =>
    rows(`SELECT starts_at, ends_at, rows, digest FROM sluice.partitions WHERE dataset = '${dataset}' ORDER BY 1`);
  const together = await ledger('together');
  assert.equal(together.length, 30);
  assert.deepEqual(together, await ledger('apart'));
  const empty =
    "SELECT rows::int AS rows, digest FROM sluice.partitions WHERE dataset = 'together' AND starts_at = '2024-03-12 04:00Z'";
  assert.deepEqual(await rows(empty), [{ rows: 0, digest: '0/0' }]);
  const both = (a: string, b: string): string => `SELECT * FROM joins.${a} EXCEPT ALL SELECT * FROM joins.${b}`;
  assert.deepEqual(await rows(`(${both('together', 'apart')}) UNION ALL (${both('apart', 'together')})`), []);
  assert.deepEqual(await rows('SELECT count(*)::int AS n FROM joins.together'), [{ n: 29 * 3 }]);
  // What a statement saw of its interval shows how many partitions it built.
  assert.deepEqual(await rows('SELECT max(days) > 1 AS joined FROM joins.width_always'), [{ joined: true }]);
  assert.deepEqual(await rows('SELECT max(days) AS days FROM joins.width_auto'), [{ days: 1 }]);
});

test('a row outside of the joined partitions fails them', async () => {
  const ran = await stack.sluice(['backfill', 'astray', ...RANGE, '--on-failure', 'fail', '--wait', '--json']);
  assert.equal(ran.code, 3, ran.err);
  assert.match(ran.out, /rows_outside/);
});
