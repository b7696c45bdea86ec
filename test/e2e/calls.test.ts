import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { ApplicationFailure, Context, heartbeat } from '@temporalio/activity';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { CallInput } from '../../src/contracts/call.js';
import type { BackfillClient } from '../../src/client/index.js';
import { clientOf, kill9, numberOf, projectYaml, reaches, sleeper } from '../support/backfills.js';
import { eventually } from '../support/eventually.js';
import { startStack, type Stack } from '../support/stack.js';

/** Calls: activities of a user's own, on the user's own workers. Here they are of this process, but where one is killed. */
const call = (activity: string, needs = '', queue = 'inside'): string =>
  `call: { activity: ${activity}, taskQueue: ${queue}, timeout: 1m, heartbeat: 2s }\n${needs === '' ? '' : `needs: { ${needs}: {} }\n`}`;

const FILES = {
  'sluice.yaml': projectYaml('called', { budget: '{ slots: 2 }' }),
  ...sleeper('day', '0'),
  'datasets/push.yaml': call('push', 'day'),
  'datasets/after.yaml': call('after', 'push'),
  'datasets/table_after.sql': `/*
time: day
needs: { push: {} }
*/
SELECT d AS day, clock_timestamp() AS built FROM generate_series(:start, :end - interval '1 day', interval '1 day') d
`,
  'datasets/brief_a.yaml': call('brief'),
  'datasets/brief_b.yaml': call('brief'),
  'datasets/linger.yaml': call('linger'),
  'datasets/lonely.yaml': call('lonely', '', 'nobody'),
  'datasets/killed.yaml': call('waitForGo', '', 'outside'),
};

let stack: Stack;
let warehouse: pg.Client;
let client: BackfillClient;
let temporal: NativeConnection;
const ends: (() => Promise<void>)[] = [];

interface Made extends CallInput {
  readonly activity: string;
  readonly began: number;
  ended: number;
  outcome: string;
}
const made: Made[] = [];
const of = (activity: string, day?: string): Made[] =>
  made.filter((one) => one.activity === activity && (day === undefined || one.interval.start === `${day}T00:00:00Z`));

/** Most calls under way at once. */
const most = (calls: readonly Made[]): number =>
  Math.max(...calls.map(({ began }) => calls.filter((one) => one.began <= began && began < one.ended).length));

/** An activity that keeps what it was called with, and how it ended. */
function kept(activity: string, work: (input: CallInput) => Promise<void> | void) {
  return async (input: CallInput): Promise<string> => {
    const one: Made = {
      ...CallInput.strict().parse(input),
      activity,
      began: Date.now(),
      ended: Infinity,
      outcome: 'runs',
    };
    made.push(one);
    try {
      await work(input);
      one.outcome = 'done';
      return 'ignored';
    } catch (error) {
      one.outcome = error instanceof Error ? error.name : 'failed';
      throw error;
    } finally {
      one.ended = Date.now();
    }
  };
}

let refuse = true;
const ACTIVITIES = {
  push: kept('push', ({ interval }) => {
    const day = interval.start.slice(0, 10);
    if (day === '2024-01-02' && of('push', day).length === 1) throw ApplicationFailure.retryable('busy', 'Busy');
    if (day === '2024-01-03' && refuse) throw ApplicationFailure.nonRetryable('not this day', 'Rejected');
  }),
  after: kept('after', () => undefined),
  // Without a cap of its own a backfill's calls wait until two of them run: then a third would have its chance.
  brief: kept('brief', async ({ backfill }) => {
    if (backfill === 'p2') await eventually('two run at once', () => most(of('brief')) > 1);
    let looks = 0;
    await eventually('others have had their chance', () => ++looks > 3);
  }),
  linger: kept('linger', async () => {
    const beat = setInterval(() => heartbeat(), 100);
    await Context.current().cancelled.finally(() => {
      clearInterval(beat);
    });
  }),
};

async function poll(taskQueue: string, activities: object): Promise<void> {
  const worker = await Worker.create({
    connection: temporal,
    taskQueue,
    activities,
    maxHeartbeatThrottleInterval: '200ms',
  });
  const running = worker.run();
  ends.push(async () => {
    worker.shutdown();
    await running;
  });
}

before(async () => {
  // Failures are a part of these tests; the SDK would tell of each.
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  stack = await startStack();
  warehouse = await stack.connect('warehouse');
  stack.project('called', FILES);
  temporal = await NativeConnection.connect({ address: stack.dev.info().temporalAddress });
  await Promise.all([stack.worker(`${stack.dir}/called`), poll('inside', ACTIVITIES)]);
  client = await clientOf(stack, 'called');
});
after(async () => {
  await client.close();
  await Promise.all(ends.map((end) => end()));
  await temporal.close();
  await stack.stop();
});

