/** What whoever runs sluice relies on: the doctor, and one endpoint of metrics. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import { eventually } from '../support/eventually.js';
import { clientOf, projectYaml, sleeper } from '../support/backfills.js';
import { startStack, type Ran, type Stack } from '../support/stack.js';

const Doctor = z.object({
  ok: z.boolean(),
  checks: z.array(
    z.object({ name: z.string(), state: z.string(), message: z.string(), remedy: z.string().optional() }),
  ),
});

let stack: Stack;
let project: string;
before(async () => {
  stack = await startStack();
  project = stack.project('ward', {
    'sluice.yaml': projectYaml('ward'),
    'datasets/a_raw.yaml': 'extract: { from: ops, table: public.a, time: at }\n',
    ...sleeper('slow', "CASE WHEN d = '2024-01-03' THEN 60 ELSE 0 END"),
  });
});
after(() => stack.stop());

/** What the doctor found that is not ok. */
async function doctor(env: NodeJS.ProcessEnv = {}): Promise<{ ran: Ran; found: string[] }> {
  const ran = await stack.sluice(['doctor', '-p', project, '--json'], { env });
  const { ok, checks } = Doctor.parse(ran.json());
  assert.equal(ran.code, ok ? 0 : 1, ran.out + ran.err);
  for (const { state, name, remedy } of checks) assert.equal(state === 'ok', remedy === undefined, name);
  const found = checks.filter(({ state }) => state !== 'ok');
  return { ran, found: found.map(({ state, name, message }) => `${state} ${name}: ${message}`) };
}

test('the doctor finds what is missing, without making any of it; then that all is well; then what a dead backfill left', async () => {
  const warehouse = await stack.connect('warehouse');
  const before = await doctor();
  assert.equal(before.ran.code, 1);
  assert.deepEqual(
    before.found.filter((one) => !one.startsWith('warn search attributes')),
    [
      'fail connection ops: rights: not there: "public"."a"',
      'fail queue sluice: no worker polls it',
      'fail queue sluice.ward: no worker polls it',
      'fail queue sluice.ward.warehouse: no worker polls it',
      'warn schema sluice: not there yet',
    ],
  );
  const { rows } = await warehouse.query(`SELECT 1 FROM pg_namespace WHERE nspname = 'sluice'`);
  assert.equal(rows.length, 0);

  await (
    await stack.connect('ops')
  ).query('CREATE TABLE a (id int PRIMARY KEY, at timestamptz); CREATE INDEX ON a (at)');
  await stack.worker(project);
  const well = await doctor();
  assert.deepEqual(well.found, []);

  const client = await clientOf(stack, 'ward');
  await client.start({ select: 'slow', from: '2024-01-01', to: '2024-01-05' }, { id: 'lost' });
  await eventually('it holds its range', async () => {
    const held = await warehouse.query(`SELECT 1 FROM sluice.reserved`);
    return held.rows.length > 0;
  });
  await client.terminate('lost', 'a test');
  const left = await doctor();
  assert.deepEqual(left.found, ['warn reservations: left by backfills that are over: lost (slow)']);
  assert.equal(left.ran.code, 0);
  await client.close();
});

test('the doctor says what cannot be reached, and looks at the rest', async () => {
  const { found } = await doctor({
    TEMPORAL_ADDRESS: 'localhost:1',
    SLUICE_EMBEDDED_URL: 'postgres://u:secret@localhost:1',
  });
  assert.equal(found.length, 3, found.join('\n'));
  assert.match(
    found.join('\n'),
    /fail connection ops: .*\nfail connection warehouse: .*\nfail temporal: .* at localhost:1/,
  );
  assert.doesNotMatch(found.join('\n'), /secret/);
  const text = await stack.sluice(['doctor', '-p', stack.dir]);
  assert.equal(text.code, 1);
  assert.match(text.out, /^fail {2}project: .*sluice\.yaml/);
});
