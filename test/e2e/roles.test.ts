/** The roles and GRANTs of docs/operating.md, as printed there: nobody needs more, and nobody may more. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { BackfillStatus } from '../../src/contracts/status.js';
import { startStack, type Stack } from '../support/stack.js';

const page = readFileSync(new URL('../../docs/operating.md', import.meta.url), 'utf8');
const [roles = '', afterwards = '', source = '', governed = ''] = [...page.matchAll(/```sql\n([^`]*)```/g)].map(
  ([, sql = '']) => sql,
);

const FILES = {
  'sluice.yaml': `
project: shop
connections:
  ops: { type: postgres, url: "\${OPS_URL}", budget: { slots: 2 } }
  warehouse: { type: postgres, url: "\${WAREHOUSE_URL}", budget: { slots: 2 } }
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
SELECT date_trunc('day', o.at) AS day, count(*) AS orders
FROM orders_raw o WHERE o.at >= :start AND o.at < :end GROUP BY 1
`,
};

let stack: Stack;
/** A database's URL as one of the roles. */
const as = async (role: string, database: string): Promise<string> =>
  (await stack.url(database)).replace(/\/\/[^@]*@/, `//${role}:change%20me@`);

before(async () => {
  stack = await startStack();
});
after(() => stack.stop());

test('the writer builds, the monitor looks on, the reader reads, and none of them more', async () => {
  const ops = await stack.connect('ops');
  await ops.query(`CREATE TABLE orders (id bigint PRIMARY KEY, at timestamptz NOT NULL);
    CREATE INDEX ON orders (at);
    INSERT INTO orders SELECT i, '2024-01-01Z'::timestamptz + i * interval '6 hours' FROM generate_series(0, 11) i`);
  await ops.query(source);
  const warehouse = await stack.connect('warehouse');
  await warehouse.query(roles);
  await warehouse.query(governed);
  const project = stack.project('shop', FILES);
  stack.env['OPS_URL'] = await as('sluice_source', 'ops');
  stack.env['WAREHOUSE_URL'] = await as('sluice_writer', 'warehouse');
  await stack.worker(project);
  await warehouse.query(afterwards);

  const built = await stack.sluice([
    'backfill',
    '-p',
    project,
    '--to',
    '2024-01-04',
    '--id',
    'one',
    '--wait',
    '--json',
  ]);
  assert.equal(built.code, 0, built.err + built.out);
  assert.equal(BackfillStatus.parse(built.json()).partitions.done, 6);

  const monitor = { env: { WAREHOUSE_URL: await as('sluice_monitor', 'warehouse') } };
  // Without it nobody could hold them.
  const { rows } = await warehouse.query('SELECT connection FROM sluice.limits WHERE database IS NULL');
  assert.deepEqual(rows, [], 'these roles may know what their databases are');
  for (const verb of [['list'], ['status', 'one'], ['ledger', 'orders_day'], ['warehouse', 'warehouse']]) {
    const seen = await stack.sluice([...verb, '-p', project], monitor);
    assert.equal(seen.code, 0, `${verb.join(' ')}: ${seen.err}`);
  }
  const refused = await stack.sluice(['forget', 'orders_day', '-p', project, '--on', '2024-01-02'], monitor);
  assert.equal(refused.code, 1, refused.out);
  assert.match(refused.err, /no permission/);

  const query = async (role: string, sql: string): Promise<string> => {
    await warehouse.query(`SET ROLE ${role}`);
    const result = await warehouse.query(sql).then(
      ({ rowCount }) => String(rowCount),
      (error: unknown) => String(error),
    );
    await warehouse.query('RESET ROLE');
    return result;
  };
  assert.equal(await query('sluice_reader', 'SELECT FROM analytics.orders_day'), '3');
  assert.match(await query('sluice_reader', 'SELECT FROM sluice.partitions'), /permission denied/);
  assert.match(await query('sluice_reader', 'DELETE FROM analytics.orders_day'), /permission denied/);
  assert.equal(await query('sluice_monitor', 'SELECT FROM sluice.partitions'), '6');
  assert.match(await query('sluice_monitor', 'SELECT FROM sluice.failures'), /permission denied/);
  assert.match(await query('sluice_monitor', 'SELECT FROM analytics.orders_day'), /permission denied/);
});
