/** Databases that stop answering: what waits for them waits, and is right when they are back. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { Client, Connection } from '@temporalio/client';
import type { BackfillClient } from '../../src/client/index.js';
import { identityOf } from '../../src/postgres/identity.js';
import { createPool } from '../../src/postgres/pool.js';
import { LAG_MAX_MS, requireReplica } from '../../src/source/postgres/replica.js';
import { clientOf, numberOf, reaches } from '../support/backfills.js';
import { doorTo, type Door } from '../support/door.js';
import { eventually } from '../support/eventually.js';
import { startReplica } from '../support/replica.js';
import { startStack, type Stack } from '../support/stack.js';

const COPIED = `extract:
  from: ops
  query: SELECT at, n, pg_sleep(0.1)::text AS slept FROM readings WHERE at >= :start AND at < :end
  time: at
`;
const SUM = (schema: string): string => `SELECT sum(n) AS n FROM ${schema}.copied`;

let stack: Stack;
let ops: pg.Client;
let warehouse: pg.Client;
let doors: Record<'ops' | 'warehouse', Door>;
let client: BackfillClient;

before(async () => {
  stack = await startStack();
  [ops, warehouse] = [await stack.connect('ops'), await stack.connect('warehouse')];
  await ops.query(`CREATE TABLE public.readings AS
    SELECT d AS at, extract(day FROM d)::int AS n FROM generate_series('2024-01-01Z'::timestamptz, '2024-12-30Z', interval '1 day') d`);
  const port = Number(new URL(stack.dev.info().postgresUrl).port);
  doors = { ops: await doorTo(port), warehouse: await doorTo(port) };
  stack.project('away', {
    'sluice.yaml': `project: away
connections:
  ops: { type: postgres, url: "${doors.ops.through(await stack.url('ops'))}" }
  warehouse: { type: postgres, url: "${doors.warehouse.through(await stack.url('warehouse'))}", budget: { slots: 2, rate: 20 } }
warehouse: warehouse
schema: away
defaults: { grain: day, start: 2024-01-01 }
`,
    'datasets/copied.yaml': COPIED,
  });
  await stack.worker(`${stack.dir}/away`);
  client = await clientOf(stack, 'away');
});
after(async () => {
  await client.close();
  for (const door of Object.values(doors)) await door.shut();
  await stack.stop();
});

const published = (): Promise<number> => numberOf(warehouse, 'SELECT count(*) AS n FROM sluice.partitions');

/** Waits until the backfill says that it waits for what `words` name. */
async function waits(id: string, words: RegExp): Promise<void> {
  const status = await eventually(String(words), async () => {
    const now = await client.status(id);
    return words.test(now.waiting?.for ?? '') && now;
  });
  assert.deepEqual([status.state, status.waiting?.next], ['running', 'sluice doctor']);
}

/** All that a dataset's workflow was told, as text. */
async function told(id: string): Promise<string> {
  const connection = await Connection.connect({ address: stack.dev.info().temporalAddress });
  const handle = new Client({ connection }).workflow.getHandle(`${client.workflowId(id)}/copied`);
  const history = JSON.stringify(await handle.fetchHistory());
  await connection.close();
  return history.replace(/"data":"([A-Za-z0-9+/=]+)"/g, (_all, data: string) => Buffer.from(data, 'base64').toString());
}

