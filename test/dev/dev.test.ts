import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import pg from 'pg';
import { detachDev } from '../../src/dev/detach-dev.js';
import { runningDev } from '../../src/dev/dev-lock.js';
import { findDev, readDevFile, type DevInfo } from '../../src/dev/dev-file.js';
import { identify } from '../../src/dev/processes.js';
import { stopDev } from '../../src/dev/stop-dev.js';
import { eventually } from '../support/eventually.js';
import { alive, dataDirFor, devArgs, end, runInProcess } from './support.js';

/** Leaves a row and a workflow behind. */
async function write({ postgresUrl, temporalAddress }: DevInfo): Promise<void> {
  const database = new pg.Client({ connectionString: postgresUrl });
  await database.connect();
  await database.query('CREATE TABLE kept AS SELECT 42 AS answer');
  await database.end();
  const connection = await Connection.connect({ address: temporalAddress });
  await new Client({ connection }).workflow.start('nobody', {
    taskQueue: 'nobody',
    workflowId: 'kept',
    // An attribute that is not registered fails the start.
    typedSearchAttributes: [{ key: defineSearchAttributeKey('SluiceProject', 'KEYWORD'), value: 'flights' }],
  });
  await connection.close();
}

async function read({ postgresUrl, temporalAddress }: DevInfo): Promise<{ answer: unknown; workflow: string }> {
  const database = new pg.Client({ connectionString: postgresUrl });
  await database.connect();
  const { rows } = await database.query<{ answer: number }>('SELECT answer FROM kept');
  await database.end();
  const connection = await Connection.connect({ address: temporalAddress });
  const { status } = await new Client({ connection }).workflow.getHandle('kept').describe();
  await connection.close();
  return { answer: rows[0]?.answer, workflow: status.name };
}

function addresses({ temporalUiUrl, temporalAddress, postgresUrl }: DevInfo): string[] {
  return [temporalUiUrl, temporalAddress, postgresUrl];
}

test('Ctrl-C ends all, and a row and a workflow are there after a restart', async (context) => {
  const dataDir = dataDirFor(context);
  const first = await runInProcess(dataDir);
  assert.equal(statSync(join(dataDir, 'dev.json')).mode & 0o777, 0o600);
  assert.equal((await fetch(first.info.temporalUiUrl)).status, 200);
  await write(first.info);
  assert.equal(alive(first.info).length, 3);
  assert.equal(await end(first.child, 'SIGINT'), 0);
  assert.deepEqual(alive(first.info), []);
  assert.equal(existsSync(join(dataDir, 'dev.json')), false);

  const second = await runInProcess(dataDir);
  assert.deepEqual(await read(second.info), { answer: 42, workflow: 'RUNNING' });
  assert.deepEqual(addresses(second.info), addresses(first.info));
  assert.equal(await end(second.child, 'SIGTERM'), 0);
  assert.deepEqual(alive(second.info), []);
});

test('dev keeps its ports; one that another process has it changes, says so, and keeps the new one', async (context) => {
  const dataDir = dataDirFor(context);
  const first = await runInProcess(dataDir);
  assert.equal(await end(first.child, 'SIGTERM'), 0);
  const other = createServer();
  const port = Number(new URL(first.info.temporalUiUrl).port);
  other.listen(port, '127.0.0.1');
  await once(other, 'listening');
  const second = await runInProcess(dataDir);
  other.close();
  const changed = new RegExp(`port ${String(port)} is taken by another process: Temporal’s web UI has port `);
  assert.match(second.said.join(''), changed);
  assert.notEqual(second.info.temporalUiUrl, first.info.temporalUiUrl);
  assert.deepEqual(addresses(second.info).slice(1), addresses(first.info).slice(1));
  assert.equal(await end(second.child, 'SIGTERM'), 0);

  const third = await runInProcess(dataDir);
  assert.deepEqual(addresses(third.info), addresses(second.info));
  assert.doesNotMatch(third.said.join(''), / is taken by /);
});

test('two in two folders do not collide, a second in one folder is refused, --stop ends only its own', async (context) => {
  const [here, there] = [dataDirFor(context), dataDirFor(context)];
  const [a, b] = await Promise.all([runInProcess(here), runInProcess(there)]);
  assert.notEqual(a.info.temporalAddress, b.info.temporalAddress);
  const second = detachDev({ dataDir: here, nodeArgs: devArgs(here), env: process.env });
  await assert.rejects(second, { code: 'dev_running', message: new RegExp(`process ${String(a.child.pid)}`) });

  const exited = once(a.child, 'exit');
  assert.deepEqual(await stopDev(here), ['dev']);
  assert.deepEqual([alive(a.info), await exited], [[], [0, null]]);
  assert.equal(alive(b.info).length, 3);
  assert.deepEqual(await stopDev(here), []);
});

test('after kill -9 of dev its servers are still found; --stop ends them, and so does the next dev', async (context) => {
  const dataDir = dataDirFor(context);
  const first = await runInProcess(dataDir);
  await end(first.child, 'SIGKILL');
  assert.deepEqual(findDev({ dataDir, env: {}, projectDir: '/' }), first.info);
  assert.deepEqual(await stopDev(dataDir), ['worker', 'temporal', 'postgres']);
  assert.deepEqual(alive(first.info), []);

  const second = await runInProcess(dataDir);
  await end(second.child, 'SIGKILL');
  const third = await runInProcess(dataDir);
  assert.deepEqual(alive(second.info), []);
  assert.equal(alive(third.info).length, 3);
});

test('kill -9 in the middle of starting leaves nothing that --stop does not end', async (context) => {
  const dataDir = dataDirFor(context);
  const starting = runInProcess(dataDir).catch((error: unknown) => error);
  const dev = await eventually('the lock', () => runningDev(dataDir)?.pid);
  await eventually('a server', () => (existsSync(join(dataDir, 'processes.json')) ? true : undefined));
  process.kill(dev, 'SIGKILL');
  await starting;
  const ended = await stopDev(dataDir);
  assert.ok(ended.length > 0 && !ended.includes('dev'), ended.join());
  assert.deepEqual(await stopDev(dataDir), []);
});

test('--detach outlives its caller; a worker that is killed comes back; a server that is killed ends dev', async (context) => {
  const dataDir = dataDirFor(context);
  const info = await detachDev({ dataDir, nodeArgs: devArgs(dataDir), env: process.env });
  const { worker } = info.pids;
  assert.ok(worker !== null);
  process.kill(worker, 'SIGKILL');
  const next = await eventually('another worker', () => {
    const now = readDevFile(dataDir);
    return now !== undefined && now.pids.worker !== worker ? now : undefined;
  });
  assert.equal(alive(next).length, 3);

  process.kill(next.pids.temporal, 'SIGKILL');
  await eventually('the end', () => (identify(info.pids.dev) === undefined ? true : undefined));
  assert.deepEqual(alive(next), []);
  assert.equal(findDev({ env: { SLUICE_DATA_DIR: dataDir }, projectDir: '/' }), undefined);
});

test('--detach says why dev ended', async (context) => {
  const dataDir = dataDirFor(context);
  const nodeArgs = ['-e', 'console.error("no such project"); process.exit(2)'];
  await assert.rejects(detachDev({ dataDir, nodeArgs, env: process.env }), {
    code: 'dev_failed',
    message: /exit code 2\nno such project/,
  });
});
