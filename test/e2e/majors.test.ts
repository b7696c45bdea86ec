/**
 * A month of the flights project with its source on one PostgreSQL and its warehouse on another: `npm run test:majors` gives them majors of their own. Tables
 * are compared with what the source alone says; then nothing is left to do, and what changes, fails, is adopted or merged is found.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { loadSource } from '../../examples/flights/load.js';
import { exampleDir } from '../../examples/flights/paths.js';
import { formatReport, verify } from '../../examples/flights/verify.js';
import { digestOf, rowHash } from '../../src/warehouse/postgres/digest.js';
import { startPostgresOnly, type OnlyPostgres } from '../support/only-postgres.js';
import { startStack, type Stack } from '../support/stack.js';
import { countsOf, datasetOf, typed, type Typed } from './planning-kit.js';

/** Six days more than the source has: the last seven days of each of them still hold flights. */
const MARCH = '--from 2013-03-01 --to 2013-04-07';
const MERGED = `extract: { from: ops, table: public.flights, time: time_hour }
key: [time_hour, carrier, flight, origin]
`;
/** Columns that only some majors know, or hold. */
const SLOTS = `CREATE TABLE slots (id int PRIMARY KEY, price numeric(6,2), lasts interval, seen timetz, tags jsonb, net inet);
  INSERT INTO slots VALUES (1, 1.50, '1 mon -30 days', '12:30+05:30', '{"a": 1.10}', '10.1.2.3/8'), (2, 0, '-00:00:01', NULL, '[]', '::1')`;

let stack: Stack;
let sources: OnlyPostgres;
let source: pg.Client;
let warehouse: pg.Client;
let flights: Typed;
let urls: { sourceUrl: string; warehouseUrl: string };
/** `server_version_num / 10000` of the source. */
let sourceMajor: number;

before(async () => {
  stack = await startStack();
  sources = await startPostgresOnly(process.env['SLUICE_TEST_SOURCE_PACKAGE']);
  urls = { sourceUrl: await sources.url('ops'), warehouseUrl: await stack.url('flights_wh') };
  source = new pg.Client({ connectionString: urls.sourceUrl });
  await source.connect();
  warehouse = await stack.connect('flights_wh');
  sourceMajor = await majorOf(source);
  console.error(`source ${sourceMajor}, warehouse ${await majorOf(warehouse)}`);
  await loadSource(urls.sourceUrl);
  const outside = `time_hour < '2013-03-01 05:00Z' OR time_hour >= '2013-04-01 04:00Z'`;
  await source.query(`DELETE FROM flights WHERE ${outside}; DELETE FROM weather WHERE ${outside}; ${SLOTS}`);
  if (sourceMajor >= 14) await source.query(`ALTER TABLE slots ADD free int4multirange DEFAULT '{[1,3),[5,7)}'`);
  if (sourceMajor >= 15) await source.query(`ALTER TABLE slots ADD rounded numeric(5,-2) DEFAULT 12345`);
  const project = stack.project('flights', {
    ...filesOf('.'),
    'datasets/flights_merged.yaml': `${MERGED}publish: merge\n`,
    'datasets/flights_parted.yaml': `${MERGED}storage: partitioned\n`,
    'datasets/slots.yaml': 'extract: { from: ops, table: public.slots }\ngrain: none\nkey: [id]\n',
    'datasets/slots_again.sql': '/*\ngrain: none\nkey: [id]\n*/\nSELECT * FROM slots\n',
  });
  const env = { OPS_URL: urls.sourceUrl, WAREHOUSE_URL: urls.warehouseUrl };
  Object.assign(stack.env, env);
  await stack.worker(project, [], env);
  flights = typed(stack, 'flights');
  await flights.build(MARCH);
});
after(async () => {
  await source.end();
  await sources.stop();
  await stack.stop();
});

/** The example's own files, with its start moved to the month that is here. */
function filesOf(folder: string): Record<string, string> {
  const files = readdirSync(join(exampleDir(), 'datasets'), { recursive: true, encoding: 'utf8' });
  const texts = files
    .filter((file) => /\.(sql|yaml)$/.test(file))
    .map((file) => [join(folder, 'datasets', file), readFileSync(join(exampleDir(), 'datasets', file), 'utf8')]);
  const yaml = readFileSync(join(exampleDir(), 'sluice.yaml'), 'utf8').replace(
    'start: 2013-01-01',
    'start: 2013-03-01',
  );
  return { ...Object.fromEntries(texts), 'sluice.yaml': yaml };
}

async function majorOf(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ n: number }>(`SELECT current_setting('server_version_num')::int / 10000 AS n`);
  return rows[0]?.n ?? 0;
}

/** All tables are what the source says, and nothing is left to build. */
async function allIsRight(): Promise<void> {
  const report = await verify(urls);
  assert.ok(report.ok, formatReport(report));
  const left = Object.entries(countsOf(await flights.plan(MARCH))).filter(([, [build, , stale]]) => build || stale);
  assert.deepEqual(left, []);
  assert.deepEqual(
    Object.values(countsOf(await flights.plan(`${MARCH} --rebuild stale`))).flatMap(([n]) => n || []),
    [],
  );
}

