import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { z } from 'zod';
import { PlanDocument } from '../../src/contracts/plan.js';
import { BackfillStatus } from '../../src/contracts/status.js';
import { eventually } from '../support/eventually.js';
import { SLUICE, spawnSluice, type Spawned } from '../support/spawned.js';
import { startStack, type Stack } from '../support/stack.js';

const DAY = `date_trunc('day', v.at)`;
const COUNTED = (from: string, day = DAY, more = ''): string => `/*
time: day
key: [day]
*/
SELECT ${day} AS day, count(*) AS n${more}
FROM ${from} v WHERE v.at >= :start AND v.at < :end GROUP BY 1
`;

const FILES = {
  'sluice.yaml': `
project: shop
connections:
  ops: { type: postgres, url: "embedded:ops" }
  warehouse: { type: postgres, url: "embedded:warehouse", budget: { slots: 4 } }
warehouse: warehouse
schema: analytics
defaults: { grain: day, start: 2024-01-01 }
`,
  'datasets/visits.yaml': 'extract: { from: ops, table: public.visits, time: at }\n',
  'datasets/twice.yaml': 'extract: { from: ops, table: public.twice, time: at }\nkey: [id]\n',
  'datasets/twice_day.sql': COUNTED('twice'),
  'datasets/outside.sql': COUNTED(
    'visits',
    `${DAY} + CASE WHEN :start = '2024-01-04Z' THEN interval '1 day' ELSE '0' END`,
  ),
  'datasets/queried.yaml': `
extract:
  from: ops
  time: at
  query: |
    SELECT id, at FROM visits WHERE at >= :start AND at < :end + CASE WHEN :start = '2024-01-02Z' THEN interval '3 hours' ELSE '0' END
`,
  'datasets/queried_day.sql': COUNTED('queried'),
  'datasets/outside_day.sql':
    '/*\ntime: day\n*/\nSELECT o.day, o.n FROM outside o WHERE o.day >= :start AND o.day < :end\n',
  'datasets/slow.sql': COUNTED('visits', DAY, ', pg_sleep(600)::text AS slept').replace('key: [day]\n', ''),
  'datasets/Odd.yaml': `
table: '"Odd ""Schema"" :start"."T""äble: ÜñïcØdé 📦"'
extract: { from: ops, table: '"S ""x"": y"."Täble :end"', time: "Zeit :start" }
key: ["Id Nr", 'quo"ted']
`,
  'datasets/Odd_Day.sql': `/*
table: '"Odd ""Schema"" :start"."by Day"'
time: "Tag :end"
key: ["Tag :end"]
*/
SELECT date_trunc('day', "Odd"."Zeit :start") AS "Tag :end", count(*) AS "an:zahl ""n""", max("back\\slash ? $1") AS "?", ':start' AS "lit"
FROM "Odd" WHERE "Zeit :start" >= :start AND "Zeit :start" < :end GROUP BY 1
`,
};

let stack: Stack;
let warehouse: pg.Client;
before(async () => {
  stack = await startStack();
  const ops = await stack.connect('ops');
  await ops.query(`CREATE TABLE visits (id bigint, at timestamptz);
    INSERT INTO visits SELECT i, '2024-01-01Z'::timestamptz + i * interval '1 hour' FROM generate_series(0, 24 * 6 - 1) i;
    INSERT INTO visits SELECT i, NULL FROM generate_series(1, 4) i;
    CREATE TABLE twice (id bigint, at timestamptz NOT NULL);
    INSERT INTO twice SELECT i, at FROM visits v(i, at) WHERE at IS NOT NULL;
    INSERT INTO twice SELECT id, at + interval '1 minute' FROM twice WHERE at >= '2024-01-03 05:00Z' AND at < '2024-01-03 07:00Z';
    CREATE SCHEMA "S ""x"": y";
    CREATE TABLE "S ""x"": y"."Täble :end" ("Id Nr" int, "quo""ted" text, "Zeit :start" timestamptz NOT NULL, "back\\slash ? $1" int, "Ünï" text);
    INSERT INTO "S ""x"": y"."Täble :end" SELECT i, 'q', '2024-01-01Z'::timestamptz + i * interval '1 hour', i, 'ü?:end' FROM generate_series(0, 71) i`);
  warehouse = await stack.connect('warehouse');
  await stack.worker(stack.project('shop', FILES));
});
after(() => stack.stop());