const fourDays = { from: '2024-01-01', to: '2024-01-05' };
const ledger = `SELECT digest, rows::int AS rows FROM sluice.partitions WHERE dataset = $1 ORDER BY starts_at`;

test('a call is tried again, a refused one fails its partition alone and blocks its readers, retry goes on', async () => {
  await client.start({ select: ['day', 'push', 'after', 'table_after'], ...fourDays }, { id: 'c1' });
  const held = await reaches(client, 'c1', 'held');
  assert.deepEqual(held.partitions, { total: 16, done: 13, failed: 1, blocked: 2, skipped: 0 });
  assert.deepEqual(held.datasets.find(({ name }) => name === 'push')?.failures, [
    {
      start: '2024-01-03T00:00:00Z',
      end: '2024-01-04T00:00:00Z',
      code: 'Rejected',
      message: 'not this day',
      attempts: 1,
    },
  ]);
  const [busy, again, ...more] = of('push', '2024-01-02');
  assert.ok(busy && again && more.length === 0);
  assert.deepEqual([busy.outcome, again.outcome], ['ApplicationFailure', 'done']);
  assert.equal(again.idempotencyKey, busy.idempotencyKey);
  assert.deepEqual([again.dataset, again.environment, again.backfill], ['push', 'default', 'c1']);
  assert.deepEqual(again.interval, { start: '2024-01-02T00:00:00Z', end: '2024-01-03T00:00:00Z' });
  assert.equal(of('after', '2024-01-03').length, 0);
  assert.ok((of('after', '2024-01-02')[0]?.began ?? 0) >= again.ended, 'a reader waits for the call');
  const { rows } = await warehouse.query<{ built: Date }>(
    `SELECT built FROM called.table_after WHERE day = '2024-01-02Z'`,
  );
  assert.ok((rows[0]?.built.getTime() ?? 0) >= again.ended, 'a table that needs the call waits for it');

  refuse = false;
  await client.retry('c1', {});
  await reaches(client, 'c1', 'completed');
  const tries = of('push', '2024-01-03');
  assert.deepEqual([tries.length, new Set(tries.map((one) => one.idempotencyKey)).size], [2, 1]);
  assert.equal(new Set(made.filter((one) => one.outcome === 'done').map((one) => one.idempotencyKey)).size, 8);
  const published = await warehouse.query(ledger, ['push']);
  const keys = [...of('push')]
    .filter(({ outcome }) => outcome === 'done')
    .sort((a, b) => (a.interval.start < b.interval.start ? -1 : 1));
  assert.deepEqual(
    published.rows,
    keys.map(({ idempotencyKey }) => ({ digest: idempotencyKey, rows: 0 })),
  );
  assert.equal(
    await numberOf(warehouse, `SELECT count(*) AS n FROM sluice.tables WHERE dataset IN ('push', 'after')`),
    0,
  );
});

test('what is done is not called again; a call that is made again makes its readers stale', async () => {
  const before = made.length;
  await client.start({ select: ['push', 'after'], ...fourDays }, { id: 'c2' });
  assert.equal((await client.result('c2')).partitions.total, 0);
  assert.equal(made.length, before);
  await client.start({ select: ['push'], on: '2024-01-01', rebuild: 'all' }, { id: 'c3' });
  await client.result('c3');
  const plan = await client.plan({ select: ['after', 'table_after'], rebuild: 'stale', ...fourDays });
  assert.deepEqual(
    plan.datasets.map(({ name, build }) => [name, build]),
    [
      ['after', 1],
      ['table_after', 1],
    ],
  );
});

test('slots and --max-parallel hold for calls, over all datasets', async () => {
  const select = ['brief_a', 'brief_b'];
  await client.start({ select, ...fourDays }, { id: 'p2' });
  await client.result('p2');
  assert.equal(most(of('brief')), 2, 'both slots are used, and no third');
  await client.start({ select, ...fourDays, rebuild: 'all', maxParallel: 1 }, { id: 'p1' });
  await client.result('p1');
  assert.equal(most(of('brief').filter(({ backfill }) => backfill === 'p1')), 1);
  assert.equal(of('brief').length, 16);
  assert.equal(await numberOf(warehouse, 'SELECT count(*) AS n FROM sluice.calls'), 0);
});

