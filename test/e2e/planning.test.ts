import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { startStack, type Stack } from '../support/stack.js';
import { countsOf, datasetOf, projectYaml, typed, whysOf, type Typed } from './planning-kit.js';

const WEEK = `/*
time: day
key: [day]
needs:
  orders_day: { lookback: 6d }
*/
SELECT d AS day, sum(o.orders) AS orders
FROM generate_series(:start, :end - interval '1 day', interval '1 day') d
JOIN orders_day o ON o.day >= d - interval '6 days' AND o.day < d + interval '1 day'
WHERE o.day >= :start - interval '6 days' AND o.day < :end GROUP BY 1
`;
const FILES = {
  'sluice.yaml': projectYaml('flow'),
  'datasets/orders_raw.yaml': `extract: { from: ops, table: public.orders, time: at }\nkey: [id]\n`,
  'datasets/names_raw.yaml': `extract: { from: ops, table: public.names }\ngrain: none\nrefresh: never\nkey: [id]\n`,
  'datasets/orders_day.sql': `/*
time: day
key: [day]
needs: { names_raw: { stale: ignore } }
*/
SELECT date_trunc('day', o.at) AS day, count(*) AS orders, (SELECT max(n.name) FROM names_raw n) AS name
FROM orders_raw o WHERE o.at >= :start AND o.at < :end GROUP BY 1
`,
  'datasets/orders_week.sql': WEEK,
  'datasets/totals.sql': `/*
grain: none
*/
SELECT count(*) AS days, sum(d.orders) AS orders FROM orders_day d
`,
};

let stack: Stack;
let flow: Typed;
let ops: pg.Client;
let warehouse: pg.Client;

before(async () => {
  stack = await startStack();
  ops = await stack.connect('ops_flow');
  warehouse = await stack.connect('wh_flow');
  await ops.query(`CREATE TABLE orders (id bigint PRIMARY KEY, at timestamptz NOT NULL, amount int);
    CREATE INDEX ON orders (at);
    INSERT INTO orders SELECT i, '2024-01-01Z'::timestamptz + i * interval '6 hours', i FROM generate_series(0, 4 * 40 - 1) i;
    CREATE TABLE names (id int PRIMARY KEY, name text);
    INSERT INTO names VALUES (1, 'one')`);
  stack.project('flow', FILES);
  flow = typed(stack, 'flow');
  await stack.worker(`${stack.dir}/flow`);
});
after(() => stack.stop());

const DAYS = '--from 2024-01-10 --to 2024-01-20';
const ORDERS = 'orders_raw orders_day';

test('a plan widens selected upstreams to what is read and says for whom, and asks unselected ones to be covered', async () => {
  const err = await flow.refused(`plan orders_week ${DAYS}`);
  assert.match(err, /orders_week reads orders_day, which is not selected and lacks 2024-01-04 … 2024-01-20/);
  assert.match(err, /sluice backfill \+orders_week/);

  const plan = await flow.plan(`+orders_week ${DAYS}`);
  assert.deepEqual(
    plan.datasets.map(({ name }) => name),
    ['names_raw', 'orders_raw', 'orders_day', 'orders_week'],
  );
  assert.deepEqual(whysOf(plan, 'orders_day'), [
    '2024-01-04/2024-01-10 needed by orders_week',
    '2024-01-10/2024-01-20 missing',
  ]);
  assert.deepEqual(whysOf(plan, 'orders_raw'), [
    '2024-01-04/2024-01-10 needed by orders_day',
    '2024-01-10/2024-01-20 missing',
  ]);
  assert.deepEqual(whysOf(plan, 'names_raw'), ['-infinity/infinity missing']);
  assert.deepEqual(countsOf(plan)['orders_day'], [16, 10, 0, 0]);
  assert.deepEqual(
    [datasetOf(plan, 'orders_day').from, datasetOf(plan, 'orders_day').to],
    ['2024-01-10T00:00:00Z', '2024-01-20T00:00:00Z'],
  );
});

