import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import type { BackfillClient } from '../../src/client/index.js';
import { clientOf, kill9, numberOf, OVERLAP, projectYaml, reaches, SLEEPING, sleeper } from '../support/backfills.js';
import { eventually } from '../support/eventually.js';
import { startStack, type Stack } from '../support/stack.js';

/** kill -9 of workers: the same tables, at most one batch a slot again, slots free at once, no zombie publishes. */
const SLOTS = 3;
/** A workflow task that a killed or stopped worker had begun is given to another after a minute (`workflowTaskTimeout`). */
const RECOVERED_MS = 120_000;
const DAYS = { from: '2024-01-01', to: '2024-02-10' };
const DAY_COUNT = 40;

const CHAIN = {
  'datasets/raw.yaml': 'extract: { from: ops, table: public.events, time: at }\nkey: [id]\n',
  'datasets/daily.sql': `/*
time: day
*/
SELECT date_trunc('day', r.at) AS day, count(*) AS events, sum(r.amount) AS amount, (SELECT pg_sleep(0.6)::text) AS slept
FROM raw r WHERE r.at >= :start AND r.at < :end GROUP BY 1
`,
  'datasets/weekly.sql': `/*
time: day
needs:
  daily: { lookback: 6d }
*/
SELECT d AS day, sum(y.amount) AS amount, (SELECT pg_sleep(0.6)::text) AS slept
FROM generate_series(:start, :end - interval '1 day', interval '1 day') d
JOIN daily y ON y.day >= d - interval '6 days' AND y.day < d + interval '1 day'
WHERE y.day >= :start - interval '6 days' AND y.day < :end
GROUP BY 1
`,
};
/** Counts, beside every transaction, the statements that began to write; and, in them, what was published. */
const AUDIT = `
CREATE SCHEMA audit;
CREATE SEQUENCE audit.begun;
CREATE TABLE audit.published (dataset text, starts_at timestamptz, backfill_id text);
CREATE FUNCTION audit.begin() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('audit.begun'); RETURN NULL; END $$;
CREATE FUNCTION audit.publish() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO audit.published VALUES (NEW.dataset, NEW.starts_at, NEW.backfill_id); RETURN NULL; END $$;
CREATE TRIGGER published AFTER INSERT OR UPDATE ON sluice.partitions FOR EACH ROW EXECUTE FUNCTION audit.publish();
`;

let stack: Stack;
before(async () => {
  stack = await startStack();
  const ops = await stack.connect('ops');
  await ops.query(`CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz NOT NULL, amount numeric(10,2));
    CREATE INDEX ON events (at);
    INSERT INTO events SELECT i, '2024-01-01Z'::timestamptz + i * interval '30 min', i % 97 FROM generate_series(0, 48 * 40 - 1) i`);
});
after(() => stack.stop());

async function tablesOf(warehouse: pg.Client, schema: string): Promise<unknown> {
  const read = async (sql: string): Promise<unknown[]> => (await warehouse.query<Record<string, unknown>>(sql)).rows;
  return {
    raw: await read(`SELECT md5(string_agg(r::text, ',' ORDER BY id)) AS md5 FROM ${schema}.raw r`),
    daily: await read(`SELECT md5(string_agg(r::text, ',' ORDER BY day)) AS md5 FROM ${schema}.daily r`),
    weekly: await read(`SELECT md5(string_agg(r::text, ',' ORDER BY day)) AS md5 FROM ${schema}.weekly r`),
    ledger: await read(`SELECT dataset, starts_at, ends_at, rows, digest FROM sluice.partitions ORDER BY 1, 2`),
  };
}

