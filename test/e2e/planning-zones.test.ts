import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { startStack, type Stack } from '../support/stack.js';
import { countsOf, projectYaml, typed, whysOf, type Typed } from './planning-kit.js';

const NY = 'America/New_York';
const FILES = {
  'sluice.yaml': projectYaml('zones', 'defaults: { grain: day, start: 2013-01-01 }', `timezone: ${NY}`),
  'datasets/tz.yaml': `extract: { from: ops, table: public.ev, time: tz }\ngrain: hour\nkey: [id]\n`,
  'datasets/tz_day.yaml': `extract: { from: ops, table: public.ev, time: tz }\nkey: [id]\n`,
  'datasets/ts.yaml': `extract: { from: ops, table: public.ev, time: ts, source_timezone: ${NY} }\ngrain: hour\nkey: [id]\n`,
  'datasets/da.yaml': `extract: { from: ops, table: public.ev, time: da, source_timezone: ${NY} }\nkey: [id]\n`,
  'datasets/da_utc.yaml': `extract: { from: ops, table: public.ev, time: da, source_timezone: ${NY} }\ntimezone: UTC\nkey: [id]\n`,
  'datasets/ms.yaml': `extract: { from: ops, table: public.ev, time: { column: ms, unit: ms } }\ngrain: hour\nkey: [id]\n`,
  'datasets/by_query.yaml': `extract:
  from: warehouse
  query: |
    SELECT g AS at, ':end' AS text FROM generate_series(:start, :end - interval '1 hour', interval '1 hour') g
  time: at
`,
  'datasets/per_day.sql': `/*
time: day
key: [day]
*/
SELECT date_trunc('day', e.tz) AS day, count(*)::int AS n FROM tz e WHERE e.tz >= :start AND e.tz < :end GROUP BY 1
`,
  'datasets/per_utc_day.sql': `/*
time: day
key: [day]
timezone: UTC
*/
SELECT date_trunc('day', e.tz) AS day, count(*)::int AS n FROM tz e WHERE e.tz >= :start AND e.tz < :end GROUP BY 1
`,
  'datasets/back_day.sql': `/*
time: at
key: [at]
needs: { tz: { lookback: 1d } }
*/
SELECT :start AS at, count(*)::int AS n FROM tz e
WHERE e.tz >= :start - interval '1 day' AND e.tz < :end
`,
  'datasets/hours.sql': `/*
grain: hour
time: hour
key: [hour]
*/
SELECT date_trunc('hour', e.tz) AS hour, count(*)::int AS n, max(d.n) AS of_day
FROM tz e JOIN per_day d ON d.day = date_trunc('day', e.tz)
WHERE e.tz >= :start AND e.tz < :end GROUP BY 1
`,
};

let stack: Stack;
let zones: Typed;
let ops: pg.Client;
let warehouse: pg.Client;

before(async () => {
  stack = await startStack();
  ops = await stack.connect('ops_zones');
  warehouse = await stack.connect('wh_zones');
  // A row every 20 minutes over both changes of the clock, in every type that a time can have.
  await ops.query(`SET TimeZone = '${NY}';
    CREATE TABLE ev AS SELECT row_number() OVER ()::int AS id, g AS tz, g::timestamp AS ts, g::date AS da, (extract(epoch FROM g) * 1000)::bigint AS ms
    FROM (SELECT generate_series('2013-03-08'::timestamptz, '2013-03-13'::timestamptz - interval '1 second', interval '20 minutes') g
      UNION ALL SELECT generate_series('2013-11-01'::timestamptz, '2013-11-06'::timestamptz - interval '1 second', interval '20 minutes')) s;
    CREATE INDEX ON ev (tz); CREATE INDEX ON ev (ts); CREATE INDEX ON ev (da); CREATE INDEX ON ev (ms)`);
  stack.project('zones', FILES);
  zones = typed(stack, 'zones');
  await stack.worker(`${stack.dir}/zones`);
});
after(() => stack.stop());

