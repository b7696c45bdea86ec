import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type pg from 'pg';
import { z } from 'zod';
import { BackfillStatus } from '../../src/contracts/status.js';
import { startStack, type Ran, type Stack } from '../support/stack.js';

/** Every project that is refused writes to this schema, which therefore never comes to be. */
const NEVER = 'never_made';
const RANGE = ['--from', '2024-01-01', '--to', '2024-01-03'];

const ErrorDocument = z.object({
  error: z.object({ code: z.string(), message: z.string().max(4000), remedy: z.string().optional() }),
});

let stack: Stack;
let warehouse: pg.Client;
before(async () => {
  stack = await startStack();
  const ops = await stack.connect('ops');
  await ops.query(`CREATE TABLE orders (id bigint PRIMARY KEY, at timestamptz NOT NULL, local_at timestamp, note text, amount numeric(10,2));
    INSERT INTO orders SELECT i, '2024-01-01Z'::timestamptz + i * interval '1 hour', '2024-01-01'::timestamp + i * interval '1 hour', 'n', i
      FROM generate_series(0, 24 * 10 - 1) i`);
  warehouse = await stack.connect('warehouse');
  await warehouse.query(`CREATE SCHEMA raw; CREATE TABLE raw.events (id int, at timestamptz, local_at timestamp, day date, note text);
    CREATE TABLE raw.taken (id bigint, at timestamptz, local_at timestamp, note text, amount numeric(10,2));
    INSERT INTO raw.taken (id) VALUES (1);
    CREATE VIEW raw.seen AS SELECT * FROM raw.taken WHERE id < 0`);
});
after(() => stack.stop());

interface Settings {
  readonly project: string;
  readonly schema?: string;
  readonly timezone?: string;
  readonly ops?: string;
  readonly warehouse?: string;
}

function yaml({
  project,
  schema = NEVER,
  timezone = 'UTC',
  ops = 'embedded:ops',
  warehouse: url = 'embedded:warehouse',
}: Settings): string {
  return `project: ${project}
timezone: ${timezone}
connections:
  ops: { type: postgres, url: "${ops}" }
  warehouse: { type: postgres, url: "${url}" }
warehouse: warehouse
schema: ${schema}
defaults: { grain: day, start: 2024-01-01 }
`;
}

const EXTRACT = 'extract: { from: ops, table: public.orders, time: at }\nkey: [id]\n';
const transform = (sql: string, settings = ''): string => `/*\ntime: day\nreads: [raw.events]\n${settings}*/\n${sql}\n`;

async function refusal(ran: Ran): Promise<z.output<typeof ErrorDocument>['error']> {
  const { error } = ErrorDocument.parse(ran.json());
  await nothingChanged();
  return error;
}

async function nothingChanged(): Promise<void> {
  const { rows } = await warehouse.query<{ schemas: number; started: number }>(
    `SELECT (SELECT count(*) FROM pg_namespace WHERE nspname = $1)::int AS schemas,
       (SELECT CASE WHEN to_regclass('sluice.backfills') IS NULL THEN 0 ELSE 1 END) AS started`,
    [NEVER],
  );
  assert.equal(rows[0]?.schemas, 0, 'a table was made');
  if (rows[0].started !== 1) return;
  const left = await warehouse.query(
    `SELECT project FROM sluice.backfills WHERE project LIKE 'bad%'
     UNION ALL SELECT project FROM sluice.tables WHERE project LIKE 'bad%' UNION ALL SELECT project FROM sluice.partitions WHERE project LIKE 'bad%'`,
  );
  assert.deepEqual(left.rows, [], 'something was started');
}

