/** A password in a file, changed under a running worker. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startStack, type Stack } from '../support/stack.js';
import { countsOf, typed } from './planning-kit.js';

let stack: Stack;

before(async () => {
  stack = await startStack();
});
after(() => stack.stop());

test('a secret that is read from a file and rotated is used by the next connection, without a restart', async () => {
  const admin = await stack.connect('wh_rotated');
  await admin.query(`CREATE ROLE rotated LOGIN SUPERUSER PASSWORD 'first'`);
  const secret = join(stack.dir, 'secret');
  writeFileSync(secret, 'first\n');
  const { host, pathname } = new URL(await stack.url('wh_rotated'));
  const folder = stack.project('rotated', {
    'sluice.yaml': `project: rotated
connections:
  warehouse: { type: postgres, url: "postgres://rotated:\${file:${secret}}@${host}${pathname}" }
warehouse: warehouse
schema: analytics
defaults: { grain: day, start: 2024-01-01 }
`,
    'datasets/days.sql': `/*
time: day
*/
SELECT d AS day FROM generate_series(:start, :end - interval '1 day', interval '1 day') d
`,
  });
  const rotated = typed(stack, 'rotated');
  await stack.worker(folder);
  await rotated.build('--on 2024-01-01');

  await admin.query(`ALTER ROLE rotated PASSWORD 'second'`);
  const ended = await admin.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rotated'`);
  assert.ok((ended.rowCount ?? 0) > 0, 'the worker had connections to lose');
  const locked = await rotated.run('plan --on 2024-01-02');
  assert.equal(locked.code, 1);
  assert.match(locked.err, /check the user and the password/);
  assert.doesNotMatch(locked.err, /first|second/);

  writeFileSync(secret, 'second\n');
  await rotated.build('--on 2024-01-02');
  assert.deepEqual(countsOf(await rotated.plan('--from 2024-01-01 --to 2024-01-03')), { days: [0, 0, 0, 2] });
});
