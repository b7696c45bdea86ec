/** `sluice advise` on a backfill at work: what it says is in the way, is. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { clientOf, numberOf, projectYaml, reaches, sleeper, SLEEPING } from '../support/backfills.js';
import { eventually } from '../support/eventually.js';
import { startStack, type Stack } from '../support/stack.js';

describe('sluice advise', () => {
  let stack: Stack;
  before(async () => {
    stack = await startStack();
  });
  after(async () => {
    await stack.stop();
  });

  it('names the slots, then the person who took them, and says nothing of what has ended', async () => {
    const dir = stack.project('advised', {
      'sluice.yaml': projectYaml('advised', { budget: '{ slots: 2 }' }),
      ...sleeper('slow', '0.2'),
    });
    await stack.worker(dir);
    const client = await clientOf(stack, 'advised');
    await client.start({ from: '2024-01-01', to: '2026-01-01' }, { id: 'one' });
    const warehouse = await stack.connect('warehouse');
    const DONE = 'SELECT count(*) AS n FROM sluice.partitions';
    await eventually('two batches run', async () => (await numberOf(warehouse, SLEEPING)) === 2, 60_000);
    await eventually('some are done', async () => (await numberOf(warehouse, DONE)) >= 6, 60_000);
    const advised = async (): Promise<{
      limit: { code: string };
      advice: { code: string; gain: number; next: string }[];
    }> => {
      const ran = await stack.sluice(['advise', 'one', '-p', dir, '--json']);
      assert.equal(ran.code, 0, ran.err);
      return ran.json() as Awaited<ReturnType<typeof advised>>;
    };
    const { limit, advice } = await advised();
    assert.equal(limit.code, 'slots');
    const more = advice.find(({ code }) => code === 'more_slots');
    assert.ok(more && more.gain > 1.5 && more.gain <= 2, JSON.stringify(advice));
    assert.match(more.next, /connection warehouse: budget\.slots 4/);

    await stack.sluice(['warehouse', 'limit', '1', '-p', dir]);
    await eventually('one runs', async () => (await numberOf(warehouse, SLEEPING)) === 1, 60_000);
    assert.deepEqual(
      (await advised()).advice.map(({ code }) => code),
      ['release'],
    );
    const screen = await stack.sluice(['advise', 'one', '-p', dir]);
    assert.match(screen.out, /sluice warehouse -p \S+ release warehouse/);

    await client.cancel('one');
    await reaches(client, 'one', 'cancelled');
    const ended = await advised();
    assert.deepEqual([ended.limit.code, ended.advice], ['nothing', []]);
    await client.close();
  });
});
