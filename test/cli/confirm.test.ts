import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { requireConfirmed } from '../../src/cli/confirm.js';
import { silentIo } from './support/io.js';

const asked = { yes: false, json: false, partitions: 10_000, command: new Command('backfill') };
const many = { input: { project: 'p' }, partitions: 167_693, datasets: 15 };

test('at a terminal it asks, and only yes goes on; whoever named a range is not asked', async () => {
  const questions: string[] = [];
  const io = (answer: string): ReturnType<typeof silentIo> => ({
    ...silentIo(),
    ask: (question) => {
      questions.push(question);
      return Promise.resolve(answer);
    },
  });
  await requireConfirmed(io(' Yes '), many, asked);
  for (const answer of ['', 'n', 'yesterday'])
    await assert.rejects(requireConfirmed(io(answer), many, asked), { code: 'not_confirmed', exitCode: 2 });
  assert.equal(questions.length, 4);
  assert.match(questions[0] ?? '', /167,693 partitions of 15 datasets, and no range/);
  for (const bounded of [{ last: '3d' }, { on: '2024-01-01' }, { from: '2024' }, { to: '2024' }, { plan: 'f' }])
    await requireConfirmed(io('n'), { ...many, input: { project: 'p', ...bounded } }, asked);
  await requireConfirmed(io('n'), { ...many, partitions: 10_000 }, asked);
  assert.equal(questions.length, 4);
  // A program reads JSON: nobody is there to answer.
  await assert.rejects(requireConfirmed(io('y'), many, { ...asked, json: true }), { remedy: /sluice backfill --yes$/ });
});