const SPRING = '--from 2013-03-09 --to 2013-03-12';
const AUTUMN = '--from 2013-11-02 --to 2013-11-05';

test('a day has 23 or 25 hours, and its borders are midnights of its zone', async () => {
  const spring = await zones.plan(`tz tz_day ${SPRING}`);
  assert.deepEqual(countsOf(spring), { tz: [71, 71, 0, 0], tz_day: [3, 3, 0, 0] });
  assert.deepEqual(whysOf(spring, 'tz_day'), ['2013-03-09T05:00:00Z/2013-03-12T04:00:00Z missing']);
  assert.deepEqual(countsOf(await zones.plan(`tz tz_day ${AUTUMN}`)), { tz: [73, 73, 0, 0], tz_day: [3, 3, 0, 0] });
  assert.deepEqual(whysOf(await zones.plan('tz --on 2013-11-03'), 'tz'), [
    '2013-11-03T04:00:00Z/2013-11-04T05:00:00Z missing',
  ]);
});

test('extracts by every type of time take each row once, into the partition that it belongs to', async () => {
  for (const range of [SPRING, AUTUMN]) await zones.build(`tz tz_day ts da ms by_query ${range}`);
  const { rows: source } = await ops.query(`SELECT count(*)::int AS n, sum(id)::int AS ids FROM ev
    WHERE tz >= timestamptz '2013-03-09 05:00Z' AND tz < timestamptz '2013-03-12 04:00Z'
       OR tz >= timestamptz '2013-11-02 04:00Z' AND tz < timestamptz '2013-11-05 05:00Z'`);
  for (const table of ['tz', 'tz_day', 'ts', 'da', 'ms']) {
    const { rows } = await warehouse.query(`SELECT count(*)::int AS n, sum(id)::int AS ids FROM analytics.${table}`);
    assert.deepEqual(rows, source, table);
  }
  // By partition, against SQL over the source alone: what the ledger counted is what lies in the interval.
  for (const table of ['tz', 'tz_day', 'ms']) {
    const { rows: ledger } = await warehouse.query<{ s: string; e: string; rows: string }>(
      `SELECT starts_at::text AS s, ends_at::text AS e, rows FROM sluice.partitions WHERE dataset = $1 ORDER BY starts_at`,
      [table],
    );
    const { rows: wanted } = await ops.query(
      `SELECT count(ev.id)::text AS rows FROM unnest($1::timestamptz[], $2::timestamptz[]) WITH ORDINALITY u(s, e, n)
       LEFT JOIN ev ON ev.tz >= u.s AND ev.tz < u.e GROUP BY n ORDER BY n`,
      [ledger.map(({ s }) => s), ledger.map(({ e }) => e)],
    );
    assert.deepEqual(
      ledger.map(({ rows }) => rows),
      wanted.map(({ rows }) => rows),
      table,
    );
  }
  const { rows: dates } = await warehouse.query(
    `SELECT to_char(starts_at AT TIME ZONE '${NY}', 'MM-DD') AS day, rows::int FROM sluice.partitions WHERE dataset = 'da' ORDER BY starts_at`,
  );
  assert.deepEqual(dates, [
    { day: '03-09', rows: 72 },
    { day: '03-10', rows: 69 },
    { day: '03-11', rows: 72 },
    { day: '11-02', rows: 72 },
    { day: '11-03', rows: 75 },
    { day: '11-04', rows: 72 },
  ]);
  const { rows: hours } = await warehouse.query(`SELECT count(*)::int AS n, min(text) AS text FROM analytics.by_query`);
  assert.deepEqual(hours, [{ n: 71 + 73, text: ':end' }]);
});

