import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import type { Readings, Sense } from '../../src/core/throttle/types.js';
import { createPool, type Pool } from '../../src/postgres/pool.js';
import { createSenser, type Senser } from '../../src/warehouse/postgres/senser.js';
import { cancelOurs } from '../../src/warehouse/postgres/sense.js';
import { takeLock } from '../../src/warehouse/postgres/seat.js';
import { eventually } from '../support/eventually.js';
import { startPostgresOnly, type OnlyPostgres } from '../support/only-postgres.js';

/** Each sense against a real PostgreSQL: it sees what is there, and says why where it cannot. */
let server: OnlyPostgres;
let url: string;
let pool: Pool;
const clients: pg.Client[] = [];
const sensers: Senser[] = [];
const pools: Pool[] = [];

async function connect(name: string, at = url): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: at, application_name: name });
  client.on('error', () => undefined);
  await client.connect();
  clients.push(client);
  return client;
}

function senserOf(own: Pool, declared: readonly { name: string; query: string }[] = []): Senser {
  const senser = createSenser({ pool: own, isWarehouse: false, declared, name: 'sluice/governor/1.1/1' });
  sensers.push(senser);
  return senser;
}

/** As a role, with settings of its own. */
function poolAs(role: string): Pool {
  const own = new URL(url);
  own.username = role;
  own.password = 'x';
  const made = createPool(() => Promise.resolve(own.href), 10);
  pools.push(made);
  return made;
}

async function until(senser: Senser, what: string, is: (readings: Readings) => boolean): Promise<Readings> {
  return eventually(what, async () => {
    const readings = await senser.round();
    return is(readings) && readings;
  });
}

before(async () => {
  server = await startPostgresOnly();
  url = await server.url('sensed');
  pool = createPool(() => Promise.resolve(url), 20);
  pools.push(pool);
});
after(async () => {
  for (const senser of sensers) senser.close();
  for (const client of clients) await client.end().catch(() => undefined);
  for (const one of pools) await one.close();
  await server.stop();
});

test('an idle database: every reading is known, and its own looks are not among them', async () => {
  const zeros: Sense[] = ['foreground', 'ours', 'blocked', 'lag_seconds', 'lag_bytes', 'slots_lost', 'archive'];
  const { sensed, probes } = await until(
    senserOf(pool),
    'all is known, and nothing at work',
    // In one look a connection of the pool may still be starting up. A look that counted itself would never be done with.
    ({ sensed: all }) =>
      Object.values(all).every(({ value }) => value !== null) && zeros.every((sense) => all[sense].value === 0),
  );
  assert.ok((sensed.connections.value ?? 0) > 10);
  assert.equal(probes.length, 5);
  assert.ok(
    probes.every((ms) => ms > 0 && ms < 1_000),
    probes.join(),
  );
});

test('others and ours are told apart, parallel workers counted; whom we block is seen, and our youngest cancelled', async () => {
  const senser = senserOf(pool);
  const [other, ours, waiter] = [await connect('psql'), await connect('sluice/7/1/1/orders'), await connect('app')];
  await other.query(`CREATE TABLE big AS SELECT i FROM generate_series(1, 200000) AS i; ANALYZE big;
    SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2`);
  const busy = other
    .query('SELECT count(*) FROM big a JOIN big b ON a.i + b.i = -1 OR a.i + b.i < -2')
    .catch(() => undefined);
  await waiter.query('CREATE TABLE held (id int)');
  await ours.query('BEGIN; LOCK TABLE held IN ROW EXCLUSIVE MODE');
  const sleeping = ours.query('SELECT pg_sleep(60)').catch((error: unknown) => error);
  const lock = waiter.query('BEGIN; LOCK TABLE held').catch((error: unknown) => error);
  await until(
    senser,
    'both are seen',
    // A look is a moment: in one, a connection of the pool may still be starting up, and is counted with ours.
    ({ sensed: { blocked, foreground, ours: work } }) =>
      blocked.value === 1 && (foreground.value ?? 0) > 2 && work.value === 1,
  );
  assert.equal(await pool.use((client) => cancelOurs(client, 'blocker')), 1);
  assert.equal((await sleeping) instanceof pg.DatabaseError, true);
  await ours.query('ROLLBACK');
  await lock;
  await until(senser, 'nobody waits', (readings) => readings.sensed.blocked.value === 0);
  await pool.use((client) =>
    client.query(`SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'psql'`),
  );
  await busy;
});

test('what cannot be read is unknown, and says what would make it known', async () => {
  const admin = await connect('admin');
  await admin.query(`CREATE ROLE blind LOGIN PASSWORD 'x'; CREATE ROLE frozen LOGIN PASSWORD 'x' IN ROLE pg_monitor;
    ALTER ROLE frozen SET track_activities = off`);
  const blind = await until(senserOf(poolAs('blind')), 'it looked', ({ sensed }) => sensed.canary.value !== null);
  for (const sense of ['foreground', 'ours', 'connections', 'blocked', 'lag_seconds'] as const) {
    assert.equal(blind.sensed[sense].value, null, sense);
    assert.match(blind.sensed[sense].reason, /GRANT pg_monitor/);
  }
  const frozen = await until(senserOf(poolAs('frozen')), 'it looked', ({ sensed }) => sensed.canary.value !== null);
  assert.equal(frozen.sensed.foreground.value, null);
  assert.match(frozen.sensed.foreground.reason, /track_activities/);
});

test('a declared query that errs, hangs, writes, answers with text, two rows or nothing is unknown; the others are not', async () => {
  const queries = {
    fine: 'SELECT 1.5 AS lag -- a comment',
    errs: 'SELECT 1 / 0',
    hangs: 'SELECT count(*) FROM pg_sleep(30)',
    text: `SELECT 'many'`,
    two: 'SELECT generate_series(1, 1000000)',
    none: 'SELECT 1 WHERE false',
    nothing: 'SELECT NULL::int',
    writes: `SELECT nextval('s')`,
  };
  await (await connect('admin')).query('CREATE SEQUENCE s');
  const senser = senserOf(
    pool,
    Object.entries(queries).map(([name, query]) => ({ name, query })),
  );
  const { declared } = await until(senser, 'all have answered', (readings) =>
    Object.values(readings.declared).every(({ reason }) => reason.startsWith('hold_when')),
  );
  assert.equal(declared['fine']?.value, 1.5);
  const reasons = Object.fromEntries(
    Object.entries(declared).map(([name, { value, reason }]) => [name, value === null ? reason : '']),
  );
  assert.match(reasons['errs'] ?? '', /division by zero/);
  assert.match(reasons['hangs'] ?? '', /statement timeout/);
  assert.match(reasons['text'] ?? '', /no number/);
  assert.match(reasons['two'] ?? '', /more than one row/);
  assert.match(reasons['none'] ?? '', /0 rows/);
  assert.match(reasons['nothing'] ?? '', /NULL/);
  assert.match(reasons['writes'] ?? '', /read.only/);
});

test('one seat a database: a governor of our own store is put out, another store’s is left alone', async () => {
  const first = await takeLock(pool, '1.1', 1);
  assert.ok('leave' in first);
  const stranger = await takeLock(pool, '2.2', 9);
  assert.deepEqual(stranger, { by: 'sluice/governor/1.1/1' });
  const second = await eventually('the next one has it', async () => {
    const seat = await takeLock(pool, '1.1', 2);
    return 'leave' in seat && seat;
  });
  await eventually('the first knows', () => first.lost());
  second.leave();
  first.leave();
});
