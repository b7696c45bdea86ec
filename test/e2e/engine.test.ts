import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BackfillStatus } from '../../src/contracts/status.js';
import { startStack, type Stack } from '../support/stack.js';

const FILES = {
  'sluice.yaml': `
project: shop
connections:
  ops: { type: postgres, url: "embedded:ops", budget: { slots: 4 } }
  warehouse: { type: postgres, url: "embedded:warehouse", budget: { slots: 4 } }
warehouse: warehouse
schema: analytics
defaults: { grain: day, start: 2024-01-01 }
`,
  'datasets/orders_raw.yaml': `
extract: { from: ops, table: public.orders, time: at }
key: [id]
`,
  'datasets/orders_day.sql': `/*
time: day
key: [day]
*/
SELECT date_trunc('day', o.at) AS day, count(*) AS orders, sum(o.amount) AS amount
FROM orders_raw o WHERE o.at >= :start AND o.at < :end GROUP BY 1
`,
};

let stack: Stack;
before(async () => {
  stack = await startStack();
  const ops = await stack.connect('ops');
  await ops.query(`CREATE TABLE orders (id bigint PRIMARY KEY, at timestamptz NOT NULL, amount numeric(10,2));
    CREATE INDEX ON orders (at);
    INSERT INTO orders SELECT i, '2024-01-01Z'::timestamptz + i * interval '1 hour', i FROM generate_series(0, 24 * 30 - 1) i`);
  stack.project('shop', FILES);
  await stack.worker(`${stack.dir}/shop`);
});
after(() => stack.stop());

const RANGE = ['-p', 'shop', '--from', '2024-01-01', '--to', '2024-01-31'];

test('a backfill builds every partition of every dataset, and a second one finds nothing to do', async () => {
  const first = await stack.sluice(['backfill', ...RANGE, '--id', 'one', '--wait', '--json']);
  assert.equal(first.code, 0, first.err);
  const status = BackfillStatus.parse(first.json());
  assert.equal(status.state, 'completed');
  assert.deepEqual(status.partitions, { total: 60, done: 60, failed: 0, blocked: 0, skipped: 0 });

  const warehouse = await stack.connect('warehouse');
  const { rows } = await warehouse.query(
    'SELECT count(*)::int AS days, sum(orders)::int AS orders, sum(amount)::int AS amount FROM analytics.orders_day',
  );
  assert.deepEqual(rows, [{ days: 30, orders: 720, amount: (719 * 720) / 2 }]);

  const second = await stack.sluice(['backfill', ...RANGE, '--wait', '--json']);
  assert.equal(second.code, 0, second.err);
  assert.equal(BackfillStatus.parse(second.json()).partitions.total, 0);

  const taken = await stack.sluice(['backfill', ...RANGE, '--id', 'one']);
  assert.equal(taken.code, 2);
  assert.match(taken.err, /one exists already/);
});