const range = (days: number): string[] => ['-p', 'shop', '--from', '2024-01-01', '--to', `2024-01-0${days + 1}`];
const rowsOf = async (sql: string): Promise<unknown[]> => (await warehouse.query<Record<string, unknown>>(sql)).rows;

test('identifiers with quotes, capitals, spaces, colons and Unicode work from end to end, twice', async () => {
  for (const rebuild of ['missing', 'all']) {
    const ran = await stack.sluice(['backfill', 'Odd+', ...range(3), '--rebuild', rebuild, '--wait', '--json']);
    assert.equal(ran.code, 0, ran.out + ran.err);
    assert.equal(BackfillStatus.parse(ran.json()).partitions.done, 6);
    assert.deepEqual(
      await rowsOf(
        'SELECT "an:zahl ""n"""::int AS n, "?", "lit" FROM "Odd ""Schema"" :start"."by Day" ORDER BY "Tag :end"',
      ),
      [
        { n: 24, '?': 23, lit: ':start' },
        { n: 24, '?': 47, lit: ':start' },
        { n: 24, '?': 71, lit: ':start' },
      ],
    );
  }
  const [unique] = await rowsOf(
    `SELECT count(*)::int AS n FROM pg_indexes WHERE schemaname = 'Odd "Schema" :start' AND indexdef LIKE 'CREATE UNIQUE%'`,
  );
  assert.deepEqual(unique, { n: 2 });
});

test('rows without an event time: a warning with their number, exit 0', async () => {
  const planned = await stack.sluice(['plan', 'visits', ...range(6), '--json']);
  const [warning] = PlanDocument.parse(planned.json()).warnings;
  assert.deepEqual([warning?.dataset, warning?.code, warning?.rows], ['visits', 'null_event_time', 4]);
  const ran = await stack.sluice(['backfill', 'visits', ...range(6), '--wait', '--json']);
  assert.equal(ran.code, 0, ran.err);
  assert.deepEqual(
    BackfillStatus.parse(ran.json()).warnings.map(({ code, rows }) => [code, rows]),
    [['null_event_time', 4]],
  );
  const people = await stack.sluice(['backfill', 'visits', ...range(6), '--rebuild', 'all', '--wait']);
  assert.equal(people.code, 0, people.err);
  assert.match(people.out, /4 rows have no "at"/);
});

