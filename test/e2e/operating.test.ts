/** What whoever runs sluice relies on: the doctor, and one endpoint of metrics. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { freePorts } from '../../src/dev/ports.js';
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

/** Samples of one scrape: `name{a="b"}` and the value. */
function samplesOf(text: string): { name: string; labels: Record<string, string>; value: number }[] {
  return [...text.matchAll(/^([a-z_]+)(?:\{(.*)\})? (\S+)$/gm)].map(([, name = '', labels = '', value]) => ({
    name,
    labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', text = '']) => [key, text])),
    value: Number(value),
  }));
}

test('one endpoint serves the metrics of the SDK and ours, which agree with the ledger; a taken port is said', async () => {
  const [port = 0] = await freePorts(1);
  const meter = stack.project('meter', {
    'sluice.yaml': projectYaml('meter'),
    ...sleeper('whole', '0'),
    ...sleeper('half', '0', '1 / (extract(day FROM d)::int - 3) AS n'),
  });
  await stack.worker(meter, ['--metrics-port', String(port)]);
  const second = await stack.sluice(['worker', '-p', meter], { env: { SLUICE_METRICS_PORT: String(port) } });
  assert.equal(second.code, 1, second.err);
  assert.match(second.err, new RegExp(`port ${port}`));
  const args = ['backfill', '-p', meter, '--to', '2024-01-21', '--on-failure', 'fail', '--wait', '--json'];
  assert.equal((await stack.sluice(args)).code, 3);

  const warehouse = await stack.connect('warehouse');
  const { rows: ledger } = await warehouse.query<{ dataset: string; n: number; rows: number }>(
    `SELECT dataset, count(*)::int AS n, sum(rows)::int AS rows FROM sluice.partitions WHERE project = 'meter' GROUP BY 1 ORDER BY 1`,
  );
  assert.deepEqual(ledger, [
    { dataset: 'half', n: 19, rows: 19 },
    { dataset: 'whole', n: 20, rows: 20 },
  ]);
  const samples = samplesOf(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text());
  const valueOf = (name: string, dataset: string, more: Record<string, string> = {}): number | undefined =>
    samples.find(
      (one) =>
        one.name === name &&
        one.labels['dataset'] === dataset &&
        Object.entries(more).every(([key, value]) => one.labels[key] === value),
    )?.value;
  for (const { dataset, n, rows } of ledger) {
    assert.equal(valueOf('sluice_partitions_published_total', dataset), n);
    assert.equal(valueOf('sluice_rows_published_total', dataset), rows);
    const batches = valueOf('sluice_batches_published_total', dataset) ?? 0;
    assert.ok(batches >= 1 && batches <= n, `${batches} batches of ${dataset}`);
    assert.equal(valueOf('sluice_batch_seconds_count', dataset), batches);
    assert.ok((valueOf('sluice_turn_wait_seconds_count', dataset) ?? 0) >= batches);
  }
  assert.ok((valueOf('sluice_batch_failures_total', 'half', { class: 'poison' }) ?? 0) >= 1);
  assert.equal(valueOf('sluice_batch_failures_total', 'whole'), undefined);

  assert.ok(samples.some(({ name }) => name === 'temporal_activity_execution_latency_seconds_count'));
  const ours = samples.filter(({ name }) => name.startsWith('sluice_'));
  for (const { labels } of ours) {
    const { project: of, environment, dataset, class: kind, le, ...others } = labels;
    assert.deepEqual([of, environment, others], ['meter', 'default', {}], `${dataset} ${kind} ${le}`);
  }
  const page = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
  const listed = [...page.matchAll(/^\| `(sluice_\w+)`/gm)].map(([, name = '']) => name).sort();
  const served = new Set(ours.map(({ name }) => name.replace(/_(bucket|sum|count)$/, '')));
  // Nobody governs here, and every connection answers.
  const unseen = ['sluice_alternate_reads_total', 'sluice_limit_cause', 'sluice_limit_slots', 'sluice_outages_total'];
  assert.deepEqual([...served, ...unseen].sort(), listed);
});
