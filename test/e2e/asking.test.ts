/** What a person asks before and as a backfill starts: the SQL of a partition, a range that is a bound, a start that is confirmed. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { z } from 'zod';
import type { BackfillClient } from '../../src/client/index.js';
import { PlanDocument } from '../../src/contracts/plan.js';
import { clientOf } from '../support/backfills.js';
import { startStack, type Stack } from '../support/stack.js';
import { countsOf, projectYaml, typed, type Typed } from './planning-kit.js';

const FILES = {
  'sluice.yaml': projectYaml(
    'asks',
    'defaults: { grain: day, start: 2024-03-01 }',
    'timezone: America/New_York\nconfirm: { partitions: 6 }',
  ),
  'datasets/raw.yaml': 'extract: { from: ops, table: public.readings, time: at }\nkey: [id]\n',
  'datasets/local.yaml':
    'extract: { from: ops, table: public.wall, time: at, source_timezone: Europe/Berlin }\nkey: [id]\n',
  'datasets/asked.yaml': `extract:
  from: ops
  query: SELECT id, at, 'it''s \\ :start'::text AS note FROM readings WHERE at >= :start AND at < :end -- the last word
  time: at
key: [id]
`,
  'datasets/daily.sql': `/*
time: day
key: [day]
*/
SELECT date_trunc('day', at) AS day, sum(n) AS n, min(at)::text AS first
FROM raw WHERE at >= :start AND at < :end GROUP BY 1 -- a day
`,
  'datasets/week.sql': `/*
time: day
key: [day]
needs: { raw: { lookback: 6d } }
*/
SELECT day, (SELECT sum(n) FROM raw WHERE at >= :start - interval '6 days' AND at < :end) AS n
FROM generate_series(:start, :end - interval '1 hour', interval '1 day') AS day
`,
  'datasets/young.sql': `/*
start: ${new Date(Date.now() - 10 * 86_400_000).toISOString().slice(0, 10)}
time: day
*/
SELECT day FROM generate_series(:start, :end - interval '1 hour', interval '1 day') AS day
`,
  'datasets/whole.sql': `/*
grain: none
*/
SELECT 1 AS one, count(*) AS days, sum(n) AS n FROM daily WHERE day >= :start AND day < :end
`,
};

let stack: Stack;
let ops: pg.Client;
let warehouse: pg.Client;
let client: BackfillClient;
let project: string;
let at: Typed;

before(async () => {
  stack = await startStack();
  project = stack.project('asks', FILES);
  ops = await stack.connect('ops_asks');
  warehouse = await stack.connect('wh_asks');
  await ops.query(`CREATE TABLE readings (id bigint PRIMARY KEY, at timestamptz NOT NULL, n int NOT NULL);
    CREATE TABLE wall (id bigint PRIMARY KEY, at timestamp NOT NULL);
    CREATE INDEX ON readings (at); CREATE INDEX ON wall (at);
    INSERT INTO readings SELECT i, '2024-03-01 05:00Z'::timestamptz + i * interval '5 hours', i FROM generate_series(0, 139) i;
    INSERT INTO wall SELECT id, at AT TIME ZONE 'Europe/Berlin' FROM readings`);
  await stack.worker(project);
  client = await clientOf(stack, 'asks');
  at = typed(stack, project);
  await at.build('--to 2024-03-29');
});
after(async () => {
  await client.close();
  await stack.stop();
});

/** Pastes what is printed, as psql would send it: all of it under its own settings. */
async function pasted(database: string, text: string): Promise<{ rows: readonly unknown[]; session: pg.Client }> {
  const session = new pg.Client({ connectionString: await stack.url(database) });
  await session.connect();
  // What a person's session has otherwise.
  await session.query(`SET TimeZone = 'Asia/Kathmandu'; SET DateStyle = 'German'; SET search_path = pg_catalog`);
  const results: unknown = await session.query(text);
  assert.ok(Array.isArray(results), 'settings, and then the rows');
  const last: unknown = results.at(-1);
  assert.ok(last instanceof pg.Result);
  return { rows: last.rows, session };
}

const sorted = (rows: readonly unknown[]): string[] => rows.map((row) => JSON.stringify(row)).sort();

test('render: what is printed, pasted, gives the rows that are published', async () => {
  // 23 hours in New York, whose clocks go forward that day.
  const spring = `>= '2024-03-10 05:00Z' AND %t < '2024-03-11 04:00Z'`;
  for (const [name, database, time] of [
    ['raw', 'ops_asks', 'at'],
    ['local', 'ops_asks', `at AT TIME ZONE 'Europe/Berlin'`],
    ['asked', 'ops_asks', 'at'],
    ['daily', 'wh_asks', 'day'],
    ['week', 'wh_asks', 'day'],
    ['whole', 'wh_asks', undefined],
  ] as const) {
    const { out, err, code } = await at.run(`render ${name}${time === undefined ? '' : ' 2024-03-10'}`);
    assert.equal(code, 0, err);
    const { rows, session } = await pasted(database, out);
    const where = time === undefined ? '' : ` WHERE ${time} ${spring.replace('%t', time)}`;
    await warehouse.query(`SET TimeZone = '${name === 'daily' ? 'America/New_York' : 'UTC'}'`);
    const published = await warehouse.query(`SELECT * FROM analytics.${name}${where}`);
    await session.end();
    assert.ok(rows.length > 0, name);
    assert.deepEqual(sorted(rows), sorted(published.rows), name);
  }
  const document = z
    .object({ dataset: z.string(), connection: z.string(), target: z.unknown(), partition: z.unknown() })
    .parse((await at.run('render raw 2024-03-10T12:00 --json')).json());
  assert.deepEqual(document, {
    dataset: 'raw',
    connection: 'ops',
    target: { schema: 'analytics', name: 'raw' },
    partition: { start: '2024-03-10T05:00:00Z', end: '2024-03-11T04:00:00Z' },
  });
  assert.match(await at.refused('render daily'), /render daily needs a time[^]*sluice render daily 2013-03-10/);
});

const RANGE = '--on 2024-03-10 --rebuild all';

test('--only: nothing outside of the range is built, and what is left stale is said, and is', async () => {
  await ops.query(`UPDATE readings SET n = n + 1000 WHERE at >= '2024-03-10 05:00Z' AND at < '2024-03-11 04:00Z'`);
  const wide = await at.run(`plan ${RANGE}`);
  assert.match(wide.out, /\n6 of them outside of the range, because they read what is built \(--only/);
  const planned = await at.run(`plan ${RANGE} --only`);
  assert.doesNotMatch(planned.out, /outside of the range, because/);
  assert.match(planned.out, /LEAVES STALE, because outside of the range or not selected\n {2}week {2}6 partitions /);
  const command = /^type {3}(sluice .*)$/m.exec(planned.out.replaceAll(/ \\\n\s+/g, ' '))?.[1] ?? '';
  assert.match(command, / --only /);

  // By a client, as by hand.
  const asked = { on: '2024-03-10', rebuild: 'all', only: true } as const;
  const document = await client.plan({ ...asked, select: ['raw', 'daily', 'week', 'whole'] });
  assert.deepEqual(
    Object.values(countsOf(document)).map(([build]) => build),
    [1, 1, 1, 1],
  );
  const before = await warehouse.query(`SELECT count(*)::int AS n FROM sluice.partitions`);
  const done = await at.build(command.replace('sluice backfill ', '').replace(`-p ${project} `, ''));
  assert.equal(done.partitions.done, 6);
  assert.deepEqual(
    done.warnings
      .filter(({ code }) => code === 'left_stale')
      .map(({ dataset, message }) => [dataset, message.slice(0, 35)]),
    [['week', '6 partitions outside of the range r']],
  );
  const built = await warehouse.query(
    `SELECT count(*)::int AS n, count(*) FILTER (WHERE backfill_id = $1)::int AS mine,
       count(*) FILTER (WHERE backfill_id = $1 AND starts_at <> '2024-03-10 05:00Z' AND starts_at > '-infinity')::int AS outside FROM sluice.partitions`,
    [done.id],
  );
  assert.deepEqual(built.rows, [{ ...before.rows[0], mine: 6, outside: 0 }]);

  // The plan leads with what is stale now.
  const idle = await at.run('plan --to 2024-03-29');
  assert.match(idle.out, /^plan of asks {2}6 stale, not asked for: add --rebuild stale/);
  assert.match(idle.out, /STALE, not asked for\n {2}week {2}6 {2}inputs changed\n/);
  const nothing = await at.run('backfill --to 2024-03-29');
  assert.match(nothing.out, /nothing to do: 6 stale partitions not asked for/);
  const stale = PlanDocument.parse((await at.run('plan --to 2024-03-29 --rebuild stale --json')).json());
  assert.deepEqual(countsOf(stale)['week'], [6, 0, 6, 22]);
  assert.match(await at.refused('plan --only'), /--only needs a range/);
});

test('a start without a range that builds more than is usual wants --yes; one with a range, or a plan, does not', async () => {
  const refused = await at.refused(`backfill young whole --rebuild all --reason it's --timeout 5m --wait`);
  assert.match(
    refused,
    /would build \d+ partitions of 2 datasets, and no range was given: more than 6 must be confirmed/,
  );
  const [, command = ''] = /to build them: (sluice backfill .*)/.exec(refused) ?? [];
  assert.equal(command, `sluice backfill young whole --rebuild all --reason 'it'\\''s' --timeout 300s --wait --yes`);
  assert.doesNotMatch((await at.run('list')).out, / it's /);
  const { fingerprint } = await at.plan('young');
  await at.build(`--plan ${fingerprint}`);
  await at.build('young --last 20d --rebuild all');
  await at.build('young --rebuild all --yes');
});
