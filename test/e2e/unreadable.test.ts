/** What cannot be read is told, all of it, before anything is built. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import { lackingShapes } from '../../src/planning/shapes.js';
import { createPool } from '../../src/postgres/pool.js';
import { readProjectFiles } from '../../src/project/files.js';
import { loadProject } from '../../src/project/load.js';
import { startStack, type Stack } from '../support/stack.js';

let stack: Stack;
before(async () => {
  stack = await startStack();
});
after(() => stack.stop());

const AddressInfo = z.object({ port: z.int() });
const Problems = z.object({ error: z.object({ problems: z.array(z.object({ file: z.string(), code: z.string() })) }) });

test('each source that cannot be read is a problem with its file; so is one that policies would show in part', async () => {
  const source = await stack.connect('unreadable');
  await source.query(`CREATE TABLE t (id int, at timestamptz); CREATE TABLE empty_handed (); CREATE TABLE hidden (id int, at timestamptz);
    CREATE MATERIALIZED VIEW unfilled AS SELECT * FROM t WITH NO DATA;
    CREATE TABLE policed (id int, at timestamptz); ALTER TABLE policed ENABLE ROW LEVEL SECURITY;
    CREATE VIEW over WITH (security_invoker) AS SELECT * FROM policed;
    CREATE SCHEMA shut; CREATE TABLE shut.t (id int, at timestamptz);
    CREATE ROLE reads LOGIN PASSWORD 'p'; GRANT SELECT ON t, empty_handed, unfilled, policed, over TO reads; GRANT SELECT ON shut.t TO reads`);
  const url = new URL(await stack.url('unreadable'));
  [url.username, url.password] = ['reads', 'p'];
  const down = new URL(url);
  down.port = '1';
  const extract = (table: string, from = 'src'): string => `extract: { from: ${from}, table: ${table}, time: at }\n`;
  const folder = stack.project('unreadable', {
    'sluice.yaml': `project: unreadable
timezone: UTC
connections:
  src: { type: postgres, url: "\${READS_URL}" }
  down: { type: postgres, url: "\${DOWN_URL}" }
  wh: { type: postgres, url: "embedded:unreadable_warehouse" }
warehouse: wh
schema: mart
defaults: { grain: day, start: 2024-01-01 }
`,
    'datasets/fine.yaml': extract('public.t'),
    'datasets/missing.yaml': extract('public.nowhere'),
    'datasets/no_columns.yaml': extract('public.empty_handed'),
    'datasets/no_select.yaml': extract('public.hidden'),
    'datasets/no_usage.yaml': extract('shut.t'),
    'datasets/policed.yaml': extract('public.policed'),
    'datasets/under_a_view.yaml': extract('public.over'),
    'datasets/unfilled.yaml': extract('public.unfilled'),
    'datasets/unreached.yaml': extract('public.t', 'down'),
  });
  const env = { READS_URL: url.href, DOWN_URL: down.href };
  const codes = {
    'datasets/missing.yaml': 'missing_table',
    'datasets/no_columns.yaml': 'no_columns',
    'datasets/no_select.yaml': 'no_permission',
    'datasets/no_usage.yaml': 'no_permission',
    'datasets/policed.yaml': 'row_security',
    'datasets/under_a_view.yaml': 'row_security',
    'datasets/unfilled.yaml': 'object_not_ready',
    'datasets/unreached.yaml': 'connection_refused',
  };
  const checked = await stack.sluice(['validate', '--connect', '--json', '-p', folder], { env });
  assert.equal(checked.code, 2, checked.out + checked.err);
  const { problems } = Problems.parse(checked.json()).error;
  assert.deepEqual(Object.fromEntries(problems.map(({ file, code }) => [file, code])), codes);
  const planned = await stack.sluice(['plan', '-p', folder], { env });
  assert.equal(planned.code, 2, planned.err);
  for (const file of Object.keys(codes)) assert.match(planned.err, new RegExp(file));
  // A source that is down is the system's matter as long as nothing else is wrong.
  const alone = await stack.sluice(['plan', 'unreached', '-p', folder], { env });
  assert.equal(alone.code, 1, alone.err);
});

test('a source that is down, silent or whose password is not known here stops no plan that builds nothing of it', async () => {
  const source = await stack.connect('quiet_source');
  await source.query(`CREATE TABLE t (id int, at timestamptz);
    INSERT INTO t SELECT i, timestamptz '2024-01-01Z' + i * interval '1 hour' FROM generate_series(0, 47) i`);
  const url = await stack.url('quiet_source');
  const folder = stack.project('quiet', {
    'sluice.yaml': `project: quiet
timezone: UTC
connections:
  src: { type: postgres, url: "\${SRC_URL}" }
  wh: { type: postgres, url: "embedded:quiet_warehouse" }
warehouse: wh
schema: mart
defaults: { grain: day, start: 2024-01-01 }
`,
    'datasets/t.yaml': 'extract: { from: src, table: public.t, time: at }\n',
  });
  await stack.worker(folder, [], { SRC_URL: url });
  const range = ['--to', '2024-01-03', '-p', folder];
  const built = await stack.sluice(['backfill', ...range, '--wait'], { env: { SRC_URL: url } });
  assert.equal(built.code, 0, built.err);
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const at = (host: string): string => `postgres://me:p@${host}/db`;
  try {
    const { port } = AddressInfo.parse(silent.address());
    for (const SRC_URL of [at('127.0.0.1:1'), at(`127.0.0.1:${port}`), undefined]) {
      const asked = await stack.sluice(['plan', ...range, '--rebuild', 'stale', '--json'], { env: { SRC_URL } });
      assert.equal(asked.code, 0, asked.err);
      assert.match(asked.out, /"upToDate": 2/);
    }
    // The driver itself gives up after ten seconds.
    const project = await loadProject(await readProjectFiles(folder), { environment: 'default', env: {} });
    const pool = createPool(() => Promise.resolve(at(`127.0.0.1:${port}`)), 1);
    const began = performance.now();
    const shape = { shape: 's', columns: [], time: null };
    assert.equal((await lackingShapes({ project, pool: () => pool }, new Map([['t', [shape]]]))).size, 0);
    assert.ok(performance.now() - began < 9_000);
  } finally {
    silent.close();
  }
  // Once it answers, what it has gained is seen again.
  await source.query('ALTER TABLE t ADD COLUMN more int');
  const gained = await stack.sluice(['plan', ...range, '--rebuild', 'stale', '--json'], { env: { SRC_URL: url } });
  assert.match(gained.out, /"stale": 2/);
});