/** A port that leads to a database, and counts who comes. */
async function relayTo({
  hostname,
  port,
}: URL): Promise<{ port: number; connections: () => number; close: () => void }> {
  let connections = 0;
  const server = createServer((from) => {
    connections++;
    const to = connect(Number(port), hostname);
    for (const end of [from, to]) end.on('error', () => undefined);
    from.pipe(to).pipe(from);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return { port: address.port, connections: () => connections, close: () => server.close() };
}

interface Bad {
  readonly name: string;
  readonly datasets: Readonly<Record<string, string>>;
  readonly settings?: Partial<Settings>;
  readonly args?: readonly string[];
  readonly code: string;
  readonly message: RegExp;
  readonly remedy?: RegExp;
}

const BAD: readonly Bad[] = [
  {
    name: 'broken YAML',
    datasets: { 'a.yaml': 'extract: { from: ops, table: [' },
    code: 'project_invalid',
    message: /datasets\/a\.yaml:1/,
  },
  {
    name: 'more than one statement',
    datasets: { 'a.sql': transform('SELECT at AS day FROM raw.events WHERE at >= :start AND at < :end;\nSELECT 1') },
    code: 'project_invalid',
    message: /datasets\/a\.sql:6:1: /,
  },
  {
    name: 'an unset variable',
    datasets: { 'a.yaml': EXTRACT },
    settings: { ops: '${SLUICE_TEST_NOT_SET}' },
    code: 'unset_variable',
    message: /SLUICE_TEST_NOT_SET/,
  },
  {
    name: 'SQL that PostgreSQL refuses: the place',
    datasets: {
      'a.sql': transform(
        'SELECT at AS day,\n  no_such_function(id) AS n\nFROM raw.events WHERE at >= :start AND at < :end',
      ),
    },
    code: 'sql_error',
    message: /^datasets\/a\.sql:6: .*no_such_function/,
  },
  {
    name: 'a column that is not there: the place',
    datasets: {
      'a.sql': transform('SELECT at AS day\nFROM raw.events\nWHERE at >= :start AND at < :end\n  AND typo = 1'),
    },
    code: 'missing_column',
    message: /^datasets\/a\.sql:8: .*typo/,
  },
  {
    name: 'a table that is not there',
    datasets: {
      'a.sql':
        '/*\ntime: day\nreads: [raw.nowhere]\n*/\nSELECT at AS day FROM raw.nowhere WHERE at >= :start AND at < :end\n',
    },
    code: 'missing_table',
    message: /^datasets\/a\.sql:5: .*nowhere/,
  },
  {
    name: 'a source table that is not there',
    datasets: { 'a.yaml': EXTRACT.replace('orders', 'orderz') },
    code: 'missing_table',
    message: /^datasets\/a\.yaml.*orderz/,
  },
  {
    name: 'a source query that PostgreSQL refuses',
    datasets: { 'a.yaml': 'extract: { from: ops, time: at, query: "SELECT id, att AS at FROM orders" }\n' },
    code: 'missing_column',
    message: /^datasets\/a\.yaml.*att/,
  },
  {
    name: 'a time column that is not there, of an extract',
    datasets: { 'a.yaml': EXTRACT.replace('time: at', 'time: when') },
    code: 'missing_time_column',
    message: /^datasets\/a\.yaml.*"when".*id, at, local_at/,
  },
  {
    name: 'a time column that is not there, of a transform',
    datasets: { 'a.sql': transform('SELECT at FROM raw.events WHERE at >= :start AND at < :end') },
    code: 'missing_time_column',
    message: /^datasets\/a\.sql.*"day"/,
  },
  {
    name: 'a key column that is not there',
    datasets: { 'a.yaml': EXTRACT.replace('[id]', '[id, line]') },
    code: 'missing_key_column',
    message: /^datasets\/a\.yaml.*"line"/,
  },
  {
    name: 'a time of a type that can be none, of an extract',
    datasets: { 'a.yaml': EXTRACT.replace('time: at', 'time: note') },
    code: 'time_type',
    message: /^datasets\/a\.yaml.*"note" is text/,
  },
  {
    name: 'a time of a type that can be none, of a transform',
    datasets: { 'a.sql': transform('SELECT id AS day FROM raw.events WHERE at >= :start AND at < :end') },
    code: 'time_type',
    message: /^datasets\/a\.sql.*"day" is integer/,
  },
  {
    name: 'a zone-less time without its zone',
    datasets: { 'a.yaml': EXTRACT.replace('time: at', 'time: local_at') },
    code: 'source_timezone_missing',
    message: /"local_at" is timestamp without time zone/,
    remedy: /source_timezone: /,
  },
  {
    name: ':start compared with a timestamp where clocks change',
    datasets: {
      'a.sql': transform(
        "SELECT at AS day FROM raw.events\nWHERE at >= :start AND at < :end\n  AND local_at >= :start - interval '1 day'",
      ),
    },
    settings: { timezone: 'America/New_York' },
    code: 'zoneless_comparison',
    message: /^datasets\/a\.sql:7: compares :start with a timestamp/,
    remedy: /:start::timestamp/,
  },
  {
    name: ':end compared with a date where clocks change, in a subquery',
    datasets: {
      'a.sql': transform(
        'SELECT at AS day FROM raw.events WHERE at >= :start AND at < :end\n  AND id IN (SELECT id FROM raw.events WHERE day\n    < :end)',
      ),
    },
    settings: { timezone: 'America/New_York' },
    code: 'zoneless_comparison',
    message: /^datasets\/a\.sql:7: compares :end with a date/,
    remedy: /:end::timestamp/,
  },
  {
    name: ':end compared with a timestamp where clocks change, in a comparison of rows',
    datasets: {
      'a.sql': transform(
        'SELECT at AS day FROM raw.events WHERE at >= :start AND at < :end\n  AND (local_at, id) < (:end, 7)',
      ),
    },
    settings: { timezone: 'America/New_York' },
    code: 'zoneless_comparison',
    message: /^datasets\/a\.sql:6: compares :end with a timestamp/,
  },
  {
    name: ':start compared with a date, where one number must stand for all its uses',
    datasets: {
      'a.sql': transform(
        "SELECT :start + (day - day) * interval '1 day' AS day, count(*) AS n FROM raw.events WHERE day >= :start AND day < :end\nGROUP BY :start + (day - day) * interval '1 day'",
      ),
    },
    settings: { timezone: 'America/New_York' },
    code: 'zoneless_comparison',
    message: /^datasets\/a\.sql: compares :start with a date/,
  },
  {
    name: 'two columns of one name',
    datasets: { 'a.sql': transform('SELECT at AS day, id, id FROM raw.events WHERE at >= :start AND at < :end') },
    code: 'table_refused',
    message: /^datasets\/a\.sql: table "never_made"\."a" cannot be made: column "id" specified more than once/,
  },
  {
    name: 'a column that no table can hold',
    datasets: {
      'a.sql': transform('SELECT at AS day, pg_sleep(0) AS s FROM raw.events WHERE at >= :start AND at < :end'),
    },
    code: 'table_refused',
    message: /^datasets\/a\.sql: .*pseudo-type void/,
  },
  {
    name: 'a schema that is not there, of a function',
    datasets: {
      'a.sql': transform('SELECT at AS day,\n  nowhere.f(id) AS s FROM raw.events WHERE at >= :start AND at < :end'),
    },
    code: 'sql_error',
    message: /^datasets\/a\.sql:6: .*nowhere/,
  },
  {
    name: 'a url that is none of PostgreSQL',
    datasets: { 'a.yaml': EXTRACT },
    settings: { ops: 'mysql://me:s3cret@host/db' },
    code: 'bad_url',
    message: /^connection ops: its url resolves to what is no PostgreSQL url$/,
  },
  {
    name: 'an id of two words',
    datasets: { 'a.yaml': EXTRACT },
    args: [...RANGE, '--id', 'a b'],
    code: 'bad_option',
    message: /--id "a b"/,
  },
  {
    name: '--from at or after --to',
    datasets: { 'a.yaml': EXTRACT },
    args: ['--from', '2024-01-03', '--to', '2024-01-03'],
    code: 'range_empty',
    message: /exclusive|before/,
  },
  {
    name: 'a range before `start`',
    datasets: { 'a.yaml': EXTRACT },
    args: ['--from', '2023-01-01', '--to', '2023-02-01'],
    code: 'nothing_in_range',
    message: /2024-01-01/,
  },
  {
    name: 'a dataset that is not there',
    datasets: { 'a.yaml': EXTRACT },
    args: [...RANGE, 'b'],
    code: 'unknown_dataset',
    message: /"?b"?/,
  },
  {
    name: 'a table with rows that sluice did not write',
    datasets: { 'a.yaml': `table: raw.taken\n${EXTRACT}` },
    code: 'foreign_rows',
    message: /"raw"\."taken" holds rows/,
    remedy: /sluice adopt -p \S+ a .*--overwrite/s,
  },
  {
    name: 'a table that is a view',
    datasets: { 'a.yaml': `table: raw.seen\n${EXTRACT}` },
    code: 'not_a_table',
    message: /^datasets\/a\.yaml: "raw"\."seen" is there/,
  },
];

describe('refused before anything is started: exit 2', () => {
  for (const [index, bad] of BAD.entries()) {
    test(bad.name, async () => {
      const project = `bad${index}`;
      const files = Object.fromEntries(Object.entries(bad.datasets).map(([file, text]) => [`datasets/${file}`, text]));
      stack.project(project, { ...files, 'sluice.yaml': yaml({ project, ...bad.settings }) });
      const ran = await stack.sluice(['backfill', '-p', project, '--json', ...(bad.args ?? RANGE)]);
      assert.equal(ran.code, 2, ran.out + ran.err);
      const error = await refusal(ran);
      assert.equal(error.code, bad.code, error.message);
      assert.match(error.message, bad.message);
      if (bad.remedy) assert.match(error.remedy ?? '', bad.remedy);
    });
  }

  test('the same comparisons are fine in their own type, and where clocks never change', async () => {
    const sql = (start: string): string =>
      transform(
        `SELECT at AS day FROM raw.events WHERE at >= :start AND at < :end AND local_at >= ${start} AND day IS DISTINCT FROM ${start}`,
      );
    stack.project('fine', {
      'sluice.yaml': yaml({ project: 'fine', timezone: 'America/New_York' }),
      'datasets/a.sql': sql(':start::timestamp'),
      'datasets/b.sql': sql(':start').replace('/*\n', '/*\ntimezone: Asia/Dubai\n'),
    });
    const ran = await stack.sluice(['plan', '-p', 'fine', ...RANGE]);
    assert.equal(ran.code, 0, ran.err);
  });

  test('a place is told to people too, on stderr', async () => {
    stack.project('bad_told', {
      'sluice.yaml': yaml({ project: 'bad_told' }),
      'datasets/a.yaml': EXTRACT.replace('time: at', 'time: note'),
    });
    const ran = await stack.sluice(['plan', '-p', 'bad_told', ...RANGE]);
    assert.deepEqual([ran.code, ran.out], [2, '']);
    assert.match(ran.err, /^error: datasets\/a\.yaml: column "note" is text/);
  });

  test('what commander refuses: an error document under --json, with exit 2', async () => {
    for (const [args, about] of [
      [['plan', '--rebuilt', 'all'], /--rebuilt/],
      [['status', 'a', 'b'], /argument/],
      [['pause'], /id/],
      [['backfil'], /backfil/],
    ] as const) {
      const ran = await stack.sluice([...args, '--json']);
      assert.equal(ran.code, 2, ran.err);
      const error = await refusal(ran);
      assert.deepEqual([error.code, about.test(error.message)], ['usage', true], error.message);
    }
    const people = await stack.sluice(['plan', '--rebuilt', 'all']);
    assert.deepEqual([people.code, people.out], [2, '']);
    assert.match(people.err, /--rebuilt[^]*`sluice --help` lists the verbs/);
  });
});

test('a table that another dataset, or another project, owns: exit 2', async () => {
  const owner = stack.project('owner', {
    'sluice.yaml': yaml({ project: 'owner', schema: 'owned' }),
    'datasets/a.yaml': EXTRACT,
  });
  const worker = await stack.worker(owner);
  const made = await stack.sluice(['backfill', '-p', 'owner', ...RANGE, '--wait', '--json', '--id', 'one']);
  assert.equal(made.code, 0, made.out + made.err);
  worker.kill('SIGKILL');

  stack.project('bad_other', {
    'sluice.yaml': yaml({ project: 'bad_other', schema: 'owned' }),
    'datasets/a.yaml': EXTRACT,
  });
  const other = await stack.sluice(['backfill', '-p', 'bad_other', ...RANGE, '--json']);
  assert.equal(other.code, 2);
  const error = await refusal(other);
  assert.equal(error.code, 'table_owned');
  assert.match(error.message, /belongs to dataset a of project owner/);

  stack.project('owner', { 'datasets/b.yaml': `table: owned.a\n${EXTRACT}` });
  const same = await stack.sluice(['backfill', '-p', 'owner', 'b', ...RANGE, '--json', '--local']);
  assert.equal(same.code, 2);
  assert.match((await refusal(same)).message, /owned\.a|"owned"\."a"/);
  const { rows } = await warehouse.query('SELECT count(*)::int AS n FROM owned.a');
  assert.deepEqual(rows, [{ n: 48 }]);
});

describe('an id that is taken: exit 2', () => {
  const again = async (args: readonly string[]): Promise<void> => {
    stack.project('owner2', { 'sluice.yaml': yaml({ project: 'owner', schema: 'owned' }), 'datasets/a.yaml': EXTRACT });
    const ran = await stack.sluice(['backfill', '-p', 'owner2', '--id', 'one', '--json', '--local', ...args]);
    assert.equal(ran.code, 2, ran.out);
    const error = await refusal(ran);
    assert.equal(error.code, 'id_taken');
    assert.match(error.message, /one exists already/);
  };
  test('with something to do', () => again(['--from', '2024-01-03', '--to', '2024-01-05']));
  test('with nothing to do', () => again(RANGE));
});

// Most of them wait; the one that waits a minute begins first.
describe('databases and servers that cannot be used: exit 1', { concurrency: 4 }, () => {
  test(
    'no worker for this project: said after 5 s with its queue, given up after 60 s, its id not left at work',
    { timeout: 120_000 },
    async () => {
      // Another project's worker serves the workflows; nobody serves this project's own queue.
      const other = await stack.worker(
        stack.project('other', { 'sluice.yaml': yaml({ project: 'other' }), 'datasets/a.yaml': EXTRACT }),
      );
      stack.project('alone', {
        'sluice.yaml': yaml({ project: 'alone', schema: 'alone' }),
        'datasets/a.yaml': EXTRACT,
      });
      const began = performance.now();
      const ran = await stack.sluice(['backfill', '-p', 'alone', ...RANGE, '--json', '--id', 'x']);
      const seconds = (performance.now() - began) / 1000;
      other.kill('SIGKILL');
      assert.equal(ran.code, 1, ran.out + ran.err);
      assert.match(ran.err, /sluice\.alone/);
      assert.equal(ErrorDocument.parse(ran.json()).error.code, 'no_worker');
      assert.ok(seconds > 60 && seconds < 75, `${seconds} s`);
      const { rows } = await warehouse.query(`SELECT 1 FROM pg_namespace WHERE nspname = 'alone'`);
      assert.deepEqual(rows, []);
      BackfillStatus.array().parse((await stack.sluice(['list', '-p', 'alone', '--json'])).json());
    },
  );

  const run = async (
    project: string,
    settings: Partial<Settings>,
    env: NodeJS.ProcessEnv = {},
    exit = 1,
  ): Promise<{ code: string; message: string; ms: number }> => {
    stack.project(project, { 'sluice.yaml': yaml({ project, ...settings }), 'datasets/a.yaml': EXTRACT });
    const began = performance.now();
    const ran = await stack.sluice(['backfill', '-p', project, ...RANGE, '--json'], { env });
    assert.equal(ran.code, exit, ran.out + ran.err);
    const { code, message } = await refusal(ran);
    return { code, message, ms: performance.now() - began };
  };
  const altered = async (database: string, alter: (url: URL) => void): Promise<string> => {
    const url = new URL(await stack.url(database));
    alter(url);
    return url.href;
  };
  const REFUSED = 'postgres://me:s3cret@127.0.0.1:1/db';

  for (const [role, database] of [
    ['warehouse', 'warehouse'],
    ['ops', 'ops'],
  ] as const) {
    test(`connection refused, of ${role}: after retries, without the password`, async () => {
      const { code, message, ms } = await run(`bad_refused_${role}`, { [role]: REFUSED });
      assert.equal(code, 'connection_refused');
      assert.match(message, new RegExp(`^connection ${role}: connection refused`));
      assert.doesNotMatch(message, /s3cret/);
      assert.ok(ms > 3_400, `gave up after ${ms} ms`);
    });
    test(`wrong password, of ${role}: at once`, async () => {
      const relay = await relayTo(new URL(await stack.url(database)));
      try {
        const url = await altered(database, (one) => {
          one.password = 'wr0ng';
          one.port = String(relay.port);
        });
        const { code, message } = await run(`bad_password_${role}`, { [role]: url });
        assert.equal(code, 'wrong_password');
        assert.doesNotMatch(message, /wr0ng/);
        assert.equal(relay.connections(), 1);
      } finally {
        relay.close();
      }
    });
    test(`unknown database, of ${role}: at once`, async () => {
      const { code, message } = await run(`bad_database_${role}`, {
        [role]: await altered(database, (url) => (url.pathname = '/nowhere')),
      });
      assert.equal(code, 'unknown_database');
      assert.match(message, /nowhere/);
    });
    test(`no permission, of ${role}: at once`, async () => {
      await warehouse.query(`DROP ROLE IF EXISTS stranger_${role}; CREATE ROLE stranger_${role} LOGIN PASSWORD 'x'`);
      const url = await altered(database, (one) => {
        one.username = `stranger_${role}`;
        one.password = 'x';
      });
      // A table that may not be read is a mistake of its dataset, whose file is named.
      const exit = role === 'ops' ? 2 : 1;
      const { code, message } = await run(`bad_permission_${role}`, { [role]: url }, {}, exit);
      assert.equal(code, 'no_permission');
      assert.match(message, new RegExp(`connection ${role}: .*permission denied`));
    });
  }

  test('an unknown namespace', async () => {
    const { code, message } = await run('bad_namespace', {}, { TEMPORAL_NAMESPACE: 'nowhere' });
    assert.equal(code, 'temporal_refused');
    assert.match(message, /nowhere/);
  });

  test('no Temporal server', async () => {
    const { code, message } = await run(
      'bad_temporal',
      { schema: 'bad_temporal' },
      { TEMPORAL_ADDRESS: '127.0.0.1:1' },
    );
    assert.equal(code, 'temporal_unreachable');
    assert.match(message, /127\.0\.0\.1:1/);
  });
});