test('widening never goes before the start of an upstream', async () => {
  const plan = await flow.plan('+orders_week --from 2024-01-02 --to 2024-01-04');
  assert.deepEqual(whysOf(plan, 'orders_day'), [
    '2024-01-01/2024-01-02 needed by orders_week',
    '2024-01-02/2024-01-04 missing',
  ]);
});

test('ranges: --on, open, rounded out, further than is complete, before the start', async () => {
  assert.deepEqual(whysOf(await flow.plan('orders_raw --on 2024-01-10'), 'orders_raw'), [
    '2024-01-10/2024-01-11 missing',
  ]);
  assert.deepEqual(whysOf(await flow.plan('orders_raw --on 2024-01-10T13:00'), 'orders_raw'), [
    '2024-01-10/2024-01-11 missing',
  ]);
  const today = new Date().toISOString().slice(0, 10);
  const open = datasetOf(await flow.plan('orders_raw --from 2024-01-10'), 'orders_raw');
  assert.deepEqual([open.from, open.to], ['2024-01-10T00:00:00Z', `${today}T00:00:00Z`]);
  const none = datasetOf(await flow.plan('orders_raw'), 'orders_raw');
  assert.deepEqual([none.from, none.to], ['2024-01-01T00:00:00Z', `${today}T00:00:00Z`]);
  assert.equal((await flow.plan('orders_raw')).warnings.length, 0);
  const last = await flow.plan('orders_raw --last 3d');
  const lastDays = datasetOf(last, 'orders_raw');
  assert.deepEqual([lastDays.build, lastDays.to], [3, `${today}T00:00:00Z`]);

  const rounded = await flow.plan('orders_raw --from 2024-01-10T05:00 --to 2024-01-11T01:00');
  assert.deepEqual(whysOf(rounded, 'orders_raw'), ['2024-01-10/2024-01-12 missing']);
  assert.deepEqual(
    rounded.warnings.map(({ code }) => code),
    ['rounded_out'],
  );

  const further = await flow.plan('orders_raw --from 2024-01-10 --to 2199-01-01');
  assert.equal(datasetOf(further, 'orders_raw').to, `${today}T00:00:00Z`);
  assert.match(
    further.warnings.map(({ code, message }) => `${code}: ${message}`).join(),
    new RegExp(`^not_complete_yet: what ends after ${today}`),
  );

  const early = await flow.plan('orders_raw --from 2023-12-30 --to 2024-01-02');
  assert.deepEqual(whysOf(early, 'orders_raw'), ['2024-01-01/2024-01-02 missing']);
  assert.match(
    early.warnings.map(({ code, message }) => `${code}: ${message}`).join(),
    /^before_start: .*2024-01-01T00:00:00Z/,
  );
  assert.match(
    await flow.refused('plan orders_raw --from 2023-01-01 --to 2023-12-31'),
    /nothing_in_range|leaves no selected dataset/,
  );
  assert.match(await flow.refused('plan orders_raw --from 2199-01-01 --to 2199-01-05'), /leaves no selected dataset/);
  assert.match(await flow.refused('plan orders_raw --from 2024-01-05 --to 2024-01-05'), /exclusive/);
});

test('--plan carries out what was planned, and is refused when it is no longer true', async () => {
  const range = '--from 2024-01-05 --to 2024-01-08';
  const { fingerprint } = await flow.plan(`${ORDERS} names_raw ${range}`);
  const other = await flow.plan(`${ORDERS} names_raw --on 2024-01-05`);
  assert.equal((await flow.plan(`${ORDERS} names_raw ${range}`)).fingerprint, fingerprint);
  assert.notEqual(other.fingerprint, fingerprint);
  const status = await flow.build(`--plan ${fingerprint}`);
  assert.deepEqual([status.partitions.done, status.plan], [7, fingerprint]);
  assert.match(await flow.refused(`backfill --plan ${fingerprint}`), /no longer true/);
  assert.match(await flow.refused('backfill --plan 0123456789abcdef'), /no plan 0123456789abcdef/);
});

