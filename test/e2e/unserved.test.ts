/** A backfill of an environment that no worker serves, beside one whose worker carries all workflows out. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import { BackfillClient } from '../../src/client/index.js';
import { Client, Connection } from '@temporalio/client';
import { numberOf, projectYaml, reaches, sleeper } from '../support/backfills.js';
import { eventually } from '../support/eventually.js';
import { startStack, type Stack } from '../support/stack.js';

let stack: Stack;
let folder: string;
let client: BackfillClient;
let connection: Connection;
const Shown = z.object({
  id: z.string(),
  state: z.string(),
  waiting: z.object({ for: z.string(), next: z.string() }).nullable(),
});
before(async () => {
  stack = await startStack();
  folder = stack.project('acme', {
    'sluice.yaml': `${projectYaml('acme')}environments:\n  x2: { schema: acme_x2 }\n`,
    ...sleeper('daily', '0'),
  });
  await stack.worker(folder);
  const address = stack.dev.info().temporalAddress;
  client = await BackfillClient.connect({ address, project: 'acme', environment: 'x2' });
  connection = await Connection.connect({ address });
});
after(async () => {
  await connection.close();
  await client.close();
  await stack.stop();
});

/** As `temporal workflow start` does. */
async function startByHand(id: string): Promise<void> {
  await new Client({ connection }).workflow.start('backfill', {
    workflowId: client.workflowId(id),
    taskQueue: 'sluice',
    args: [{ project: 'acme', environment: 'x2', to: '2024-01-04' }],
  });
}

const typed = (...args: string[]): ReturnType<Stack['sluice']> =>
  stack.sluice([...args, '-p', folder, '-e', 'x2', '--json']);

test('it says that no worker serves the environment and what starts one, is in the list, and ends when it is cancelled', async () => {
  await startByHand('alone');
  const waiting = Shown.parse((await typed('status', 'alone')).json());
  assert.equal(waiting.state, 'planning');
  assert.match(waiting.waiting?.for ?? '', /^a worker of acme@x2: none has taken/);
  assert.match(waiting.waiting?.next ?? '', /^sluice worker .*-e x2/);
  const [listed] = z.array(Shown).parse((await typed('list')).json());
  assert.deepEqual([listed?.id, listed?.state], ['alone', 'planning']);
  assert.match(listed?.waiting?.for ?? '', /^a worker of acme@x2/);
  const cancelled = await typed('cancel', 'alone');
  assert.equal(cancelled.code, 0, cancelled.err);
  const ended = Shown.parse(cancelled.json());
  assert.deepEqual([ended.state, ended.waiting], ['cancelled', null]);
  // Nobody but the workflow itself ends this one.
  await startByHand('by_hand');
  const byHand = new Client({ connection }).workflow.getHandle(client.workflowId('by_hand'));
  await byHand.cancel();
  await eventually('it has ended', async () => (await byHand.describe()).status.name === 'CANCELLED', 60_000);
});

test('one that waits goes on by itself once a worker of its environment is there, and what one has planned is told from what nobody has', async () => {
  await startByHand('patient');
  await reaches(client, 'patient', 'planning');
  await stack.worker(folder, ['-e', 'x2']);
  const { partitions } = await reaches(client, 'patient', 'completed');
  assert.equal(partitions.done, 3);
  const warehouse = await stack.connect('warehouse');
  assert.equal(await numberOf(warehouse, 'SELECT count(*) AS n FROM acme_x2.daily'), 3);
});