test('a date is the midnight of its zone, also where partitions are those of another', async () => {
  await zones.build('da_utc --from 2013-03-09T00:00Z --to 2013-03-12T00:00Z');
  const { rows } = await warehouse.query(
    `SELECT to_char(starts_at AT TIME ZONE 'UTC', 'MM-DD') AS partition, rows::int FROM sluice.partitions WHERE dataset = 'da_utc' ORDER BY starts_at`,
  );
  assert.deepEqual(rows, [
    { partition: '03-09', rows: 72 },
    { partition: '03-10', rows: 69 },
    { partition: '03-11', rows: 72 },
  ]);
});

test('transforms: hours to days of two zones, days to hours, a calendar lookback across the change', async () => {
  await zones.build(`+hours +per_utc_day +back_day --from 2013-03-09 --to 2013-03-12`);
  await zones.build(`+hours +per_utc_day +back_day --from 2013-11-02 --to 2013-11-05`);
  const perDay = async (zone: string): Promise<unknown[]> =>
    (
      await ops.query(
        `SELECT to_char(tz AT TIME ZONE '${zone}', 'MM-DD') AS day, count(*)::int AS n FROM ev GROUP BY 1 ORDER BY 1`,
      )
    ).rows;
  const built = async (table: string, zone: string): Promise<unknown[]> =>
    (
      await warehouse.query(
        `SELECT to_char(day AT TIME ZONE '${zone}', 'MM-DD') AS day, n FROM analytics.${table} ORDER BY 1`,
      )
    ).rows;
  const within = (rows: unknown[], days: string[]): unknown[] =>
    rows.filter((row) => days.some((day) => JSON.stringify(row).includes(day)));
  const days = ['03-09', '03-10', '03-11', '11-02', '11-03', '11-04'];
  assert.deepEqual(within(await built('per_day', NY), days), within(await perDay(NY), days));
  assert.deepEqual(
    within(await built('per_utc_day', 'UTC'), ['03-10', '03-11', '11-03', '11-04']),
    within(await perDay('UTC'), ['03-10', '03-11', '11-03', '11-04']),
  );
  const { rows: hours } = await warehouse.query(
    `SELECT count(*)::int AS hours, sum(n)::int AS n, min(of_day) AS least, max(of_day) AS most FROM analytics.hours`,
  );
  assert.deepEqual(hours, [{ hours: 71 + 73, n: 3 * (71 + 73), least: 69, most: 75 }]);
  const { rows: back } = await warehouse.query(
    `SELECT to_char(at AT TIME ZONE '${NY}', 'MM-DD') AS day, n FROM analytics.back_day ORDER BY 1`,
  );
  assert.deepEqual(back, [
    { day: '03-09', n: 144 },
    { day: '03-10', n: 141 },
    { day: '03-11', n: 141 },
    { day: '11-02', n: 144 },
    { day: '11-03', n: 147 },
    { day: '11-04', n: 147 },
  ]);
});

test('what an hour that the clock shows twice becomes stale from is seen, in both', async () => {
  // Each hour by itself: 05:00Z and 06:00Z are both 01:00 on the wall.
  for (const [index, hour] of ['05', '06'].entries()) {
    await ops.query(`INSERT INTO ev (id, tz) VALUES ($1, $2)`, [10_000 + index, `2013-11-03 ${hour}:30Z`]);
    await zones.build(`tz --from 2013-11-03T${hour}:00Z --to 2013-11-03T${hour}:59Z --rebuild all`);
    const plan = await zones.plan(`per_day hours ${AUTUMN} --rebuild stale`);
    assert.ok(
      whysOf(plan, 'hours').includes(
        `2013-11-03T${hour}:00:00Z/2013-11-03T${hour === '05' ? '06' : '07'}:00:00Z stale: inputs changed`,
      ),
      JSON.stringify(whysOf(plan, 'hours')),
    );
    await zones.build(`per_day hours ${AUTUMN} --rebuild stale`);
  }
  assert.deepEqual(countsOf(await zones.plan(`per_day hours ${AUTUMN}`)), {
    per_day: [0, 0, 0, 3],
    hours: [0, 0, 0, 73],
  });
});