test('missing, stale and all count the same three things and build what they say', async () => {
  await flow.build(`+orders_week totals --from 2024-01-01 --to 2024-01-20`);
  const range = '--from 2024-01-01 --to 2024-01-20';
  const counts = async (rebuild: string): Promise<unknown> =>
    countsOf(await flow.plan(`${ORDERS} ${range} --rebuild ${rebuild}`));
  assert.deepEqual(await counts('missing'), { orders_raw: [0, 0, 0, 19], orders_day: [0, 0, 0, 19] });
  assert.deepEqual(await counts('stale'), { orders_raw: [0, 0, 0, 19], orders_day: [0, 0, 0, 19] });
  assert.deepEqual(await counts('all'), { orders_raw: [19, 0, 0, 19], orders_day: [19, 0, 0, 19] });
  assert.deepEqual(whysOf(await flow.plan(`${ORDERS} ${range} --rebuild all`), 'orders_raw'), [
    '2024-01-01/2024-01-20 asked for',
  ]);
});

test('a rebuild ripples to published readers, outside the range too, and lists those it leaves stale', async () => {
  const plan = await flow.plan('orders_day orders_week --on 2024-01-15 --rebuild all');
  assert.deepEqual(whysOf(plan, 'orders_week'), [
    '2024-01-15/2024-01-16 asked for',
    '2024-01-16/2024-01-20 reads orders_day 2024-01-15',
  ]);
  const alone = await flow.plan('orders_raw --on 2024-01-15 --rebuild all');
  assert.deepEqual(
    alone.leavesStale.map(({ dataset, intervals }) => [dataset, intervals]),
    [
      ['orders_day', [{ start: '2024-01-15T00:00:00Z', end: '2024-01-16T00:00:00Z' }]],
      ['orders_week', [{ start: '2024-01-15T00:00:00Z', end: '2024-01-20T00:00:00Z' }]],
      ['totals', [{ start: '-infinity', end: 'infinity' }]],
    ],
  );
});

test('publishing equal content stales nothing; changed content does; the printed commands mend it', async () => {
  const range = '--from 2024-01-01 --to 2024-01-20';
  await flow.build('orders_raw --on 2024-01-15 --rebuild all');
  assert.deepEqual(countsOf(await flow.plan(`orders_day ${range}`)), { orders_day: [0, 0, 0, 19] });

  await ops.query(`INSERT INTO orders VALUES (1000, '2024-01-15 03:00Z', 1)`);
  const before = await flow.plan('orders_raw --on 2024-01-15 --rebuild all');
  await flow.build('orders_raw --on 2024-01-15 --rebuild all');
  const stale = await flow.plan(`orders_day ${range}`);
  assert.deepEqual(countsOf(stale), { orders_day: [0, 0, 1, 18] });
  assert.equal(stale.next, 'sluice backfill orders_day --from 2024-01-01 --to 2024-01-20 --rebuild stale');
  assert.deepEqual(whysOf(await flow.plan(`orders_day ${range} --rebuild stale`), 'orders_day'), [
    '2024-01-15/2024-01-16 stale: inputs changed',
  ]);
  for (const { command, dataset } of before.leavesStale) {
    assert.match(command, new RegExp(`^sluice backfill ${dataset} `));
    const status = await flow.build(command.replace('sluice backfill ', ''));
    assert.ok(status.partitions.done <= 5, `${command} built ${status.partitions.done} partitions`);
  }
  const after = await flow.plan(`${ORDERS} orders_week totals ${range} --rebuild stale`);
  assert.deepEqual(countsOf(after), {
    orders_raw: [0, 0, 0, 19],
    orders_day: [0, 0, 0, 19],
    orders_week: [0, 0, 0, 19],
    totals: [0, 0, 0, 1],
  });
  const { rows } = await warehouse.query('SELECT orders::int FROM analytics.orders_day WHERE day = $1', [
    '2024-01-15Z',
  ]);
  assert.deepEqual(rows, [{ orders: 5 }]);
  const { rows: totals } = await warehouse.query('SELECT days::int, orders::int FROM analytics.totals');
  assert.deepEqual(totals, [{ days: 19, orders: 19 * 4 + 1 }]);
});

