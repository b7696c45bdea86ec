import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ApplicationFailure } from '@temporalio/activity';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { weigh } from '../../bench/lib/histories.js';
import type { CallInput } from '../../src/contracts/call.js';
import { bytesOf, STATUS_BYTES_MAX } from '../../src/contracts/parts.js';
import { BackfillStatus } from '../../src/contracts/status.js';
import type { BackfillClient } from '../../src/client/index.js';
import { clientOf, projectYaml, reaches } from '../support/backfills.js';
import { startStack, type Stack } from '../support/stack.js';

/** A status that does not fit into one payload: few datasets with failures as long as they can be, for a thousand take minutes. */
const DATASETS = 4;
const DAYS = 20;
const NAMES = Array.from({ length: DATASETS }, (_, i) => `talks_${i}`);
const [PAYLOAD_MAX, ID] = [100_000, 'wordy'];

let stack: Stack;
let client: BackfillClient;
let stop: () => Promise<void>;

/** Fails for good, in 1,500 bytes, with another code than the day before, so that no two are joined. */
function talk({ interval }: CallInput): Promise<never> {
  const day = Number(interval.start.slice(8, 10));
  const type = day % 2 === 0 ? 'even' : 'odd';
  return Promise.reject(ApplicationFailure.create({ type, message: '日'.repeat(900), nonRetryable: true }));
}

before(async () => {
  // 80 failures of 1,500 bytes are what this is about.
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  stack = await startStack();
  const files = Object.fromEntries(
    NAMES.map((name) => [`datasets/${name}.yaml`, 'call: { activity: talk, taskQueue: talkers, timeout: 1m }\n']),
  );
  const project = stack.project('wordy', { 'sluice.yaml': projectYaml('wordy'), ...files });
  await stack.url('warehouse');
  await stack.worker(project);
  const connection = await NativeConnection.connect({ address: stack.dev.info().temporalAddress });
  const worker = await Worker.create({ connection, taskQueue: 'talkers', activities: { talk } });
  const running = worker.run();
  client = await clientOf(stack, 'wordy');
  stop = async () => {
    worker.shutdown();
    await running;
    await connection.close();
    await client.close();
  };
  await client.start({ from: '2024-01-01', to: `2024-01-${DAYS + 1}` }, { id: ID });
});

after(async () => {
  await stop();
  await stack.stop();
});

const whole = (status: BackfillStatus): void => {
  assert.equal(status.leftOut, undefined);
  assert.deepEqual(
    status.datasets.map(({ name, failures }) => [name, failures.length]),
    NAMES.map((name) => [name, DAYS]),
  );
};

test('a status that fits into no payload is whole for whoever asks for it, and short in every history', async () => {
  const held = await reaches(client, ID, 'held', 120_000);
  assert.ok(bytesOf(held) > PAYLOAD_MAX, `${bytesOf(held)} bytes`);
  whole(held);
  const connection = await Connection.connect({ address: stack.dev.info().temporalAddress });
  const temporal = new Client({ connection });
  const handle = temporal.workflow.getHandle(`backfill/wordy/${ID}`);
  const query = BackfillStatus.parse(await handle.query('status'));
  assert.ok(bytesOf(query) <= STATUS_BYTES_MAX);
  assert.equal(query.datasets.length + (query.leftOut ?? 0), DATASETS);
  assert.deepEqual(query.partitions, held.partitions);
  assert.equal(
    BackfillStatus.parse(await handle.query('status', { from: DATASETS - 1 })).datasets[0]?.name,
    NAMES.at(-1),
  );
  for (const hostile of [{ from: -1 }, { from: '0' }, 'x', null, [0]])
    assert.deepEqual(BackfillStatus.parse(await handle.query('status', hostile)).leftOut, query.leftOut);

  whole(await client.adjust(ID, { priority: 2 }));
  await client.cancel(ID);
  whole(BackfillStatus.parse((await stack.sluice(['status', ID, '-p', `${stack.dir}/wordy`, '--json'])).json()));
  const weight = await weigh(temporal, `backfill/wordy/${ID}`);
  assert.ok(weight.payloadBytes <= PAYLOAD_MAX, `${weight.payloadIn}: ${weight.payloadBytes} bytes`);
  await connection.close();
});

test('the warehouse keeps all of it, without Temporal', async () => {
  const db = await stack.connect('warehouse');
  const { rows } = await db.query<{ status: unknown }>('SELECT status FROM sluice.backfills WHERE backfill_id = $1', [
    ID,
  ]);
  whole(BackfillStatus.parse(rows[0]?.status));
});
