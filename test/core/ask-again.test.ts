import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServiceError, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { askAgain, sendAgain } from '../../src/client/ask-again.js';
import { allEnded } from '../../src/contracts/all-ended.js';

const failed = (code: number, details: string): Error =>
  Object.assign(new Error(`${code} ${details}`), { code, details, metadata: {} });
/** As the server says it of a question that is with a worker which ends, and as the SDK says that the time is over. */
const brokenOff = new ServiceError('Failed to query Workflow', { cause: failed(1, 'context canceled') });
const silence = new ServiceError('Failed to query Workflow', { cause: failed(4, 'Deadline exceeded') });
const SOON_MS = 5_000;

/** Asks with these answers, one after the other. */
async function asking(answers: readonly (string | Error)[]): Promise<{ answer: unknown; asked: string[] }> {
  const asked: string[] = [];
  let underWay = 0;
  const ask = async (deadline?: number): Promise<string> => {
    const answer = answers[asked.length];
    asked.push(deadline === undefined ? 'as long as it takes' : `for ${Math.round((deadline - Date.now()) / 1000)} s`);
    assert.equal(++underWay, 1, 'one after the other');
    await Promise.resolve();
    underWay--;
    if (typeof answer === 'string') return answer;
    throw answer ?? new Error('asked too often');
  };
  return { answer: await askAgain(ask, SOON_MS).catch((error: unknown) => error), asked };
}

test('what nobody answers is asked once more', async () => {
  assert.deepEqual(await asking([silence, 'the second']), {
    answer: 'the second',
    asked: ['for 5 s', 'as long as it takes'],
  });
  assert.deepEqual(await asking([silence, silence]), { answer: silence, asked: ['for 5 s', 'as long as it takes'] });
});

test('what the server breaks off is asked once more, at once', async () => {
  assert.deepEqual(await asking([brokenOff, 'the second']), { answer: 'the second', asked: ['for 5 s', 'for 5 s'] });
  assert.deepEqual(await asking([brokenOff, brokenOff]), { answer: brokenOff, asked: ['for 5 s', 'for 5 s'] });
  assert.deepEqual((await asking([brokenOff, silence, 'the third'])).answer, 'the third');
});

test('what is answered, or refused, is asked once', async () => {
  const refused = new Error('refused');
  assert.deepEqual(await asking(['the first']), { answer: 'the first', asked: ['for 5 s'] });
  assert.deepEqual(await asking([refused]), { answer: refused, asked: ['for 5 s'] });
});

test('of questions that are asked together none is under way when the first has failed', async () => {
  let underWay = true;
  const slow = async (): Promise<void> => {
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
    underWay = false;
  };
  await assert.rejects(allEnded([Promise.reject(silence), slow()]), silence);
  assert.equal(underWay, false);
});

test('a message that no worker has looked at is sent again; one that was refused is not', async () => {
  const lost = new WorkflowUpdateFailedError('refused', ApplicationFailure.nonRetryable('', 'UnprocessedUpdate'));
  const refused = new WorkflowUpdateFailedError('refused', ApplicationFailure.nonRetryable('', 'not_held'));
  const sending = async (answers: readonly (string | Error)[]): Promise<[unknown, number]> => {
    let sent = 0;
    const send = (): Promise<string> => {
      const answer = answers[sent++];
      return typeof answer === 'string' ? Promise.resolve(answer) : Promise.reject(answer ?? new Error('too often'));
    };
    return [await sendAgain(send).catch((error: unknown) => error), sent];
  };
  assert.deepEqual(await sending([lost, 'the second']), ['the second', 2]);
  assert.deepEqual(await sending([refused]), [refused, 1]);
  assert.deepEqual(await sending([lost, lost, lost]), [lost, 3]);
});