test('a pause lets no call begin; a cancel reaches the activity', async () => {
  const lingering = (): number => of('linger').filter(({ outcome }) => outcome === 'runs').length;
  await client.start({ select: ['linger'], ...fourDays, maxParallel: 1 }, { id: 'l1' });
  await eventually('one lingers', () => lingering() === 1);
  await client.pause('l1');
  await client.adjust('l1', { maxParallel: 2 });
  assert.equal((await client.status('l1')).state, 'paused');
  assert.equal(of('linger').length, 1);
  await client.resume('l1');
  await eventually('two linger', () => lingering() === 2);
  await client.cancel('l1');
  const status = await reaches(client, 'l1', 'cancelled', 10_000);
  assert.equal(status.partitions.done, 0);
  assert.deepEqual(
    of('linger').map(({ outcome }) => outcome),
    ['CancelledFailure', 'CancelledFailure'],
  );
  assert.equal(await numberOf(warehouse, 'SELECT count(*) AS n FROM sluice.calls'), 0);
});

test('a call without a worker is said within seconds, with what to start, and goes on when it is there', async () => {
  await client.start({ select: ['lonely'], ...fourDays }, { id: 'n1' });
  const lonely = await eventually(
    'it is said',
    async () => {
      const status = await client.status('n1');
      return status.waiting ? status : undefined;
    },
    10_000,
  );
  assert.equal(lonely.state, 'running');
  assert.equal(lonely.waiting?.for, 'a worker on task queue nobody that takes calls of activity lonely');
  assert.match(lonely.waiting.next, /start a worker .*lonely.* nobody/);
  assert.equal(lonely.datasets[0]?.waitingFor, lonely.waiting.for);
  const doctor = await stack.sluice(['doctor', '-p', 'called']);
  assert.match(doctor.out, /warn +queue nobody: no worker polls it: calls of lonely would wait/);
  await poll('nobody', { lonely: kept('lonely', () => undefined) });
  const { waiting, partitions } = await client.result('n1');
  assert.deepEqual([waiting, partitions.done], [null, 4]);
});

test('a worker that is killed in a call: another one gets it, under the same key', async () => {
  const go = join(stack.dir, 'go');
  const start = (): { child: ChildProcess; calls: () => CallInput[] } => {
    const child = spawn(process.execPath, ['--import', 'tsx', join(import.meta.dirname, '../support/call-worker.ts')], {
      env: { ...stack.env, GO: go },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    return {
      child,
      calls: () =>
        text
          .split('\n')
          .slice(0, -1)
          .map((line) => CallInput.parse(JSON.parse(line))),
    };
  };
  const first = start();
  await client.start({ select: ['killed'], on: '2024-01-01' }, { id: 'k1' });
  await eventually('it is called', () => first.calls().length === 1);
  const second = start();
  ends.push(() => kill9(second.child));
  await kill9(first.child);
  await eventually('it is called again', () => second.calls().length === 1);
  assert.deepEqual(second.calls(), first.calls());
  writeFileSync(go, '');
  assert.deepEqual((await client.result('k1')).partitions.done, 1);
});

test('the example runs as it is: a worker in TypeScript, and one in Python that waits for it', async (context) => {
  const python = spawnSync('python3', ['--version']);
  if (python.status !== 0) {
    context.skip('python3 is not there');
    return;
  }
  const packages = join(stack.dir, 'python');
  const pip = spawnSync('python3', ['-m', 'pip', 'install', '--quiet', '--target', packages, 'temporalio'], {
    encoding: 'utf8',
  });
  assert.equal(pip.status, 0, pip.stderr);
  const example = join(import.meta.dirname, '../../examples/calls');
  cpSync(example, join(stack.dir, 'calls'), { recursive: true });
  const reports = join(stack.dir, 'reports');
  const env = { ...stack.env, REPORTS: reports, PYTHONPATH: packages };
  for (const command of [
    [process.execPath, '--import', 'tsx', join(example, 'worker.ts')],
    ['python3', join(example, 'worker.py')],
  ]) {
    const child = spawn(command[0] ?? '', command.slice(1), { env, stdio: 'ignore' });
    ends.push(() => kill9(child));
  }
  await stack.worker(`${stack.dir}/calls`);
  const args = [
    'backfill',
    '-p',
    'calls',
    '--from',
    '2024-01-11',
    '--to',
    '2024-01-15',
    '--on-failure',
    'fail',
    '--wait',
    '--json',
  ];
  const { code, out, err } = await stack.sluice(args);
  assert.equal(code, 3, err);
  assert.match(out, /"UnluckyDay"/);
  const days = ['2024-01-11', '2024-01-12', '2024-01-14'];
  assert.deepEqual(readdirSync(reports).sort(), [...days.map((day) => `${day}.json`), 'told.log']);
  const told = readFileSync(join(reports, 'told.log'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.slice(0, 10));
  assert.deepEqual(told.sort(), days);
});
