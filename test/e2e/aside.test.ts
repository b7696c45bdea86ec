/** Two workers, of which one has lost what it connects with: it leaves slices to the other one, says so, and comes back by itself. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import type { BackfillClient } from '../../src/client/index.js';
import { createPool } from '../../src/postgres/pool.js';
import { clientOf, loudWorker, numberOf, reaches, sleeper } from '../support/backfills.js';
import { doorTo, type Door } from '../support/door.js';
import { eventually } from '../support/eventually.js';
import { startStack, type Stack } from '../support/stack.js';

const ROLES = { ops: 'reader', warehouse: 'writer' } as const;
type Connection = keyof typeof ROLES;
const COPIED = `extract:
  from: ops
  query: SELECT at, pg_sleep(0.2)::text AS slept FROM readings WHERE at >= :start AND at < :end
  time: at
`;

let stack: Stack;
let admin: pg.Client;
let client: BackfillClient;
/** The sick worker's way to the databases. */
let door: Door;
let workers: Record<'well' | 'sick', Awaited<ReturnType<typeof loudWorker>>>;

const secretOf = (worker: string, connection: Connection): string => join(stack.dir, worker, `${connection}.secret`);
const tell = (worker: string, connection: Connection, password: string): void => {
  writeFileSync(secretOf(worker, connection), password);
};

/** The same project for both, with secrets in files of its own. */
async function startWorker(worker: 'well' | 'sick'): Promise<Awaited<ReturnType<typeof loudWorker>>> {
  const { postgresUrl } = stack.dev.info();
  const { host } = new URL(worker === 'sick' ? door.through(postgresUrl) : postgresUrl);
  const url = (connection: Connection): string =>
    `postgres://${ROLES[connection]}:\${file:${secretOf(worker, connection)}}@${host}/${connection}`;
  const folder = stack.project(worker, {
    'ops.secret': 'first',
    'warehouse.secret': 'first',
    'sluice.yaml': `project: shared
connections:
  ops: { type: postgres, url: "${url('ops')}", budget: { slots: 8 } }
  warehouse: { type: postgres, url: "${url('warehouse')}", budget: { slots: 4, rate: 20 } }
warehouse: warehouse
schema: shared
defaults: { grain: day, start: 2024-01-01 }
`,
    'datasets/copied.yaml': COPIED,
    ...sleeper('brief', '0.2'),
  });
  return loudWorker(stack, folder);
}

before(async () => {
  stack = await startStack();
  [admin] = [await stack.connect('warehouse')];
  const ops = await stack.connect('ops');
  for (const role of Object.values(ROLES)) await admin.query(`CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD 'first'`);
  await ops.query(`CREATE TABLE public.readings AS
    SELECT d AS at FROM generate_series('2024-01-01Z'::timestamptz, '2025-12-31Z', interval '1 day') d`);
  door = await doorTo(Number(new URL(stack.dev.info().postgresUrl).port));
  workers = { well: await startWorker('well'), sick: await startWorker('sick') };
  client = await clientOf(stack, 'shared');
});
after(async () => {
  await client.close();
  for (const { child } of Object.values(workers)) child.kill('SIGKILL');
  await door.shut();
  await stack.stop();
});

const published = (): Promise<number> => numberOf(admin, 'SELECT count(*) AS n FROM sluice.partitions');
const refused = (): Promise<number> =>
  numberOf(admin, `SELECT count(*) AS n FROM sluice.failures WHERE code IN ('wrong_password', 'login_refused')`);

/**
 * Another password for a role, which the workers named are told; who is connected must connect anew. Nobody logs in between the telling and the
 * change: a worker that had the new one too early stood aside, and the other then had nobody to leave its slices to.
 */
async function rotate(connection: Connection, password: string, told: readonly string[]): Promise<void> {
  await admin.query(`BEGIN; ALTER ROLE ${ROLES[connection]} PASSWORD '${password}'; LOCK TABLE pg_authid`);
  for (const worker of told) tell(worker, connection, password);
  await admin.query('COMMIT');
  await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1', [ROLES[connection]]);
}

