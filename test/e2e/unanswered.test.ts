import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BackfillStatus } from '../../src/contracts/status.js';
import { clientOf, kill9, numberOf, projectYaml, sleeper } from '../support/backfills.js';
import { eventually } from '../support/eventually.js';
import { spawnSluice } from '../support/spawned.js';
import { startStack, type Stack } from '../support/stack.js';

/** No worker is there: what commands say of a backfill then, and that they neither hang without a word nor leave it out. */
let stack: Stack;
before(async () => {
  stack = await startStack();
});
after(() => stack.stop());

test('without a worker a backfill is shown by its plan and the ledger; a message waits, says so, and arrives', async () => {
  const project = stack.project('left', { 'sluice.yaml': projectYaml('left'), ...sleeper('nap', '0.2') });
  const worker = await stack.worker(project);
  const client = await clientOf(stack, 'left');
  await client.start({ from: '2024-01-01', to: '2024-12-31' }, { id: 'n' });
  const published = async (): Promise<number> =>
    numberOf(await stack.connect('warehouse'), `SELECT count(*) AS n FROM sluice.partitions WHERE dataset = 'nap'`);
  await eventually('some are published', async () => (await published()) > 2);
  await kill9(worker);

  const shown = await stack.sluice(['status', 'n', '-p', project, '--json']);
  assert.equal(shown.code, 0, shown.err);
  const status = BackfillStatus.parse(shown.json());
  const done = await published();
  assert.deepEqual([status.id, status.state, status.partitions.total], ['n', 'running', 365]);
  assert.equal(status.partitions.done, done);
  assert.deepEqual(
    [status.waiting?.for, status.waiting?.next],
    ['a worker: none answers', `sluice worker -p ${project}`],
  );
  assert.deepEqual(
    status.datasets.map(({ name, total, state }) => [name, total, state]),
    [['nap', 365, 'running']],
  );
  const listed = BackfillStatus.array().parse((await stack.sluice(['list', '-p', project, '--json'])).json());
  assert.deepEqual(
    listed.map(({ id, partitions }) => [id, partitions.done]),
    [['n', done]],
  );
  const unknown = await stack.sluice(['status', 'unheard_of', '-p', project, '--json']);
  assert.equal(unknown.code, 2);
  assert.match(unknown.out, /"unknown_backfill"/);

  const pausing = spawnSluice(stack, ['pause', 'n', '-p', project, '--json']);
  await eventually('it says that nobody answers', () => pausing.said.err.includes('no worker has answered'));
  const next = await stack.worker(project);
  const { code, out } = await pausing.ended;
  assert.equal(code, 0, out);
  assert.equal(BackfillStatus.parse(JSON.parse(out)).state, 'paused');
  await client.cancel('n');

  // One that was ended by the server's own means has no words of its own.
  await client.start({ from: '2024-01-01', to: '2024-12-31', rebuild: 'all' }, { id: 't' });
  await eventually('it is planned', async () => (await client.status('t')).partitions.total === 365);
  await kill9(next);
  await client.terminate('t', 'test');
  const ended = await stack.sluice(['status', 't', '-p', project, '--json']);
  const document = BackfillStatus.parse(ended.json());
  assert.deepEqual(
    [document.state, document.reason, document.waiting],
    ['failed', 'its workflow was terminated', null],
  );
  await client.close();
});