test('a source, and then the warehouse, stops answering in mid-backfill: it waits, says so, and no attempt is used up', async () => {
  await client.start({ from: '2024-01-01', to: '2024-03-01' }, { id: 'b' });
  await eventually('it gets on', async () => (await published()) > 5);
  await doors.ops.shut();
  await waits(
    'b',
    /^connection ops has not answered since 20.*Z \(connection refused\); it is tried again every \d s$/,
  );
  const { rows } = await warehouse.query<{ state: string }>('SELECT state FROM sluice.breakers');
  assert.equal(rows.length, 1);
  const before = await published();
  await waits('b', /every [2-9] s$/);
  assert.equal(await published(), before, 'nothing is read meanwhile');
  await doors.ops.open();
  await eventually('it goes on', async () => (await published()) > before);
  const journal = await eventually('it is closed, and said so', async () => {
    const { rows: entries } = await warehouse.query(
      `SELECT action, reason ~ '^connection ops: ' AS named FROM sluice.journal WHERE action LIKE 'connection%' ORDER BY id`,
    );
    return entries.length > 1 && entries;
  });
  assert.equal(await numberOf(warehouse, 'SELECT count(*) AS n FROM sluice.breakers'), 0);
  assert.deepEqual(journal, [
    { action: 'connection lost', named: true },
    { action: 'connection back', named: true },
  ]);

  await doors.warehouse.shut();
  await waits('b', /^connection warehouse has not answered since .*every \d s$/);
  await doors.warehouse.open();
  const { partitions } = await reaches(client, 'b', 'completed');
  assert.deepEqual(partitions, { total: 60, done: 60, failed: 0, blocked: 0, skipped: 0 });
  const text = await told('b');
  assert.ok(text.includes('has not answered since'));
  assert.ok(!text.includes('"code":"connection_refused"'), 'no batch failed for want of a connection');
  assert.equal(
    await numberOf(warehouse, SUM('away')),
    await numberOf(ops, `SELECT sum(n) AS n FROM readings WHERE at < '2024-03-01Z'`),
  );
});

test('an alternate is read while its primary does not answer: the status, the journal and the ledger say so; what is no replica is not', async () => {
  const replica = await startReplica(stack, ops, doors.ops.through(stack.dev.info().postgresUrl));
  after(replica.stop);
  const yaml = (alternates: string): string => `project: twice
connections:
  ops: { type: postgres, url: "${doors.ops.through(opsUrl)}", alternates: [${alternates}] }
  stranger: { type: postgres, url: "${strangerUrl}" }
  replica: { type: postgres, url: "${replica.url('ops')}" }
  warehouse: { type: postgres, url: "embedded:warehouse", budget: { slots: 1, rate: 20 } }
warehouse: warehouse
schema: twice
defaults: { grain: day, start: 2024-01-01 }
`;
  const [opsUrl, strangerUrl] = [await stack.url('ops'), await stack.url('stranger')];
  const folder = stack.project('twice', { 'sluice.yaml': yaml('stranger'), 'datasets/copied.yaml': COPIED });
  await stack.worker(folder, ['--watch']);
  const twice = await clientOf(stack, 'twice');
  const read = (where: string): Promise<number> =>
    numberOf(warehouse, `SELECT count(*) AS n FROM sluice.partitions WHERE project = 'twice' AND read_from ${where}`);
  await twice.start({ from: '2024-01-01', to: '2024-03-01' }, { id: 'r' });
  await eventually('it gets on', async () => (await read('IS NULL')) > 2);
  await doors.ops.shut();
  const says = (words: RegExp): Promise<unknown> =>
    eventually(String(words), async () => words.test((await twice.status('r')).waiting?.for ?? ''));
  await says(/^connection ops has not answered since .*; stranger is not read: it is no physical replica of it$/);
  writeFileSync(join(folder, 'sluice.yaml'), yaml('stranger, replica'));
  await says(/^connection ops has not answered since .*; meanwhile replica is read$/);
  await eventually('the ledger says so', async () => (await read(`= 'replica'`)) > 5);
  await doors.ops.open();
  const before = await read('IS NULL');
  await eventually('the primary is read again', async () => (await read('IS NULL')) > before);
  const { partitions } = await reaches(twice, 'r', 'completed');
  assert.equal(partitions.done, 60);
  assert.equal(
    await numberOf(warehouse, SUM('twice')),
    await numberOf(ops, `SELECT sum(n) AS n FROM readings WHERE at < '2024-03-01Z'`),
  );
  const { out } = await stack.sluice(['ledger', 'copied', '-p', 'twice', '--json']);
  assert.match(out, /"read_from": ?"replica"/);
  assert.equal(
    await numberOf(warehouse, `SELECT count(*) AS n FROM sluice.journal WHERE action = 'alternate read'`),
    1,
  );

  const pool = createPool(() => Promise.resolve(replica.url('ops')), 1);
  const own = await pool.use(identityOf);
  await pool.use((one) => requireReplica(one, own, Date.now()));
  const late = Date.now() + 2 * LAG_MAX_MS;
  await assert.rejects(
    pool.use((one) => requireReplica(one, own, late)),
    /last transaction is \d\d s older/,
  );
  await pool.close();
  await twice.close();
});