test('kill -9 of workers again and again ends in the tables and the ledger of an undisturbed run', async () => {
  for (const name of ['calm', 'storm']) {
    stack.project(name, {
      'sluice.yaml': projectYaml(name, { warehouse: name, budget: `{ slots: ${SLOTS} }` }),
      ...CHAIN,
    });
  }
  const calmWorker = await stack.worker(`${stack.dir}/calm`);
  const calm = await clientOf(stack, 'calm');
  await calm.start(DAYS, { id: 'calm' });
  await calm.result('calm');
  await kill9(calmWorker);
  await calm.close();

  const workers = [await stack.worker(`${stack.dir}/storm`), await stack.worker(`${stack.dir}/storm`)];
  const storm = await clientOf(stack, 'storm');
  const warehouse = await stack.connect('storm');
  // The first day makes the tables, so that the triggers can be put on them.
  await storm.start({ from: DAYS.from, to: '2024-01-02' }, { id: 'tables' });
  await storm.result('tables');
  await warehouse.query(`${AUDIT}
    CREATE TRIGGER begun BEFORE INSERT ON storm.daily FOR EACH STATEMENT EXECUTE FUNCTION audit.begin();
    CREATE TRIGGER begun BEFORE INSERT ON storm.weekly FOR EACH STATEMENT EXECUTE FUNCTION audit.begin()`);
  await storm.start(DAYS, { id: 'storm' });
  const published = (): Promise<number> =>
    numberOf(warehouse, `SELECT count(*) AS n FROM audit.published WHERE dataset <> 'raw'`);
  const kills = 2;
  for (let kill = 0; kill < kills; kill++) {
    const before = await published();
    await eventually(
      'it gets on, and is in the middle of a statement',
      async () => (await published()) >= before + 4 && (await numberOf(warehouse, SLEEPING)) > 0,
      RECOVERED_MS,
    );
    const [victim] = workers.splice(0, 1);
    assert.ok(victim);
    await kill9(victim);
    workers.push(await stack.worker(`${stack.dir}/storm`));
  }
  assert.ok((await published()) < 2 * DAY_COUNT - 2, 'the kills came in the middle');
  const status = await reaches(storm, 'storm', 'completed', RECOVERED_MS);
  assert.deepEqual(status.partitions, {
    total: 3 * (DAY_COUNT - 1),
    done: 3 * (DAY_COUNT - 1),
    failed: 0,
    blocked: 0,
    skipped: 0,
  });

  assert.deepEqual(await tablesOf(warehouse, 'storm'), await tablesOf(await stack.connect('calm'), 'calm'));
  const twice = await numberOf(
    warehouse,
    'SELECT count(*) AS n FROM (SELECT FROM audit.published GROUP BY dataset, starts_at HAVING count(*) > 1) x',
  );
  assert.equal(twice, 0, 'nothing that was committed is done again');
  for (const [table, time] of [
    ['raw', 'at'],
    ['daily', 'day'],
    ['weekly', 'day'],
  ] as const) {
    const apart = `SELECT count(*) AS n FROM storm.${table} t LEFT JOIN sluice.partitions p
      ON p.dataset = '${table}' AND t.${time} >= p.starts_at AND t.${time} < p.ends_at WHERE t.xmin::text IS DISTINCT FROM p.xid::xid::text`;
    assert.equal(
      await numberOf(warehouse, apart),
      0,
      `${table}: each row is of the transaction that its ledger row is of`,
    );
  }
  const begun = await numberOf(warehouse, 'SELECT last_value AS n FROM audit.begun');
  const least = 2 * (DAY_COUNT - 1);
  assert.ok(
    begun >= least && begun <= least + kills * SLOTS,
    `${begun} batches begun for ${least}, with ${kills} kills and ${SLOTS} slots`,
  );
  for (const worker of workers) await kill9(worker);
  await storm.close();
});

test('slots hold over two workers and two projects, and a kill -9 frees them at once', async () => {
  for (const name of ['east', 'west']) {
    stack.project(name, {
      'sluice.yaml': projectYaml(name, { budget: '{ slots: 2 }' }),
      ...sleeper(`${name}_day`, `CASE WHEN d < '2024-01-15Z' THEN 0.1 ELSE 60 END`),
    });
  }
  const workers: ChildProcess[] = [];
  const clients: BackfillClient[] = [];
  for (const name of ['east', 'west']) {
    workers.push(await stack.worker(`${stack.dir}/${name}`));
    clients.push(await clientOf(stack, name));
  }
  const warehouse = await stack.connect('warehouse');
  for (const client of clients) await client.start({ from: '2024-01-01', to: '2024-01-15' }, { id: 'short' });
  for (const client of clients) await client.result('short');
  assert.equal(
    await numberOf(warehouse, OVERLAP(['east.east_day', 'west.west_day'])),
    2,
    'both slots are used, and no third',
  );

  const [east, west] = clients;
  assert.ok(east && west);
  await east.start({ from: '2024-01-15', to: '2024-01-20' }, { id: 'long' });
  await eventually('both slots are taken', async () => (await numberOf(warehouse, SLEEPING)) === 2);
  const [worker] = workers;
  assert.ok(worker);
  await kill9(worker);
  const held = `SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND classid = 1936487781 AND objsubid = 2`;
  await eventually('the slots are free', async () => (await numberOf(warehouse, held)) === 0, 2_000);
  await east.terminate('long', 'its worker is gone');
  for (const client of clients) await client.close();
  for (const one of workers.slice(1)) await kill9(one);
});