describe('one bad partition: exit 3, it fails alone, its readers are blocked, all else is done', () => {
  const failing = async (
    id: string,
    select: string,
    table: string,
    reader: string,
    bad: { day: string; code: string },
  ): Promise<void> => {
    const ran = await stack.sluice(['backfill', select, ...range(6), '--id', id, '--wait', '--json']);
    assert.equal(ran.code, 3, ran.out + ran.err);
    const status = BackfillStatus.parse(ran.json());
    assert.deepEqual(status.state, 'held');
    assert.deepEqual(status.partitions, { total: 12, done: 10, failed: 1, blocked: 1, skipped: 0 });
    const [failure, ...more] = status.datasets.flatMap(({ failures }) => failures);
    assert.deepEqual([failure?.start, failure?.code, more.length], [`${bad.day}T00:00:00Z`, bad.code, 0]);
    const days = (name: string): Promise<unknown[]> =>
      rowsOf(`SELECT starts_at::date::text AS day FROM sluice.partitions WHERE dataset = '${name}' ORDER BY 1`);
    const rest = ['01', '02', '03', '04', '05', '06']
      .map((day) => ({ day: `2024-01-${day}` }))
      .filter(({ day }) => day !== bad.day);
    assert.deepEqual(await days(table), rest);
    assert.deepEqual(await days(reader), rest);
    assert.deepEqual(
      await rowsOf(
        `SELECT code FROM sluice.failures WHERE backfill_id = '${id}' AND starts_at::date = '${bad.day}' AND ends_at - starts_at = interval '1 day' LIMIT 1`,
      ),
      [{ code: bad.code }],
    );
  };

  test('duplicate keys', async () => {
    await failing('twice', 'twice+', 'twice', 'twice_day', { day: '2024-01-03', code: 'duplicate_key' });
    assert.deepEqual(await rowsOf(`SELECT count(*)::int AS n FROM analytics.twice`), [{ n: 5 * 24 }]);
  });

  test('rows outside their partition, which nobody ever sees', async () => {
    await failing('outside', 'outside+', 'outside', 'outside_day', { day: '2024-01-04', code: 'rows_outside' });
    assert.deepEqual(await rowsOf(`SELECT count(*)::int AS n, sum(n)::int AS rows FROM analytics.outside`), [
      { n: 5, rows: 5 * 24 },
    ]);
  });

  test('rows of a source query outside the interval that it was given', async () => {
    await failing('queried', 'queried+', 'queried', 'queried_day', { day: '2024-01-02', code: 'rows_outside' });
    assert.deepEqual(await rowsOf(`SELECT count(*)::int AS n FROM analytics.queried`), [{ n: 5 * 24 }]);
  });

  test('rows that sluice did not write stay, in a table that it does write', async () => {
    await warehouse.query(`INSERT INTO analytics.visits VALUES (-1, '2024-01-08 01:00Z')`);
    const args = ['-p', 'shop', '--from', '2024-01-07', '--to', '2024-01-10', '--id', 'foreign', '--wait', '--json'];
    const ran = await stack.sluice(['backfill', 'visits', ...args]);
    assert.equal(ran.code, 3, ran.out + ran.err);
    const [visits] = BackfillStatus.parse(ran.json()).datasets;
    assert.deepEqual(
      [visits?.done, visits?.failures.map(({ start, code }) => [start, code])],
      [2, [['2024-01-08T00:00:00Z', 'foreign_rows']]],
    );
    assert.deepEqual(await rowsOf(`SELECT id::int FROM analytics.visits WHERE at >= '2024-01-07Z'`), [{ id: -1 }]);
  });

  test('watching what is held says 3 as well, and what to type', async () => {
    const ran = await stack.sluice(['watch', 'twice', '-p', 'shop']);
    assert.equal(ran.code, 3, ran.err);
    assert.match(ran.out, /sluice retry -p \S+ twice/);
  });

  test('--on-failure fail: ended, exit 3', async () => {
    const before = await stack.sluice(['cancel', 'outside', '-p', 'shop', '--json']);
    assert.equal(BackfillStatus.parse(before.json()).state, 'cancelled', before.err);
    const ran = await stack.sluice(['backfill', 'outside+', ...range(6), '--on-failure', 'fail', '--wait', '--json']);
    assert.equal(ran.code, 3, ran.err);
    assert.equal(BackfillStatus.parse(ran.json()).state, 'failed');
  });
});

const start = (args: readonly string[]): Spawned => spawnSluice(stack, args);

