import assert from 'node:assert/strict';
import { createServer, connect, type Server } from 'node:net';
import { after, before, test } from 'node:test';
import { copyAcross } from '../../src/postgres/copy.js';
import { createPool, type Pool, type PgClient } from '../../src/postgres/pool.js';
import { eventually } from '../support/eventually.js';
import { startPostgresOnly, type OnlyPostgres } from '../support/only-postgres.js';

/** COPY from one server into another, byte for byte, however the bytes come. */
let postgres: OnlyPostgres;
let crumbs: Server;
let pools: { source: Pool; crumbled: Pool; target: Pool };

before(async () => {
  postgres = await startPostgresOnly();
  const [source, target] = [await postgres.url('source'), await postgres.url('target')];
  crumbs = await crumblingProxy(Number(new URL(source).port));
  const crumbled = new URL(source);
  crumbled.port = String((crumbs.address() as { port: number }).port);
  pools = {
    source: createPool(() => Promise.resolve(source), 4),
    crumbled: createPool(() => Promise.resolve(crumbled.href), 2),
    target: createPool(() => Promise.resolve(target), 4),
  };
  await pools.source.use(async (client) => {
    await client.query(`CREATE TABLE rows AS SELECT i AS id, repeat('é' || i, i % 50) AS words, i / 7.0 AS part
      FROM generate_series(1, 5000) i`);
    await client.query(`CREATE FUNCTION loud(i int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
      IF i % 100 = 0 THEN RAISE NOTICE 'row %', i; END IF; RETURN i; END $$`);
  });
});
after(async () => {
  for (const pool of Object.values(pools)) await pool.close();
  crumbs.close();
  await postgres.stop();
});

/** A proxy that sends what the server says in pieces of 1 to 13 bytes: every message is torn, and every head of one. */
function crumblingProxy(port: number): Promise<Server> {
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    client.setNoDelay(true).pipe(upstream);
    let size = 0;
    upstream.on('data', (chunk) => {
      for (let at = 0; at < chunk.length; at += size) {
        size = 1 + (size % 13);
        client.write(chunk.subarray(at, at + size));
      }
    });
    upstream.on('error', () => client.destroy()).on('end', () => client.end());
    client.on('error', () => upstream.destroy());
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

async function across(from: Pool, out: string, into: string): ReturnType<typeof copyAcross> {
  return from.use((source) =>
    pools.target.use((target) => copyAcross({ client: source, sql: out }, { client: target, sql: into })),
  );
}

const CONTENT = `SELECT count(*)::int AS n, md5(string_agg(t::text, '|' ORDER BY id)) AS content FROM`;

async function one(pool: Pool, sql: string): Promise<unknown> {
  return pool.use(async (client) => (await client.query<Record<string, unknown>>(sql)).rows[0]);
}

for (const format of ['text', 'binary'] as const) {
  test(`${format}: the same rows and the same digest, whole or torn into crumbs, and the connections go on`, async () => {
    await pools.target.use((client) =>
      client.query('DROP TABLE IF EXISTS t; CREATE TABLE t (id int, words text, part numeric)'),
    );
    const digests = new Set<string>();
    for (const from of [pools.source, pools.crumbled]) {
      await pools.target.use((client) => client.query('TRUNCATE t'));
      const copied = await across(
        from,
        `COPY (SELECT loud(id), words, part FROM rows ORDER BY id) TO STDOUT (FORMAT ${format})`,
        `COPY t FROM STDIN (FORMAT ${format})`,
      );
      assert.deepEqual([copied.left, copied.arrived], [5000, 5000]);
      digests.add(copied.digest);
      assert.deepEqual(await one(pools.target, `${CONTENT} t`), await one(from, `${CONTENT} rows t`));
    }
    assert.equal(digests.size, 1);
  });
}

test('no rows, and a row of 50 MB', async () => {
  await pools.target.use((client) => client.query('CREATE TABLE big (words text)'));
  const none = await across(pools.source, `COPY (SELECT '' WHERE false) TO STDOUT`, 'COPY big FROM STDIN');
  assert.deepEqual([none.left, none.arrived], [0, 0]);
  const copied = await across(
    pools.source,
    `COPY (SELECT repeat('0123456789', 5000000)) TO STDOUT`,
    'COPY big FROM STDIN',
  );
  assert.equal(copied.arrived, 1);
  assert.deepEqual(await one(pools.target, 'SELECT length(words) AS n FROM big'), { n: 50_000_000 });
});

test('what either server says is thrown, and nothing arrives', async () => {
  await pools.target.use((client) => client.query('CREATE TABLE fussy (id int CHECK (id <> 4000))'));
  const out = (expression: string): string => `COPY (SELECT ${expression} FROM rows ORDER BY id) TO STDOUT`;
  for (const from of [pools.source, pools.crumbled]) {
    await assert.rejects(across(from, out('100 / (id - 3000)'), 'COPY fussy FROM STDIN'), { code: '22012' });
    await assert.rejects(across(from, out('id'), 'COPY fussy FROM STDIN'), { code: '23514' });
    await assert.rejects(across(from, out('nothing'), 'COPY fussy FROM STDIN'), { code: '42703' });
    await assert.rejects(across(from, out('id'), 'COPY nowhere FROM STDIN'), { code: '42P01' });
  }
  assert.deepEqual(await one(pools.target, 'SELECT count(*)::int AS n FROM fussy'), { n: 0 });
});

test('a target that dies in the middle ends the source too', async () => {
  await pools.target.use((client) => client.query('CREATE TABLE slow (id int)'));
  let pid = 0;
  const pidOf = async (client: PgClient): Promise<number> =>
    (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid ?? 0;
  const copying = pools.source.use((source) =>
    pools.target.use(async (target) => {
      pid = await pidOf(target);
      return copyAcross(
        { client: source, sql: 'COPY (SELECT generate_series(1, 1000000000)) TO STDOUT' },
        { client: target, sql: 'COPY slow FROM STDIN' },
      );
    }),
  );
  const failed = assert.rejects(copying);
  await eventually('it copies', async () => {
    const { n } = (await one(
      pools.target,
      `SELECT count(*)::int AS n FROM pg_stat_progress_copy WHERE pid = ${pid} AND tuples_processed > 1000`,
    )) as { n: number };
    return n === 1;
  });
  await pools.target.use((client) => client.query('SELECT pg_terminate_backend($1)', [pid]));
  await failed;
  await eventually('the source stops', async () => {
    const found = (await one(
      pools.source,
      `SELECT count(*)::int AS n FROM pg_stat_progress_copy WHERE command = 'COPY TO'`,
    )) as { n: number };
    return found.n === 0;
  });
});