test('stale: ignore keeps a change upstream from its reader', async () => {
  await ops.query(`UPDATE names SET name = 'two'`);
  const plan = await flow.plan('names_raw orders_day --on 2024-01-10 --rebuild all --exclude orders_day');
  assert.deepEqual(plan.leavesStale, []);
  await flow.build('names_raw --rebuild all');
  assert.deepEqual(countsOf(await flow.plan(`orders_day ${DAYS}`)), { orders_day: [0, 0, 0, 10] });
});

test('a grain: none transform is transformed again when an upstream has a partition that it has not seen', async () => {
  assert.deepEqual(countsOf(await flow.plan('totals')), { totals: [0, 0, 0, 1] });
  await flow.build(`${ORDERS} --from 2024-01-20 --to 2024-01-25`);
  const plan = await flow.plan('totals');
  assert.deepEqual(countsOf(plan)['totals'], [1, 1, 0, 0]);
  assert.deepEqual(whysOf(plan, 'totals'), ['-infinity/infinity missing: has inputs that it never read']);
  await flow.build('totals');
  const { rows } = await warehouse.query('SELECT days::int FROM analytics.totals');
  assert.deepEqual(rows, [{ days: 24 }]);
  // Behind a gap in its upstream nothing is seen.
  await flow.build(`${ORDERS} --on 2024-01-30`);
  await flow.build('totals --rebuild all');
  const { rows: same } = await warehouse.query('SELECT days::int FROM analytics.totals');
  assert.ok(same[0]?.days === 24 || same[0]?.days === 25);
});

test('a changed definition makes stale what it built, and its readers with it once it is rebuilt', async () => {
  const range = '--from 2024-01-01 --to 2024-01-20';
  // Back to the name that the days were built with: a rebuild must give the same rows.
  await ops.query(`UPDATE names SET name = 'one'`);
  await flow.build('names_raw --rebuild all');
  stack.project('flow', {
    'datasets/orders_day.sql': FILES['datasets/orders_day.sql'].replace('count(*) AS orders', 'count(*) + 0 AS orders'),
  });
  const plan = await flow.plan(`orders_day orders_week ${range}`);
  assert.deepEqual(countsOf(plan), { orders_day: [0, 0, 19, 0], orders_week: [0, 0, 0, 19] });
  const rebuild = await flow.plan(`orders_day orders_week ${range} --rebuild stale`);
  assert.deepEqual(whysOf(rebuild, 'orders_day'), ['2024-01-01/2024-01-20 stale: definition changed']);
  assert.deepEqual(whysOf(rebuild, 'orders_week'), ['2024-01-01/2024-01-20 reads orders_day from 2024-01-01']);

  const differ = await flow.refused(`backfill orders_day --on 2024-01-10 --rebuild stale`);
  const [, local, deployed] = /this folder is definition (\w+), the workers deploy (\w+)/.exec(differ) ?? [];
  assert.ok(local !== undefined && deployed !== undefined && local !== deployed, differ);
  assert.match(differ, /--local/);
  assert.match(differ, /--deployed/);
  assert.equal((await flow.build(`orders_day --on 2024-01-10 --rebuild stale --deployed`)).partitions.total, 0);
  assert.equal((await flow.build(`orders_day --on 2024-01-10 --rebuild stale --local`)).partitions.done, 1);
  // It gives the same rows: what reads it is not stale.
  assert.deepEqual(countsOf(await flow.plan(`orders_week ${range}`)), { orders_week: [0, 0, 0, 19] });
});
