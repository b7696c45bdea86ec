import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import pg from 'pg';
import { madeSince, reserve, release } from '../../src/store/reservations.js';
import { openStore, rowsOf, type Db } from '../../src/store/store.js';
import { backendName, dropLease, takeLease } from '../../src/warehouse/postgres/lease.js';
import { BEGIN, requireHeld, FencedError, type Publisher } from '../../src/warehouse/postgres/publish.js';
import { ledgerOf, writeLedger } from '../../src/warehouse/postgres/ledger.js';
import { eventually } from '../support/eventually.js';
import { startPostgresOnly, type OnlyPostgres } from '../support/only-postgres.js';

/** Two attempts against real PostgreSQL, in every order of events: whoever has been overtaken publishes nothing. */
const DATASET = 'events_day';
const DAY = { start: '2024-01-01T00:00:00Z', end: '2024-01-02T00:00:00Z', rows: 1, digest: 'd' };
const BATCHES = [[0, 1]] as const;
const SCOPE = { project: 'fence', environment: 'default' };
const PARTITION = { name: DATASET, version: 'v1' };

let server: OnlyPostgres;
let db: Db;
let pool: pg.Pool;
let old: pg.PoolClient;
let young: pg.PoolClient;
let epoch: number;
before(async () => {
  server = await startPostgresOnly();
  const url = await server.url('fence');
  db = await openStore(() => Promise.resolve(url), 'warehouse');
  pool = new pg.Pool({ connectionString: url, max: 4 });
  pool.on('error', () => undefined);
});
beforeEach(async () => {
  for (const client of [old, young] as (pg.PoolClient | undefined)[]) client?.release(true);
  await release(db, 'one');
  await db('sluice.partitions').delete();
  old = await connect();
  young = await connect();
  epoch = await reserve(db, SCOPE, 'one', 'one', []);
});
after(async () => {
  old.release(true);
  young.release(true);
  await pool.end();
  await db.destroy();
  await server.stop();
});

async function connect(): Promise<pg.PoolClient> {
  const client = await pool.connect();
  client.on('error', () => undefined);
  return client;
}

function attempt(number: number, slice = 1, of = epoch): Publisher {
  return { ...SCOPE, backfillId: 'one', epoch: of, slice, attempt: number };
}

async function publish(client: pg.PoolClient, who: Publisher, rows = 1): Promise<void> {
  await client.query(BEGIN);
  await requireHeld(client, who, DATASET, 0);
  await writeLedger(client, who, PARTITION, [{ ...DAY, rows }]);
  await client.query('COMMIT');
}

async function ledger(): Promise<unknown[]> {
  return db('sluice.partitions').select('rows', 'epoch');
}

async function blocked(): Promise<void> {
  await eventually('somebody waits for a lock', async () => {
    const { rows } = await db.raw<{ rows: unknown[] }>(
      `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = 'fence'`,
    );
    return rows.length > 0;
  });
}

test('a transaction of the store that stands still is ended, also on connections that come later', async () => {
  // Open at once, each is on a connection of its own.
  const open = await Promise.all([1, 2, 3].map(() => db.transaction()));
  const sql = `SELECT current_setting('idle_in_transaction_session_timeout') AS still`;
  const shown = await Promise.all(open.map((tx) => rowsOf<{ still: string }>(tx, sql)));
  await Promise.all(open.map((tx) => tx.rollback()));
  assert.deepEqual(
    shown.map(([row]) => row?.still),
    ['30s', '30s', '30s'],
  );
});

test('overtaken before it publishes', async () => {
  await takeLease(old, attempt(1), DATASET, BATCHES);
  await takeLease(young, attempt(2), DATASET, BATCHES);
  await assert.rejects(publish(old, attempt(1)), FencedError);
  await old.query('ROLLBACK');
  await publish(young, attempt(2));
  assert.equal((await ledger()).length, 1);
});

test('overtaken by a later slice of the same partitions', async () => {
  await takeLease(old, attempt(3, 1), DATASET, [[0, 4]]);
  await takeLease(young, attempt(1, 2), DATASET, [[3, 5]]);
  await assert.rejects(publish(old, attempt(3, 1)), FencedError);
});

test('frozen while it takes its lease, before its successor could see it: holds it up for seconds, not for ever', async () => {
  let stopped = false;
  const frozen = new Proxy(old, {
    get: (client, key) =>
      key !== 'query'
        ? (Reflect.get(client, key, client) as unknown)
        : (text: string, values: unknown[]) => {
            stopped ||= text.startsWith('DELETE FROM sluice.leases');
            return stopped ? new Promise(() => undefined) : client.query(text, values);
          },
  });
  void takeLease(frozen, attempt(1), DATASET, BATCHES).catch(() => undefined);
  await eventually('it has the lock', () => stopped);
  await young.query(`SET lock_timeout = '10s'`);
  await takeLease(young, attempt(2), DATASET, BATCHES);
  await publish(young, attempt(2));
  await young.query('RESET lock_timeout');
});

