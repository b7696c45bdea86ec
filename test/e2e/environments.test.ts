/** One project in several environments on one database: side by side, deferring, protected. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { z } from 'zod';
import { BackfillClient, RequestRefusedError } from '../../src/client/index.js';
import { startStack, type Stack } from '../support/stack.js';
import { countsOf, typed, type Typed } from './planning-kit.js';

const yaml = (protectedProd: boolean): string => `project: shop
connections:
  ops: { type: postgres, url: "embedded:ops_envs" }
  warehouse: { type: postgres, url: "embedded:wh_envs" }
warehouse: warehouse
schema: analytics
defaults: { grain: day, start: 2024-01-01 }
environments:
  prod: { schema: prod, protected: ${protectedProd} }
  dev: { schema: "dev_\${DEV_NAME:-me}", defer: prod }
  copy: { schema: prod }
`;
const PER_DAY = `/*
time: day
*/
SELECT date_trunc('day', i.at) AS day, sum(i.price) AS price
FROM items i WHERE i.at >= :start AND i.at < :end GROUP BY 1
`;
const FILES = {
  'sluice.yaml': yaml(true),
  'datasets/items.yaml': 'extract: { from: ops, table: public.items, time: at }\nkey: [id]\n',
  'datasets/per_day.sql': PER_DAY,
};
const Changes = z.object({
  changes: z.boolean(),
  stale: z.number(),
  missing: z.number(),
  datasets: z.array(z.object({ name: z.string(), change: z.string(), stale: z.number(), missing: z.number() })),
});
const RANGE = '--from 2024-01-01 --to 2024-01-05';

let stack: Stack;
let shop: Typed;
let warehouse: pg.Client;
let ops: pg.Client;

before(async () => {
  stack = await startStack();
  ops = await stack.connect('ops_envs');
  warehouse = await stack.connect('wh_envs');
  await ops.query(`CREATE TABLE items (id bigint PRIMARY KEY, at timestamptz NOT NULL, price int NOT NULL);
    INSERT INTO items SELECT i, '2024-01-01Z'::timestamptz + i * interval '12 hours', i FROM generate_series(0, 7) i`);
  const folder = stack.project('shop', FILES);
  shop = typed(stack, 'shop');
  await Promise.all([stack.worker(folder, ['-e', 'prod']), stack.worker(folder, ['-e', 'dev'])]);
  const { id } = await shop.build(`${RANGE} -e prod --id first`);
  assert.equal(id, 'first');
});
after(() => stack.stop());

/** What stands in a table, and where the ledger says that it came from. */
async function pricesIn(table: string): Promise<number[]> {
  const { rows } = await warehouse.query<{ price: number }>(`SELECT price::int FROM ${table} ORDER BY day`);
  return rows.map(({ price }) => price);
}

async function ledger(): Promise<Record<string, number>> {
  const { rows } = await warehouse.query<{ what: string; n: number }>(
    `SELECT environment || '.' || dataset AS what, count(*)::int AS n FROM sluice.partitions GROUP BY 1 ORDER BY 1`,
  );
  return Object.fromEntries(rows.map(({ what, n }) => [what, n]));
}

test('a dataset that dev does not build is read in prod, whose ledger says what there is of it and what changed', async () => {
  const early = await shop.refused('backfill per_day --from 2024-01-04 --to 2024-01-07 -e dev');
  assert.match(early, /per_day reads items of prod, which is not selected and lacks 2024-01-05/);
  const plan = await shop.plan(`per_day ${RANGE} -e dev`);
  assert.deepEqual(plan.deferred, [
    { dataset: 'items', environment: 'prod', table: { schema: 'prod', name: 'items' } },
  ]);
  assert.deepEqual(plan.leavesStale, []);

  await shop.build(`per_day ${RANGE} -e dev --id first`);
  assert.deepEqual(await pricesIn('dev_me.per_day'), [1, 5, 9, 13]);
  assert.deepEqual(await ledger(), { 'dev.per_day': 4, 'prod.items': 4, 'prod.per_day': 4 });
  const { rows } = await warehouse.query(`SELECT to_regclass('dev_me.items') AS made`);
  assert.deepEqual(rows, [{ made: null }]);

  await ops.query('UPDATE items SET price = 100 WHERE id = 2');
  await shop.build('items --from 2024-01-02 --to 2024-01-04 --rebuild all -e prod');
  // The 3rd was published again with the same content.
  assert.deepEqual(countsOf(await shop.plan(`per_day ${RANGE} -e dev`)), { per_day: [0, 0, 1, 3] });
  const why = (await shop.run('why per_day 2024-01-02 -e dev --json')).json();
  assert.match(JSON.stringify(why), /"dataset":"items".*Published in prod by backfill/);
  assert.deepEqual(await pricesIn('prod.per_day'), [1, 5, 9, 13]);
});

test('plan --against says what deploying a folder would make stale, and has an exit code for it', async () => {
  const same = await shop.run('plan --against prod --exit-code');
  assert.equal(same.code, 0, same.err);
  assert.match(same.out, /against prod: no partition changes/);

  const total = '/*\ngrain: none\n*/\nSELECT sum(d.price) AS price FROM per_day d\n';
  const masked = `${FILES['datasets/items.yaml']}mask: [price]\n`;
  stack.project('pull', { ...FILES, 'datasets/items.yaml': masked, 'datasets/total.sql': total });
  const compared = (await typed(stack, 'pull').run('plan --against prod --json')).json();
  const { datasets, ...head } = Changes.parse(compared);
  assert.deepEqual(head, { changes: true, stale: 8, missing: 1 });
  assert.deepEqual(datasets, [
    { name: 'items', change: 'changed', stale: 4, missing: 0 },
    { name: 'per_day', change: 'downstream', stale: 4, missing: 0 },
    { name: 'total', change: 'added', stale: 0, missing: 1 },
  ]);

  const { 'datasets/per_day.sql': _removed, ...rest } = FILES;
  stack.project('less', rest);
  const less = await typed(stack, 'less').run('plan --against prod --exit-code --markdown');
  assert.equal(less.code, 6, less.err);
  assert.match(less.out, /^\| per_day \| removed; its table stays, with 4 partitions \|/m);
  assert.match(await shop.refused('plan items --against prod'), /takes no selection/);
});

test('two environments that would write one table: the second is refused, naming both', async () => {
  const said = await shop.refused(`plan ${RANGE} -e copy`);
  assert.match(said, /"prod"\."items" belongs to dataset items of project shop, environment prod: dataset items of/);
  assert.match(said.replace(/\s+/g, ' '), /project shop, environment copy cannot write it too/);
});

test('a protected environment carries out what its workers deploy, whatever a folder says of it', async () => {
  assert.match(await shop.refused(`backfill ${RANGE} -e prod --local`), /--local is refused there/);
  // A folder of somebody's own, which takes the protection away.
  stack.project('mine', {
    ...FILES,
    'sluice.yaml': yaml(false),
    'datasets/per_day.sql': PER_DAY.replace('sum(i.price)', '2 * sum(i.price)'),
  });
  const mine = typed(stack, 'mine');
  assert.match(
    await mine.refused(`backfill ${RANGE} --rebuild all -e prod`),
    /environment prod is protected: it carries/,
  );
  assert.match(await mine.refused(`backfill ${RANGE} --rebuild all -e prod --local`), /--local is refused there/);
  await mine.build(`per_day ${RANGE} --rebuild all -e prod --deployed`);
  assert.deepEqual(await pricesIn('prod.per_day'), [1, 103, 9, 13]);

  // Past the command line: a definition that is registered, by a backfill in dev that had nothing to do, and not deployed.
  await mine.build(`per_day --on 2024-01-04 -e dev --local`);
  const { rows } = await warehouse.query<{ hash: string }>(
    `SELECT hash FROM sluice.definitions WHERE hash NOT IN (SELECT definition FROM sluice.deployments)`,
  );
  const client = await BackfillClient.connect({
    address: stack.dev.info().temporalAddress,
    project: 'shop',
    environment: 'prod',
  });
  try {
    const request = { from: '2024-01-01', to: '2024-01-05', rebuild: 'all' as const, definition: rows[0]?.hash };
    const { id, workflowId } = await client.start(request, { id: 'sneaky' });
    assert.equal(workflowId, 'backfill/shop@prod/sneaky');
    await assert.rejects(client.result(id), (error) => {
      assert.ok(error instanceof RequestRefusedError);
      assert.equal(error.code, 'protected_environment');
      return true;
    });
  } finally {
    await client.close();
  }
});

test('what dev builds itself it no longer reads in prod', async () => {
  await shop.build(`${RANGE} -e dev --rebuild all`);
  const plan = await shop.plan(`per_day ${RANGE} -e dev`);
  assert.equal(plan.deferred, undefined);
  assert.deepEqual(countsOf(plan), { per_day: [0, 0, 0, 4] });
  assert.deepEqual(await pricesIn('dev_me.per_day'), [1, 103, 9, 13]);
  assert.deepEqual(await ledger(), { 'dev.items': 4, 'dev.per_day': 4, 'prod.items': 4, 'prod.per_day': 4 });
});

test('a flag has a value in each environment, and another one for one backfill; what that built is stale afterwards', async () => {
  const flagged = PER_DAY.replace('sum(i.price)', 'sum(i.price) + :flag_extra');
  const flags = 'flags: { extra: 0 }\n';
  const folder = stack.project('flagged', {
    ...FILES,
    'sluice.yaml':
      `${yaml(false).replace('project: shop', 'project: flagged').replace('dev_${DEV_NAME:-me}', 'flagged')}${flags}`.replace(
        'defer: prod }',
        'flags: { extra: 1000 } }',
      ),
    'datasets/per_day.sql': flagged,
  });
  const project = typed(stack, 'flagged');
  await stack.worker(folder, ['-e', 'dev']);
  await project.build(`${RANGE} -e dev`);
  assert.deepEqual(await pricesIn('flagged.per_day'), [1001, 1103, 1009, 1013]);

  const day = '--on 2024-01-03 -e dev --rebuild stale --set extra=-5';
  const { next, fingerprint, request } = await project.plan(`per_day ${day}`);
  assert.deepEqual(request['set'], { extra: '-5' });
  assert.equal(next, undefined);
  await project.build(`--plan ${fingerprint} -e dev`);
  assert.deepEqual(await pricesIn('flagged.per_day'), [1001, 1103, 4, 1013]);
  assert.deepEqual(countsOf(await project.plan(`per_day ${RANGE} -e dev`)), { per_day: [0, 0, 1, 3] });

  assert.match(
    await project.refused(`plan ${RANGE} -e dev --set extro=1`),
    /there is no flag extro.*did you mean extra/s,
  );
  assert.match(
    await project.refused(`backfill ${RANGE} -e dev --set extra=much`),
    /flag extra: "much" is not a number/,
  );
  assert.match(await project.refused(`backfill ${RANGE} -e dev --set extra`), /--set "extra" is not possible/);

  const client = await BackfillClient.connect({
    address: stack.dev.info().temporalAddress,
    project: 'flagged',
    environment: 'dev',
  });
  try {
    // As another service sends it: what the workers deploy, with a value of its own.
    await client.result((await client.start({ on: '2024-01-04', rebuild: 'all', set: { extra: 7 } })).id);
    assert.deepEqual(await pricesIn('flagged.per_day'), [1001, 1103, 4, 20]);
    await assert.rejects(
      client.result((await client.start({ on: '2024-01-04', set: { other: 7 } })).id),
      /no flag other/,
    );
  } finally {
    await client.close();
  }
});

test('two persons on one environment, whose schema has their name: one worker writes to the schema of whoever asked', async () => {
  const files = { ...FILES, 'sluice.yaml': yaml(false).replace('project: shop', 'project: ours') };
  const folder = stack.project('ours', files);
  const ours = typed(stack, 'ours');
  const [ann, bob] = [{ DEV_NAME: 'ann' }, { DEV_NAME: 'bob' }];
  await stack.worker(folder, ['-e', 'dev'], ann);
  await ours.build(`${RANGE} -e dev`, ann);
  const annsWere = await pricesIn('dev_ann.per_day');

  const asks = (line: string): string => `${line} ${RANGE} -e dev`;
  const said = (await ours.refused(asks('backfill'), bob)).replace(/\s+/g, ' ');
  assert.match(said, /this one writes to schema dev_bob, theirs to dev_ann.*--local.*--deployed/);
  const { rows } = await warehouse.query(`SELECT to_regclass('dev_bob.items') AS made`);
  assert.deepEqual(rows, [{ made: null }]);

  await ops.query('UPDATE items SET price = 1000 WHERE id = 7');
  await ours.build(`--local ${RANGE} -e dev`, bob);
  const bobs = await pricesIn('dev_bob.per_day');
  assert.deepEqual([bobs[3], await pricesIn('dev_ann.per_day')], [1006, annsWere]);

  // Ann's own again: her tables come back with what the ledger knows of them, and Bob's stay as they are.
  await ours.build(`--rebuild all --on 2024-01-04 -e dev`, ann);
  assert.deepEqual([await pricesIn('dev_ann.per_day'), await pricesIn('dev_bob.per_day')], [bobs, bobs]);
  await ours.build(asks('--deployed'), bob);
  assert.deepEqual(await pricesIn('dev_bob.per_day'), bobs);
});
