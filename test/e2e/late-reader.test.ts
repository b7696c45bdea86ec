/** Who tells a reader before it has started, or after it has ended: nothing is lost, and nobody is waited for in vain. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import type { BackfillClient } from '../../src/client/index.js';
import { DatasetStatus } from '../../src/contracts/status.js';
import { clientOf, projectYaml, reaches } from '../support/backfills.js';
import { eventually } from '../support/eventually.js';
import { startStack, type Stack } from '../support/stack.js';

const transform = (select: string): string => `/*\ntime: day\n*/\nSELECT ${select}\n`;
const DAYS = `FROM generate_series(:start, :end - interval '1 day', interval '1 day') d`;

let stack: Stack;
let client: BackfillClient;
let connection: Connection;
let temporal: Client;
before(async () => {
  stack = await startStack();
  const project = stack.project('late', {
    'sluice.yaml': projectYaml('late'),
    'datasets/good.sql': transform(`d AS day, 1 AS n ${DAYS}`),
    'datasets/bad.sql': transform(`d AS day, 1 / (extract(day FROM d)::int % 2) AS n ${DAYS}`),
    'datasets/reader.sql': transform('day, n FROM bad WHERE day >= :start AND day < :end'),
  });
  await stack.url('warehouse');
  await stack.worker(project);
  client = await clientOf(stack, 'late');
  connection = await Connection.connect({ address: stack.dev.info().temporalAddress });
  temporal = new Client({ connection });
});
after(async () => {
  await client.close();
  await connection.close();
  await stack.stop();
});

/** Starts a dataset of a backfill again, as a child of nobody: under another id, with what it was started with and `more`. */
async function again(id: string, name: string, by: string, more: object): Promise<WorkflowHandle> {
  const { events } = await temporal.workflow.getHandle(`backfill/late/${id}/${name}`).fetchHistory();
  const [payload] = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  assert.ok(payload, `${name} was started with something`);
  const input = defaultPayloadConverter.fromPayload<{ ref: object }>(payload);
  return temporal.workflow.start('dataset', {
    workflowId: `${by}/${name}`,
    taskQueue: 'sluice',
    args: [{ ...input, ref: { ...input.ref, workflowId: by }, ...more }],
  });
}

/** Messages that went to `reader`, whether it was there or not. */
async function toldTo(reader: string, teller: WorkflowHandle): Promise<number> {
  const { events } = await teller.fetchHistory();
  return (events ?? []).filter(
    ({ signalExternalWorkflowExecutionInitiatedEventAttributes: told }) =>
      told?.workflowExecution?.workflowId === reader,
  ).length;
}

test('a reader that nobody can reach does not hold up the end: what is done the ledger tells it', async () => {
  await client.start({ select: ['good'], from: '2024-01-01', to: '2024-01-05' }, { id: 'done' });
  assert.equal((await client.result('done')).state, 'completed');
  const good = await again('done', 'good', 'ended', { readers: ['reader'] });
  await good.result();
  assert.equal(await toldTo('ended/reader', good), 1);
});

test('a reader that starts after something failed hears of it', async () => {
  await client.start({ select: ['bad', 'reader'], from: '2024-01-01', to: '2024-01-05' }, { id: 'failed' });
  await reaches(client, 'failed', 'held');
  const bad = await again('failed', 'bad', 'early', {});
  await eventually('it was told twice in vain', async () => (await toldTo('early/reader', bad)) > 1);
  const reader = await again('failed', 'reader', 'early', {});
  await eventually('what cannot be built is blocked', async () => {
    const { blocked } = DatasetStatus.parse(await reader.query('status'));
    return blocked === 2;
  });
  await Promise.all([bad, reader].map((handle) => handle.terminate('seen')));
  await client.cancel('failed');
});