describe('leaving a backfill that takes long', () => {
  const sleeping = (count: boolean): Promise<unknown> =>
    eventually(`statements ${count ? 'run' : 'are gone'}`, async () => {
      const rows = await rowsOf(
        `SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid() AND state = 'active'`,
      );
      return rows.length > 0 === count;
    });
  const stateOf = async (id: string): Promise<string> =>
    BackfillStatus.parse((await stack.sluice(['status', id, '-p', 'shop', '--json'])).json()).state;

  test('--timeout: exit 5, and it goes on', async () => {
    const ran = await stack.sluice([
      'backfill',
      'slow',
      ...range(6),
      '--id',
      'slow',
      '--wait',
      '--timeout',
      '2s',
      '--json',
    ]);
    assert.equal(ran.code, 5, ran.err);
    assert.equal(BackfillStatus.parse(ran.json()).state, 'running');
    assert.match(ran.err, /backfill slow goes on/);
  });

  test('Ctrl-C: exit 130, and it goes on', async () => {
    const watching = start(['watch', 'slow', '-p', 'shop']);
    await once(watching.child.stdout ?? watching.child, 'data');
    watching.child.kill('SIGINT');
    const { code, err } = await watching.ended;
    assert.deepEqual([code, /backfill slow goes on/.test(err)], [130, true], err);
    assert.equal(await stateOf('slow'), 'running');
  });

  test('whoever reads it is gone: it lets go as at Ctrl-C, without a word of the pipe', async () => {
    const watching = start(['watch', 'slow', '-p', 'shop']);
    watching.child.stdout?.destroy();
    const { code, err } = await watching.ended;
    assert.deepEqual([code, /backfill slow goes on/.test(err)], [130, true], err);
    assert.doesNotMatch(err, /EPIPE|at /);
  });

  test('cancel returns when it has ended, its statements stopped; whoever waits for it exits with 4', async () => {
    const watching = start(['watch', 'slow', '-p', 'shop', '--json']);
    await once(watching.child.stdout ?? watching.child, 'data');
    await sleeping(true);
    const ran = await stack.sluice(['cancel', 'slow', '-p', 'shop', '--json', '--reason', 'enough']);
    assert.equal(ran.code, 0, ran.out + ran.err);
    assert.equal(BackfillStatus.parse(ran.json()).state, 'cancelled');
    await sleeping(false);
    const { code, out } = await watching.ended;
    assert.equal(code, 4);
    const lines = out
      .trimEnd()
      .split('\n')
      .map((line) => BackfillStatus.parse(JSON.parse(line)));
    assert.deepEqual(lines.at(-1)?.state, 'cancelled');
  });

  test('Ctrl-C while --wait: exit 130, with the document under --json', async () => {
    const waiting = start(['backfill', 'slow', ...range(6), '--id', 'slow2', '--wait', '--json']);
    await sleeping(true);
    await eventually(
      'it is known',
      async () =>
        (await rowsOf(`SELECT 1 FROM sluice.backfills WHERE backfill_id = 'slow2' AND state = 'running'`)).length === 1,
    );
    waiting.child.kill('SIGINT');
    const { code, out, err } = await waiting.ended;
    assert.equal(code, 130, err);
    assert.equal(BackfillStatus.parse(JSON.parse(out)).id, 'slow2');
    assert.equal(await stateOf('slow2'), 'running');
    const ran = await stack.sluice(['cancel', 'slow2', '-p', 'shop']);
    assert.equal(ran.code, 0, ran.err);
  });
});

test('a warehouse that takes no writes is the system’s failure, and says what to mend', async () => {
  const env = { PGOPTIONS: '-c default_transaction_read_only=on' };
  const ran = await stack.sluice(['plan', 'visits', '--on', '2024-01-03', '--rebuild', 'all', '-p', 'shop', '--json'], {
    env,
  });
  assert.equal(ran.code, 1, ran.out);
  const { error } = z
    .object({ error: z.object({ code: z.string(), message: z.string(), remedy: z.string() }) })
    .parse(ran.json());
  assert.deepEqual([error.code, error.message], ['read_only', 'connection warehouse: read only (SQLSTATE 25006)']);
  assert.match(error.remedy, /primary|default_transaction_read_only = off/);
  const doctor = await stack.sluice(['doctor', '-p', 'shop'], { env });
  assert.match(doctor.out, /fail +connection warehouse: rights: default_transaction_read_only is on/);
});

