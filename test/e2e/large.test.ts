/** What is too large for one transaction: read in chunks, killed in the middle, gone on with by another worker. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { clientOf, kill9, numberOf, reaches } from '../support/backfills.js';
import { eventually } from '../support/eventually.js';
import { startStack, type Stack } from '../support/stack.js';
import { projectYaml, typed } from './planning-kit.js';

const CHUNK_ROWS = 20_000;
const ROWS = 240_000;
const FILES = {
  'sluice.yaml': projectYaml('large'),
  'datasets/whole.yaml': 'extract: { from: ops, table: public.whole }\ngrain: none\nkey: [id]\n',
  'datasets/month.yaml':
    'extract: { from: ops, table: public.month, time: at }\ngrain: month\nkey: [id]\npublish: merge\n',
  'datasets/scanned.yaml': 'extract: { from: ops, table: public.scanned, time: at }\nkey: [id]\nscan: once\n',
  'datasets/huge.yaml': 'extract: { from: ops, table: public.huge, time: at }\n',
};
/** Every chunk that was committed, by every attempt; the fifth is not while somebody holds lock 5. */
const AUDIT = `
CREATE TABLE public.read (dataset text, n int, rows bigint);
CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.n = 5 THEN PERFORM pg_advisory_xact_lock_shared(5); END IF;
  INSERT INTO public.read SELECT dataset, NEW.n, NEW.rows FROM sluice.staging WHERE id = NEW.staging; RETURN NULL; END $$;
CREATE TRIGGER note AFTER UPDATE OF rows ON sluice.chunks FOR EACH ROW EXECUTE FUNCTION public.note();
`;
const RANGE = { from: '2024-01-01', to: '2024-03-01' };

let stack: Stack;
let ops: pg.Client;
let warehouse: pg.Client;
let folder: string;
before(async () => {
  stack = await startStack();
  folder = stack.project('large', FILES);
  stack.env['SLUICE_CHUNK_ROWS'] = String(CHUNK_ROWS);
  ops = await stack.connect('ops_large');
  warehouse = await stack.connect('wh_large');
  // The same rows in another order than time's; a sixtieth of them a day.
  const rows = (count: number): string =>
    `SELECT i AS id, '2024-01-01Z'::timestamptz + (i::bigint * 7919 % 60) * interval '1 day' + i * interval '10 ms' AS at, i % 89 AS n
     FROM generate_series(1, ${count}) AS i`;
  await ops.query(`CREATE TABLE whole AS ${rows(ROWS)}; CREATE TABLE scanned AS ${rows(ROWS)};
    CREATE TABLE month AS SELECT id, at, n FROM (${rows(ROWS)}) AS r WHERE at < '2024-02-01Z';
    INSERT INTO month SELECT i, '2020-01-01Z'::timestamptz + i * interval '1 min', 0 FROM generate_series(1, 400000) i;
    CREATE INDEX ON month (at); CREATE TABLE huge (LIKE scanned) WITH (autovacuum_enabled = false);
    INSERT INTO huge SELECT * FROM scanned LIMIT 10000`);
  await ops.query('VACUUM ANALYZE');
  // What the source's planner goes by: rows to a page.
  await ops.query(`UPDATE pg_class SET reltuples = 5e6 WHERE oid = 'huge'::regclass`);
});
after(() => stack.stop());

async function contentOf(client: pg.Client, table: string, where = 'true'): Promise<unknown> {
  const { rows } = await client.query(
    `SELECT count(*)::int AS rows, md5(string_agg(t::text, ',' ORDER BY id)) AS md5 FROM ${table} AS t WHERE ${where}`,
  );
  return rows;
}

const readRows = (dataset: string): Promise<number> =>
  numberOf(warehouse, `SELECT coalesce(sum(rows), 0) AS n FROM public.read WHERE dataset = '${dataset}'`);

/** `whole 5`: the chunks that are not there yet. */
async function unread(): Promise<string | null | undefined> {
  const { rows } = await warehouse.query<{ chunks: string | null }>(
    `SELECT string_agg(s.dataset || ' ' || c.n, ', ' ORDER BY s.dataset) AS chunks
     FROM sluice.chunks c JOIN sluice.staging s ON s.id = c.staging WHERE c.rows IS NULL`,
  );
  return rows[0]?.chunks;
}

