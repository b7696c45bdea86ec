import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { defaultPayloadConverter } from '@temporalio/common';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import type { BackfillClient } from '../../src/client/index.js';
import { SliceResult } from '../../src/contracts/slice.js';
import type { DatasetStatus } from '../../src/contracts/status.js';
import { clientOf, projectYaml, reaches } from '../support/backfills.js';
import { eventually } from '../support/eventually.js';
import { startStack, type Stack } from '../support/stack.js';

/** More than are started at once, and a crowd for four slots; some minutes with a thousand. */
const [DATASETS, DAYS, ID] = [100, 12, 'many'];
const NAMES = Array.from({ length: DATASETS }, (_, i) => `d${String(i).padStart(3, '0')}`);
const sql = `/*
time: day
*/
SELECT d AS day, 1 AS n FROM generate_series(:start, :end - interval '1 day', interval '1 day') d
`;

let stack: Stack;
let client: BackfillClient;
let connection: Connection;
let childOf: (name: string) => WorkflowHandle;
let parent: WorkflowHandle;

before(async () => {
  stack = await startStack();
  const files = Object.fromEntries(NAMES.map((name) => [`datasets/${name}.sql`, sql]));
  const project = stack.project('many', { 'sluice.yaml': projectYaml('many'), ...files });
  await stack.url('warehouse');
  await stack.worker(project);
  client = await clientOf(stack, 'many');
  connection = await Connection.connect({ address: stack.dev.info().temporalAddress });
  const temporal = new Client({ connection });
  parent = temporal.workflow.getHandle(`backfill/many/${ID}`);
  childOf = (name) => temporal.workflow.getHandle(`backfill/many/${ID}/${name}`);
});

after(async () => {
  await client.close();
  await connection.close();
  await stack.stop();
});

test('paused while its datasets are started, each of many is paused, and ends once it is resumed', async () => {
  await client.start({ from: '2024-01-01', to: '2024-01-13' }, { id: ID });
  await reaches(client, ID, 'running');
  await client.pause(ID);
  for (const name of NAMES)
    await eventually(`${name} is paused`, async () => {
      // Before it is there, nobody is asked.
      const status = await childOf(name)
        .query<DatasetStatus>('status')
        .catch(() => undefined);
      return status?.state === 'paused' || status?.state === 'done';
    });
  const paused = await client.status(ID);
  assert.equal(paused.state, 'paused');
  assert.ok(paused.partitions.done < DATASETS * DAYS, 'it was paused in its middle');
  await client.resume(ID);
  const { state, partitions } = await client.result(ID);
  assert.deepEqual([state, partitions.done], ['completed', DATASETS * DAYS]);
});

test('steps of what a person asks about go before those of its datasets', async () => {
  const [asked, built] = await Promise.all([parent.describe(), childOf('d000').describe()]);
  assert.deepEqual([asked.priority?.priorityKey, built.priority?.priorityKey], [1, 3]);
});

test('who was being started when it was paused is told with the others', async () => {
  const { events } = await parent.fetchHistory();
  const orders = (events ?? []).filter(
    ({ activityTaskScheduledEventAttributes: scheduled }) => scheduled?.activityType?.name === 'tellDatasets',
  );
  // Told one after another, on a busy machine 51 orders are sent.
  assert.ok(orders.length <= 20, `${orders.length} orders`);
});

test('in a crowd each dataset is built in few slices', async () => {
  const counts = await Promise.all(
    NAMES.map(async (name) => {
      const { events } = await childOf(name).fetchHistory();
      return (events ?? []).filter(({ activityTaskCompletedEventAttributes: ended }) =>
        // Those that a closed gate turned away built nothing: how many depends on when each heard of the pause.
        (ended?.result?.payloads ?? []).some((payload) => {
          const slice = SliceResult.safeParse(defaultPayloadConverter.fromPayload(payload));
          return slice.success && slice.data.done.length > 0;
        }),
      ).length;
    }),
  );
  const mean = counts.reduce((sum, count) => sum + count, 0) / DATASETS;
  assert.ok(mean <= 6, `${mean} slices each`);
});