test('comes to take its lease after its successor has taken it', async () => {
  await takeLease(young, attempt(2), DATASET, BATCHES);
  await assert.rejects(takeLease(old, attempt(1), DATASET, BATCHES), FencedError);
  await publish(young, attempt(2));
  assert.equal((await ledger()).length, 1);
});

test('comes to take its lease when its successor is done: finds its partitions published', async () => {
  await takeLease(young, attempt(2), DATASET, BATCHES);
  await publish(young, attempt(2));
  await dropLease(young, attempt(2), DATASET);
  await takeLease(old, attempt(1), DATASET, BATCHES);
  assert.equal((await ledgerOf(old, attempt(1), PARTITION, [DAY])).ours.size, 1);
});

test('its commit comes first: the successor waits for it, and finds it published', async () => {
  await takeLease(old, attempt(1), DATASET, BATCHES);
  await old.query(BEGIN);
  await requireHeld(old, attempt(1), DATASET, 0);
  await writeLedger(old, attempt(1), PARTITION, [DAY]);
  const overtaken = takeLease(young, attempt(2), DATASET, BATCHES);
  await blocked();
  await old.query('COMMIT');
  await overtaken;
  assert.equal((await ledgerOf(young, attempt(2), PARTITION, [DAY])).ours.size, 1);
});

test(
  'sleeps in its transaction under its own name: the successor ends it, and nothing of it is left',
  { timeout: 10_000 },
  async () => {
    await old.query(`SELECT set_config('application_name', $1, false)`, [backendName(attempt(1), DATASET)]);
    await takeLease(old, attempt(1), DATASET, BATCHES);
    await old.query(BEGIN);
    await requireHeld(old, attempt(1), DATASET, 0);
    await writeLedger(old, attempt(1), PARTITION, [DAY]);
    await takeLease(young, attempt(2), DATASET, BATCHES);
    assert.deepEqual(await ledger(), []);
    await assert.rejects(old.query('COMMIT'));
    assert.deepEqual(await ledger(), []);
  },
);

test('begins to publish while its successor takes over: waits, and is refused', async () => {
  await takeLease(old, attempt(1), DATASET, BATCHES);
  await young.query('BEGIN');
  await young.query('DELETE FROM sluice.leases WHERE epoch = $1', [epoch]);
  const publishing = publish(old, attempt(1));
  const refused = assert.rejects(publishing);
  await blocked();
  await young.query('COMMIT');
  await refused;
  assert.deepEqual(await ledger(), []);
});

test('its backfill is over: neither publishes nor takes a lease', async () => {
  await takeLease(old, attempt(1), DATASET, BATCHES);
  await release(db, 'one');
  await assert.rejects(publish(old, attempt(1)), FencedError);
  await old.query('ROLLBACK');
  await assert.rejects(takeLease(old, attempt(2), DATASET, BATCHES), FencedError);
  assert.deepEqual(await ledger(), []);
});

test('its backfill is over and was rebuilt by another: the rows of the other stay', async () => {
  await takeLease(old, attempt(1), DATASET, BATCHES);
  await release(db, 'one');
  const next = await reserve(db, SCOPE, 'two', 'two', []);
  await takeLease(young, attempt(1, 1, next), DATASET, BATCHES);
  await publish(young, attempt(1, 1, next), 7);
  await assert.rejects(publish(old, attempt(1), 1), FencedError);
  await release(db, 'two');
  assert.deepEqual(await ledger(), [{ rows: '7', epoch: String(next) }]);
});

test('an attempt to open it that was scheduled before another one made the reservation is told from one that comes after', async () => {
  assert.equal(await madeSince(db, 'one', Date.now() - 60_000), true);
  assert.equal(await madeSince(db, 'one', Date.now() + 60_000), false);
  assert.equal(await madeSince(db, 'nobody', Date.now() - 60_000), false);
});

test('its backfill was planned again under the same workflow: the older epoch is fenced', async () => {
  await takeLease(old, attempt(1), DATASET, BATCHES);
  const next = await reserve(db, SCOPE, 'one', 'one', []);
  assert.ok(next > epoch);
  await assert.rejects(publish(old, attempt(1)), FencedError);
});

test(
  'its backfill ends while it sleeps in its transaction: the end does not wait, and nothing of it is left',
  { timeout: 10_000 },
  async () => {
    await old.query(`SELECT set_config('application_name', $1, false)`, [backendName(attempt(1), DATASET)]);
    await takeLease(old, attempt(1), DATASET, BATCHES);
    await old.query(BEGIN);
    await requireHeld(old, attempt(1), DATASET, 0);
    await writeLedger(old, attempt(1), PARTITION, [DAY]);
    await release(db, 'one');
    await assert.rejects(old.query('COMMIT'));
    assert.deepEqual(await ledger(), []);
  },
);