const STAGED = `SELECT count(*) AS n FROM pg_class WHERE relname LIKE 'staging\\_%' AND relkind = 'r'`;

test('a table without an index on its time is read once, and the plan says which is missing', async () => {
  const { warnings } = await typed(stack, 'large').plan(`--from ${RANGE.from} --to ${RANGE.to}`);
  assert.deepEqual(
    warnings.map(({ dataset, code }) => `${dataset} ${code}`),
    ['huge missing_index'],
  );
  assert.match(warnings[0]?.message ?? '', /read once.*CREATE INDEX CONCURRENTLY ON "public"."huge" \("at"\)/);
});

test('kill -9 between chunks: another worker goes on from there, and what changed at the source meanwhile is read again', async () => {
  const first = await stack.worker(folder);
  await warehouse.query(AUDIT);
  const client = await clientOf(stack, 'large');
  await warehouse.query(
    `CREATE ROLE large_monitor; ALTER DEFAULT PRIVILEGES IN SCHEMA sluice GRANT SELECT ON TABLES TO large_monitor`,
  );
  await warehouse.query('SELECT pg_advisory_lock(5)');
  await client.start({ ...RANGE, exclude: ['huge'] }, { id: 'killed' });
  await eventually(
    'all chunks are there but the fifth ones',
    async () => (await unread()) === 'month 5, scanned 5, whole 5',
  );
  const readable = `${STAGED} AND has_table_privilege('large_monitor', oid, 'SELECT')`;
  assert.equal(await numberOf(warehouse, readable), 0, 'who reads the state of sluice does not read data');
  await kill9(first);
  await warehouse.query('SELECT pg_advisory_unlock(5)');
  // In a chunk that was read: a row changes, one goes to a chunk that was not. In one that was not: a row goes.
  await ops.query(
    `UPDATE whole SET n = -1 WHERE id = 1; DELETE FROM whole WHERE id = ${ROWS - 1}; INSERT INTO whole VALUES (0, '2024-01-01Z', 0)`,
  );

  const second = await stack.worker(folder);
  await reaches(client, 'killed', 'completed', 120_000);
  for (const name of ['whole', 'scanned'])
    assert.deepEqual(await contentOf(warehouse, `analytics.${name}`), await contentOf(ops, name));
  assert.deepEqual(
    await contentOf(warehouse, 'analytics.month'),
    await contentOf(ops, 'month', `at >= '2024-01-01Z' AND at < '2024-03-01Z'`),
  );
  assert.equal(await readRows('scanned'), ROWS, 'no chunk that was committed is read again');
  const again = (await readRows('whole')) - ROWS;
  assert.ok(again > 0 && again < 3 * CHUNK_ROWS, `${again} rows of whole are read again: the chunks that changed`);
  assert.ok((await numberOf(warehouse, `SELECT count(DISTINCT n) AS n FROM public.read WHERE dataset = 'month'`)) > 3);
  // It is completed before the last of it is put away.
  const emptied = (what: string): Promise<unknown> =>
    eventually(what, async () => (await numberOf(warehouse, STAGED)) === 0);
  await emptied('nothing is left in staging');
  assert.equal(await numberOf(warehouse, `SELECT count(*) AS n FROM sluice.partitions WHERE dataset = 'scanned'`), 60);
  // Not its own: it drops what it publishes.
  await warehouse.query('SELECT pg_advisory_lock(5)');
  await client.start({ ...RANGE, select: ['whole'], rebuild: 'all' }, { id: 'left' });
  await eventually('all but the fifth', async () => (await unread()) === 'whole 5');
  await client.terminate('left', 'to be taken over');
  await warehouse.query('SELECT pg_advisory_unlock(5)');
  await client.start({ ...RANGE, select: ['whole'], rebuild: 'all' }, { id: 'next' });
  await reaches(client, 'next', 'completed');
  await emptied('what a terminated backfill staged is dropped by the next');
  await kill9(second);
  await client.close();
});