test('an attempt that wakes up after its successor, and after its backfill was rebuilt by another, publishes nothing', async () => {
  stack.project('zombie', {
    'sluice.yaml': projectYaml('zombie', { warehouse: 'zombie', budget: '{ slots: 2 }' }),
    ...sleeper('z_day', '0.2'),
  });
  const frozen = await stack.worker(`${stack.dir}/zombie`);
  const client = await clientOf(stack, 'zombie');
  const warehouse = await stack.connect('zombie');
  await warehouse.query(AUDIT);
  const range = { from: '2024-01-01', to: '2024-02-10' };
  await client.start(range, { id: 'first' });
  const partly = `SELECT count(*) AS n FROM sluice.leases l JOIN sluice.partitions p USING (epoch, dataset)
    JOIN sluice.leases o USING (epoch, dataset, slice) WHERE o.lo > l.lo AND p.starts_at = '2024-01-01Z'::timestamptz + l.lo * interval '1 day'`;
  await eventually(
    'a slice has published part of its batches',
    async () => (await numberOf(warehouse, partly)) > 0 && (await numberOf(warehouse, SLEEPING)) > 0,
  );
  frozen.kill('SIGSTOP');
  const successor = await stack.worker(`${stack.dir}/zombie`);
  await reaches(client, 'first', 'completed', RECOVERED_MS);
  await client.start({ ...range, rebuild: 'all' }, { id: 'second' });
  await client.result('second');
  await kill9(successor);
  frozen.kill('SIGCONT');
  // It is awake for certain when it carries out a backfill of its own.
  await client.start({ from: '2024-02-10', to: '2024-02-12' }, { id: 'third' });
  await reaches(client, 'third', 'completed', RECOVERED_MS);
  const { rows } = await warehouse.query<{ backfill_id: string; n: number }>(
    'SELECT backfill_id, count(*)::int AS n FROM audit.published GROUP BY 1 ORDER BY 1',
  );
  assert.deepEqual(rows, [
    { backfill_id: 'first', n: 40 },
    { backfill_id: 'second', n: 40 },
    { backfill_id: 'third', n: 2 },
  ]);
  assert.equal(await numberOf(warehouse, `SELECT count(*) AS n FROM sluice.partitions WHERE backfill_id = 'first'`), 0);
  assert.equal(await numberOf(warehouse, 'SELECT count(*) AS n FROM zombie.z_day'), 42);
  await kill9(frozen);
  await client.close();
});

test('a worker that sleeps keeps no slot of a source from those who have its work', async () => {
  stack.project('sleeps', {
    'sluice.yaml': projectYaml('sleeps', { warehouse: 'sleeps' }).replace('slots: 8', 'slots: 1'),
    'datasets/slow.yaml': `extract:
  from: ops
  query: SELECT id, at, (SELECT pg_sleep(1)::text) AS slept FROM public.events WHERE at >= :start AND at < :end
  time: at
`,
  });
  const frozen = await stack.worker(`${stack.dir}/sleeps`);
  const client = await clientOf(stack, 'sleeps');
  const [ops, warehouse] = [await stack.connect('ops'), await stack.connect('sleeps')];
  await client.start({ from: '2024-01-01', to: '2024-01-07' }, { id: 'b' });
  await eventually('the source is read', async () => (await numberOf(ops, SLEEPING)) > 0);
  frozen.kill('SIGSTOP');
  const successor = await stack.worker(`${stack.dir}/sleeps`);
  await reaches(client, 'b', 'completed', RECOVERED_MS);
  assert.equal(await numberOf(warehouse, 'SELECT count(*) AS n FROM sleeps.slow'), 6 * 48);
  for (const worker of [frozen, successor]) await kill9(worker);
  await client.close();
});
