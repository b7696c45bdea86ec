import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { after, before, test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { connectOnce } from '../../src/postgres/pool.js';
import { ACTIVITY_QUEUE } from '../../src/worker/limits.js';
import { kill9 } from '../support/backfills.js';
import { eventually } from '../support/eventually.js';
import { refusingWay, type Refusing } from '../support/refusing.js';
import { startStack, type Stack } from '../support/stack.js';

let stack: Stack;
let way: Refusing;
before(async () => {
  stack = await startStack();
  way = await refusingWay(stack.dev.info().temporalAddress);
});
after(async () => {
  way.close();
  await stack.stop();
});

const files = (name: string, budget: string): Record<string, string> => ({
  'sluice.yaml': `project: ${name}
timezone: UTC
connections: { w: { type: postgres, url: "embedded:${name}", budget: { ${budget} } } }
warehouse: w
schema: m
defaults: { grain: day, start: 2024-01-01 }
`,
  'datasets/one.sql': `/*\ntime: d\n*/\nSELECT d FROM generate_series(:start, :end - interval '1 day', interval '1 day') d\n`,
});

const startedThere = (folder: string): Promise<ChildProcess> =>
  stack.worker(folder, [], { TEMPORAL_ADDRESS: way.address });

async function builds(folder: string): Promise<void> {
  const ran = await stack.sluice(['backfill', '-p', folder, '--to', '2024-01-03', '--local', '--wait']);
  assert.equal(ran.code, 0, ran.out + ran.err);
}

test('a rate that the server does not take for a while keeps no worker from its work, and is set later', async () => {
  const folder = stack.project('rated', files('rated', 'slots: 2, rate: 50'));
  way.refuse(['UpdateTaskQueueConfig', 'ListSearchAttributes']);
  const worker = await startedThere(folder);
  await builds(folder);
  way.refuse([]);
  const connection = await Connection.connect({ address: stack.dev.info().temporalAddress });
  await eventually('the rate is in force', async () => {
    const { config } = await new Client({ connection }).workflowService.describeTaskQueue({
      namespace: 'default',
      taskQueue: { name: 'sluice.rated.w' },
      // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- as in src/worker/limits.ts
      taskQueueType: ACTIVITY_QUEUE,
      reportConfig: true,
    });
    return config?.queueRateLimit?.rateLimit?.requestsPerSecond === 50;
  });
  await connection.close();
  await kill9(worker);
});

test('a namespace that the server does not describe for a while is waited for', async () => {
  const folder = stack.project('described', files('described', 'slots: 2'));
  way.refuse(['DescribeNamespace']);
  const worker = startedThere(folder);
  // As often as the SDK tries by itself, and once more.
  await eventually('it tries again', () => (way.refused.get('DescribeNamespace') ?? 0) > 15, 60_000);
  way.refuse([]);
  const started = await worker;
  await builds(folder);
  await kill9(started);
});

test('a governor that is not taken for a while is started later', async () => {
  const folder = stack.project('governed', files('governed', 'slots: 4, law: adaptive'));
  way.refuse(['SignalWithStartWorkflowExecution', 'UpdateTaskQueueConfig']);
  const worker = await startedThere(folder);
  way.refuse([]);
  await builds(folder);
  await kill9(worker);
});

test('a worker that was killed while it made the schema leaves nothing that keeps the next one out', async () => {
  const folder = stack.project('locked', files('locked', 'slots: 2'));
  const client = await connectOnce(await stack.url('locked'));
  // As an earlier version left it, which made the schema outside of its lock's transaction.
  await client.query(`CREATE SCHEMA sluice; CREATE TABLE sluice.migrations_lock (index serial PRIMARY KEY, is_locked int);
    INSERT INTO sluice.migrations_lock (is_locked) VALUES (1)`);
  await client.end();
  const worker = await stack.worker(folder);
  await builds(folder);
  await kill9(worker);
});
