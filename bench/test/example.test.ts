import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { parse } from 'yaml';
import { FLIGHTS_TIMEZONE, flightStatements } from '../../bench/lib/flights.js';
import { EXPECTED } from '../../examples/flights/expected.js';
import { loadSource } from '../../examples/flights/load.js';
import { exampleDir } from '../../examples/flights/paths.js';
import { verify } from '../../examples/flights/verify.js';
import { freePorts } from '../../src/dev/ports.js';
import { ensureDatabase, startPostgres, type PostgresServer } from '../../src/dev/postgres-server.js';

let folder: string;
let server: PostgresServer;
let client: pg.Client;
let url: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-example-'));
  const [port] = await freePorts(1);
  const files = { dataDir: join(folder, 'postgres'), logFile: join(folder, 'postgres.log') };
  server = await startPostgres({ ...files, port: port!, password: 'example' });
  await ensureDatabase(server.url, 'example');
  url = `${server.url}/example`;
  client = new pg.Client({ connectionString: url });
  await client.connect();
});

after(async () => {
  await client.end();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

test('loads the source once', async () => {
  const first = await loadSource(url);
  assert.deepEqual(first, {
    loaded: true,
    rows: { airlines: 16, airports: 1458, planes: 3322, weather: 26115, flights: 336776 },
  });
  assert.deepEqual(await loadSource(url), { ...first, loaded: false });
});

test('refuses to touch a table that it did not make, and changes nothing', async () => {
  await ensureDatabase(server.url, 'taken');
  const other = new pg.Client({ connectionString: `${server.url}/taken` });
  await other.connect();
  try {
    await other.query('CREATE TABLE flights (mine text)');
    await assert.rejects(loadSource(`${server.url}/taken`), /public\.flights exist/);
    const { rows } = await other.query(`SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace`);
    assert.deepEqual(rows, [{ relname: 'flights' }]);
  } finally {
    await other.end();
  }
});

test('the SQL of the datasets makes what the source says, and a wrong value is found', async () => {
  await buildInOneGo();
  const built = await verify({ sourceUrl: url, warehouseUrl: url });
  assert.deepEqual(
    built.datasets.filter(({ ok, rows }) => !ok || rows === 0),
    [],
  );
  assert.equal(built.datasets.length, EXPECTED.length);

  const { rowCount } = await client.query(
    `UPDATE analytics.carrier_day SET late = late + 1 WHERE carrier = 'UA' AND day = '2013-07-04 04:00+00'`,
  );
  assert.equal(rowCount, 1);
  const datasets = ['carrier_day', 'carrier_7d'];
  const damaged = await verify({ sourceUrl: url, warehouseUrl: url, datasets });
  assert.equal(damaged.ok, false);
  assert.deepEqual(
    damaged.datasets.map(({ name, ok }) => [name, ok]),
    [
      ['carrier_day', false],
      ['carrier_7d', true],
    ],
  );
  assert.match(damaged.datasets[0]?.difference ?? '', /^expected 2013-07-04.*\tUA\t.*\nfound {4}2013-07-04.*\tUA\t/);
});

test('a table that is not there, and a missing row, are found', async () => {
  await client.query(`DROP TABLE analytics.delay_leaders`);
  await client.query(`DELETE FROM analytics.weather_effect WHERE origin = 'JFK' AND conditions = 'windy'`);
  const report = await verify({ sourceUrl: url, warehouseUrl: url, datasets: ['delay_leaders', 'weather_effect'] });
  assert.match(report.datasets[0]?.difference ?? '', /"analytics.delay_leaders" does not exist/);
  assert.match(report.datasets[1]?.difference ?? '', /^15 rows expected\nexpected JFK\twindy\t[^\n]*$/);
});

/** The whole year with one statement a dataset, sluice not involved: its extracts as views, its transforms in order. */
async function buildInOneGo(): Promise<void> {
  await client.query(
    `CREATE SCHEMA analytics; SET search_path = analytics; SET jit = off; SET TimeZone = '${FLIGHTS_TIMEZONE}'`,
  );
  for (const name of ['flights', 'weather', 'planes', 'airports', 'airlines']) {
    await client.query(`CREATE VIEW ${name}_raw AS SELECT * FROM public.${name}`);
  }
  for (const name of ['irregular_raw', 'schedule_raw']) {
    const file = await readFile(join(exampleDir(), `datasets/ops/${name}.yaml`), 'utf8');
    await client.query(`CREATE VIEW ${name} AS ${wholeYear(parse(file).extract.query)}`);
  }
  const flights = ['flights_clean', 'flights_weather', 'carrier_day', 'carrier_7d', 'route_day', 'aircraft_day'];
  for (const { name, key, select } of flightStatements([...flights, 'delay_leaders', 'weather_effect'])) {
    await client.query(`CREATE TABLE ${name} AS ${wholeYear(select)}`);
    await client.query(`CREATE UNIQUE INDEX ON ${name} (${key.join(', ')}); ANALYZE ${name}`);
  }
}

function wholeYear(sql: string): string {
  return sql.replace(/:(start|end)\b/g, (_, name) => `timestamptz '${name === 'start' ? 2013 : 2014}-01-01'`);
}