async function one<T>(client: pg.Client, sql: string): Promise<T | undefined> {
  const { rows } = await client.query<{ v: T }>(sql);
  return rows[0]?.v;
}

test('tables equal what the source says, and then there is nothing to do', allIsRight);

test('merged and partitioned tables hold the same, and a digest is the same on both servers', async () => {
  const columns = ['year', 'carrier', 'flight', 'tailnum', 'origin', 'distance', 'time_hour'].map((name) => ({ name }));
  const digest = (table: string): string => `SELECT ${digestOf(rowHash('t', columns))} AS v FROM ${table} t`;
  const wanted = await one<string>(source, digest('public.flights'));
  assert.match(wanted ?? '', /^-?\d+\/28\d\d\d$/);
  for (const table of ['flights_raw', 'flights_merged', 'flights_parted'])
    assert.equal(await one(warehouse, digest(`analytics.${table}`)), wanted, table);
});

test('what the warehouse has no type for arrives as text, all else as it is', async () => {
  const types = await one<string>(
    warehouse,
    `SELECT string_agg(format_type(atttypid, atttypmod), ', ' ORDER BY attnum) AS v FROM pg_attribute
     WHERE attrelid = 'analytics.slots'::regclass AND attnum > 0`,
  );
  const major = await majorOf(warehouse);
  const newer = [
    ...(sourceMajor < 14 ? [] : [major < 14 ? 'text' : 'int4multirange']),
    ...(sourceMajor < 15 ? [] : [major < 15 ? 'numeric' : 'numeric(5,-2)']),
  ];
  const common = ['integer', 'numeric(6,2)', 'interval', 'time with time zone', 'jsonb', 'inet'];
  assert.equal(types, [...common, ...newer].join(', '));
  const rows = `SELECT string_agg(t::text, ' ' ORDER BY id) AS v FROM`;
  const wanted = await one(source, `${rows} public.slots t`);
  assert.equal(await one(warehouse, `${rows} analytics.slots t`), wanted);
  assert.equal(await one(warehouse, `${rows} analytics.slots_again t`), wanted);
});

test('a change at the source goes down to what reads it, and no further', async () => {
  await source.query(`UPDATE flights SET dep_delay = dep_delay + 1 WHERE time_hour = '2013-03-10 15:00Z' AND dep_delay > 20;
    UPDATE slots SET lasts = '00:00:00', price = 1.5 WHERE id = 1`);
  await flights.build('flights_raw flights_merged flights_parted --on 2013-03-10 --rebuild all');
  await flights.build('slots --rebuild all');
  const stale = countsOf(await flights.plan(`${MARCH} --rebuild stale`));
  assert.equal(stale['flights_clean']?.[0], 1);
  assert.equal(stale['slots_again']?.[0], 1);
  assert.equal(stale['irregular_raw']?.[0], 0);
  await flights.build(`${MARCH} --rebuild stale`);
  await allIsRight();
  assert.equal(await one(warehouse, `SELECT lasts::text AS v FROM analytics.slots_again WHERE id = 1`), '00:00:00');
});

test('a partition that fails is held, and a retry after the source was mended completes it', async () => {
  const row = `time_hour = '2013-03-20 13:00Z' AND carrier = 'UA' AND origin = 'EWR'`;
  await source.query(`INSERT INTO flights SELECT * FROM flights WHERE ${row} ORDER BY flight LIMIT 1`);
  const started = await flights.run('backfill flights_raw --on 2013-03-20 --rebuild all --id twice --json');
  assert.equal(started.code, 0, started.err);
  const held = await flights.run('watch twice --json');
  assert.equal(held.code, 3, held.out);
  await source.query(
    `DELETE FROM flights WHERE ctid = (SELECT max(ctid) FROM flights WHERE ${row} GROUP BY flight HAVING count(*) > 1)`,
  );
  assert.equal((await flights.run('retry twice')).code, 0);
  assert.equal((await flights.run('watch twice --json')).code, 0);
  await flights.build(`${MARCH} --rebuild stale`);
  await allIsRight();
});

test('what is adopted has the digest that building it again gives', async () => {
  const day = 'aircraft_day --on 2013-03-12';
  for (const line of [`forget ${day}`, `adopt ${day}`]) {
    const ran = await flights.run(line);
    assert.equal(ran.code, 0, ran.err);
  }
  const digest = `SELECT digest || ' ' || changed_xid AS v FROM sluice.partitions WHERE dataset = 'aircraft_day' AND starts_at = '2013-03-12 04:00Z'`;
  const adopted = await one<string>(warehouse, digest);
  assert.match(adopted ?? '', /^-?\d+\/\d+ \d+$/);
  await flights.build(`${day} --rebuild all`);
  assert.equal(await one(warehouse, digest), adopted);
  await allIsRight();
});

test('grain: none is planned and explained', async () => {
  const plan = await flights.plan('delay_leaders --rebuild all');
  assert.equal(datasetOf(plan, 'delay_leaders').build, 1);
  const why = await flights.run('why delay_leaders 2013-03-01');
  assert.equal(why.code, 0, why.err);
});