test('a folder that was removed under the shell: exit 2, not a bug', async () => {
  const script = `mkdir gone && cd gone && rmdir ../gone && exec '${process.execPath}' '${SLUICE}' list`;
  const child = spawn('sh', ['-c', script], { cwd: stack.dir, env: stack.env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (said += chunk));
  const [code] = await once(child, 'close');
  assert.equal(code, 2, said);
  assert.match(said, /^error: the folder that this was started in is no longer there/m);
});

describe('--json: one document on stdout from every verb', () => {
  const Failed = z.object({ error: z.object({ code: z.string(), message: z.string() }) });
  const CASES: readonly (readonly [args: readonly string[], code: number])[] = [
    [['init', 'made'], 0],
    [['validate'], 0],
    [['validate', '--connect'], 0],
    [['graph'], 0],
    [['graph', '--impact', 'twice'], 0],
    [['plan', 'twice', '--on', '2024-01-03'], 0],
    [['list'], 0],
    [['status'], 0],
    [['status', 'twice'], 0],
    [['status', 'unheard_of'], 2],
    [['advise', 'twice'], 0],
    [['advise', 'unheard_of'], 2],
    [['watch', 'twice'], 3],
    [['watch', 'unheard_of'], 2],
    [['why', 'twice', '2024-01-03'], 0],
    [['render', 'twice', '2024-01-03'], 0],
    [['render', 'unheard_of', '2024-01-03'], 2],
    [['why', 'unheard_of', '2024-01-03'], 2],
    [['ledger', 'twice'], 0],
    [['ledger', 'unheard_of'], 2],
    [['pause', 'unheard_of'], 2],
    [['resume', 'twice'], 2],
    [['adjust', 'twice', '--priority', '9'], 2],
    [['adjust', 'twice'], 2],
    [['adjust', 'twice', '--priority', '1'], 0],
    [['skip', 'twice', 'unheard_of', '--on', '2024-01-03'], 2],
    [['skip', 'twice', 'twice', '--on', '2025-01-03'], 2],
    [['retry', 'twice'], 0],
    [['cancel', 'twice'], 0],
    [['cancel', 'twice'], 2],
    [['retry', 'twice'], 2],
    [['backfill', 'visits', '--from', '2024-01-01', '--to', '2024-01-07', '--id', 'nothing', '--wait'], 0],
    [['forget', 'outside_day', '--on', '2024-01-06'], 0],
    [['adopt', 'outside_day', '--on', '2024-01-06'], 0],
    [['adopt', 'unheard_of', '--on', '2024-01-06'], 2],
    [['warehouse'], 0],
    [['warehouse', 'unheard_of'], 2],
    [['warehouse', 'limit', '3', '--reason', 'lunch'], 0],
    [['warehouse', 'limit', 'many'], 2],
    [['warehouse', 'hold', 'ops'], 0],
    [['warehouse', 'release'], 0],
    [['warehouse', '-p', 'shop', 'release'], 0],
    [['warehouse', 'history', '--last', '1h'], 0],
    [['warehouse', 'history', '--last', 'long'], 2],
    [['plan', '-e', 'unheard_of'], 2],
    [['plan', '-p', 'unheard_of'], 2],
  ];
  for (const [args, code] of CASES) {
    test(args.join(' '), async () => {
      const ran = await stack.sluice([
        ...args,
        '--json',
        ...(args.includes('-p') ? [] : ['-p', args[0] === 'init' ? '.' : 'shop']),
      ]);
      const document = ran.json();
      assert.equal(ran.code, code, ran.out + ran.err);
      assert.equal(Failed.safeParse(document).success, code === 1 || code === 2, ran.out);
    });
  }

  test('every verb says that it takes it', async () => {
    const verbs = [
      ...readFileSync(fileURLToPath(new URL('../../src/cli/commands/index.ts', import.meta.url)), 'utf8').matchAll(
        /^ {2}(.*),$/gm,
      ),
    ].flatMap(([, line = '']) => line.split(', '));
    assert.equal(verbs.length, 26);
    for (const verb of verbs) assert.match((await stack.sluice([verb, '--help'])).out, /--json/);
  });
});
