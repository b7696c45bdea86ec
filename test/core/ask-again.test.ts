import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServiceError } from '@temporalio/client';
import { askAgain } from '../../src/client/ask-again.js';

/** As the server says it of a question that is with a worker which ends. */
const brokenOff = Object.assign(new Error('1 CANCELLED: context canceled'), {
  code: 1,
  details: 'context canceled',
  metadata: {},
});
/** Longer than a test may take: whoever waits for it has hung. */
const NEVER_MS = 2 ** 31 - 1;

test('what nobody answers is asked once more, and that answer counts; the other question is broken off', async () => {
  const asked: AbortSignal[] = [];
  const ask = (over: AbortSignal): Promise<string> =>
    asked.push(over) === 1 ? new Promise<never>(() => undefined) : Promise.resolve('the second');
  assert.equal(await askAgain(ask, 0), 'the second');
  assert.deepEqual(
    asked.map(({ aborted }) => aborted),
    [true, true],
  );
});

test('what the server breaks off is asked once more, at once', async () => {
  let asked = 0;
  const ask = async (): Promise<number> => {
    await Promise.resolve();
    if (++asked % 2 === 1) throw new ServiceError('Failed to query Workflow', { cause: brokenOff });
    return asked;
  };
  assert.equal(await askAgain(ask, NEVER_MS), 2);
  await assert.rejects(
    askAgain(() => Promise.reject(brokenOff), NEVER_MS),
    brokenOff,
  );
});

test('what is answered, or fails, is asked once and not waited for', async () => {
  let asked = 0;
  assert.equal(await askAgain(() => Promise.resolve(++asked), NEVER_MS), 1);
  await assert.rejects(
    askAgain(() => Promise.reject(new Error(`refused ${++asked}`)), NEVER_MS),
    /refused 2/,
  );
});