const says = (worker: 'well' | 'sick', words: RegExp, since = 0): Promise<unknown> =>
  eventually(`${worker} says ${words}`, () => words.test(workers[worker].said().slice(since)));

for (const connection of ['warehouse', 'ops'] as const) {
  test(`a password of ${connection} that only one worker has: the other stands aside, nothing fails by it, and it comes back and works`, async () => {
    const dataset = connection === 'ops' ? 'copied' : 'brief';
    const since = workers.sick.said().length;
    await client.start({ select: [dataset], from: '2024-01-01', to: '2025-12-01' }, { id: connection });
    const begun = await published();
    await eventually('it gets on', async () => (await published()) > begun + 5);
    await rotate(connection, 'second', ['well']);
    await says('sick', new RegExp(`stands aside: connection ${connection}: wrong password`), since);
    const { out, code } = await stack.sluice(['doctor', '-p', 'well']);
    assert.match(out, new RegExp(`warn +worker ${workers.sick.child.pid}@.*aside, and others carry`));
    assert.equal(code, 0, out);
    const now = await published();
    await eventually('the other one carries on', async () => (await published()) > now + 5);
    const { partitions } = await client.status(connection);
    assert.equal(partitions.failed, 0);
    assert.equal(await refused(), 0, 'no attempt was made without the password');
    assert.doesNotMatch(workers.well.said(), /stands aside/);
    tell('sick', connection, 'second');
    await says('sick', /comes back: it can use its connections again/, since);
    await says('sick', /comes back[^]*published/, since);
    const doctor = await stack.sluice(['doctor', '-p', 'well']);
    assert.doesNotMatch(doctor.out, /stands aside/);
    await client.cancel(connection);
    await reaches(client, connection, 'cancelled');
  });
}

test('a warehouse that one worker has not reached for 15 s: it stands aside, nothing fails by it, and it comes back', async () => {
  const since = workers.sick.said().length;
  await client.start({ select: ['brief'], from: '2024-01-01', to: '2025-12-01', rebuild: 'all' }, { id: 'unreached' });
  const built = (): Promise<number> =>
    numberOf(admin, `SELECT count(*) AS n FROM sluice.partitions WHERE backfill_id = 'unreached'`);
  await eventually('it gets on', async () => (await built()) > 5);
  await door.shut();
  await says('sick', /stands aside: connection warehouse: connection refused/, since);
  const now = await built();
  await eventually('the other one carries on', async () => (await built()) > now + 5);
  assert.equal((await client.status('unreached')).partitions.failed, 0);
  assert.doesNotMatch(workers.well.said(), /stands aside/);
  await door.open();
  await says('sick', /comes back: it can use its connections again/, since);
  await client.cancel('unreached');
  await reaches(client, 'unreached', 'cancelled');
});

test('a password that no worker has is no reason to wait: what needs it is held, and says so', async () => {
  await client.start({ select: ['copied'], from: '2025-12-01', to: '2025-12-20' }, { id: 'all' });
  const begun = await published();
  await eventually('it gets on', async () => (await published()) > begun);
  await rotate('ops', 'third', []);
  const { datasets } = await reaches(client, 'all', 'held');
  assert.equal(datasets[0]?.failures[0]?.code, 'wrong_password');
  for (const worker of ['well', 'sick']) tell(worker, 'ops', 'third');
  await client.retry('all');
  await reaches(client, 'all', 'completed');
});

test('a password that was rotated between the look at it and the login is no wrong one: the new one is tried at once', async () => {
  await admin.query(`CREATE ROLE rotated LOGIN PASSWORD 'new'`);
  const url = new URL(stack.dev.info().postgresUrl);
  const passwords = ['old', 'new'];
  const pool = createPool(() => {
    [url.username, url.password, url.pathname] = ['rotated', passwords.shift() ?? 'new', 'ops'];
    return Promise.resolve(url.href);
  }, 2);
  const { rows } = await pool.use((connection) => connection.query<{ who: string }>('SELECT current_user AS who'));
  assert.deepEqual(rows, [{ who: 'rotated' }]);
  await pool.close();
});
