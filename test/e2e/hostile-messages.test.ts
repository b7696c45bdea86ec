/** Whatever is sent to a workflow by hand: it is refused or dropped, and no task of the workflow fails of it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Client, Connection, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import fc from 'fast-check';
import { BackfillStatus } from '../../src/contracts/status.js';
import { clientOf, projectYaml, reaches, sleeper } from '../support/backfills.js';
import { startStack, type Stack } from '../support/stack.js';

const parsed = (text: string): unknown => JSON.parse(text) as unknown;
/** Wrong for every message: of a wrong type, with an unknown key or of another version, or with names that objects have of themselves. */
const NONSENSE: readonly unknown[] = [
  ...['', 'pause', 0, -1, true, [], [{}], [[[]]], { reason: 5 }, { reason: null }, { version: 2 }],
  parsed('{"__proto__": {"reason": "x"}}'),
  parsed('{"constructor": {"prototype": {"paused": true}}}'),
  ...fc.sample(
    fc.jsonValue().filter((value) => value !== null && (typeof value !== 'object' || Object.keys(value).length > 0)),
    { numRuns: 8, seed: 4711 },
  ),
];
/** Close to what Temporal carries at most: one a time, as several at once are more than that, and Temporal itself ends the workflow. */
const HUGE: readonly unknown[] = [{ reason: 'x'.repeat(1_900_000) }, { ['k'.repeat(900_000)]: 1 }];
const MESSAGES = ['pause', 'resume', 'retry', 'skip', 'adjust', 'cancel'];

let stack: Stack;
let connection: Connection;
let temporal: Client;
before(async () => {
  stack = await startStack();
  const project = stack.project('bait', { 'sluice.yaml': projectYaml('bait'), ...sleeper('slow', '60') });
  await stack.connect('warehouse');
  await stack.worker(project);
  connection = await Connection.connect({ address: stack.dev.info().temporalAddress });
  temporal = new Client({ connection });
});
after(async () => {
  await connection.close();
  await stack.stop();
});

/** Sends all of it as signals, in no order. */
async function signalAll(
  handle: WorkflowHandle,
  names: readonly string[],
  bodies: readonly unknown[],
): Promise<number> {
  for (const name of names) await Promise.all(bodies.map((body) => handle.signal(name, body)));
  return names.length * bodies.length;
}

/**
 * All that was sent has arrived, and no task failed by what the workflow does with it. Of a burst of signals the server itself cuts a task short
 * (FORCE_CLOSE_COMMAND), and then tries it again.
 */
async function requireUnharmed(handle: WorkflowHandle, signals: number): Promise<void> {
  const { events = [] } = await handle.fetchHistory();
  const failed = (events ?? []).flatMap(({ workflowTaskFailedEventAttributes: one }) =>
    one?.failure ? [one.failure.message] : [],
  );
  assert.deepEqual(failed, []);
  const arrived = (events ?? []).filter((event) => event.workflowExecutionSignaledEventAttributes);
  assert.ok(arrived.length >= signals, `${arrived.length} of ${signals}`);
}

test('messages that make no sense: updates say so, signals are dropped, and the backfill goes on', async () => {
  const backfills = await clientOf(stack, 'bait');
  await backfills.start({ from: '2024-01-01', to: '2024-01-03' }, { id: 'one' });
  await reaches(backfills, 'one', 'running');
  const parent = temporal.workflow.getHandle('backfill/bait/one');
  const child = temporal.workflow.getHandle('backfill/bait/one/slow');

  const sent = (await signalAll(parent, [...MESSAGES, 'report'], NONSENSE)) + (await signalAll(parent, ['skip'], HUGE));
  const toChild = await signalAll(child, ['news', 'order'], NONSENSE);
  const refused = (name: string, body: unknown): Promise<void> =>
    assert.rejects(parent.executeUpdate(name, { args: [body] }), (error: unknown) => {
      const cause = error instanceof Error ? error.cause : undefined;
      assert.ok(cause instanceof ApplicationFailure, `${name}: ${String(error)}`);
      assert.equal(cause.type, 'message_refused');
      return cause.message.length > 0 && cause.message.length <= 4_000;
    });
  // Temporal takes ten updates of a workflow at once.
  for (const body of NONSENSE) await Promise.all(MESSAGES.map((name) => refused(name, body)));
  for (const body of HUGE) await refused('skip', body);

  const there = BackfillStatus.parse(await parent.query('status', 'what', { is: 'this' }));
  assert.deepEqual([there.state, there.datasets[0]?.state], ['running', 'running']);
  // They still listen.
  assert.equal((await backfills.pause('one')).state, 'paused');
  await requireUnharmed(parent, sent);
  await requireUnharmed(child, toChild);
  await backfills.cancel('one');
  await reaches(backfills, 'one', 'cancelled');
  await assert.rejects(parent.executeUpdate('pause', { args: [{}] }));
  await assert.rejects(parent.signal('pause', {}));
  await backfills.close();
});

test('an input that makes no sense ends the workflow with what is wrong, and nothing else', async () => {
  const right = { project: 'bait', from: '2024-01-01' };
  const inputs = [
    ...NONSENSE,
    ...HUGE,
    ...[{ project: 'a/b' }, { project: 'x'.repeat(64) }, { ...right, environment: 'a@b' }, { ...right, form: '2024' }],
    ...[
      { ...right, to: 'x'.repeat(1_900_000) },
      { ...right, select: ['x'.repeat(401)] },
      { ...right, maxParallel: 1e15 },
      { project: 'a\0' },
    ],
  ];
  await Promise.all(
    inputs.map(async (input, index) => {
      const workflowId = `nonsense-${index}`;
      const handle = await temporal.workflow.start('backfill', { workflowId, taskQueue: 'sluice', args: [input] });
      await assert.rejects(handle.result(), (error: unknown) => {
        const cause = error instanceof WorkflowFailedError ? error.cause : undefined;
        assert.ok(cause instanceof ApplicationFailure, String(error));
        return cause.type === 'bad_request' && cause.message.length <= 4_000;
      });
    }),
  );
});
