import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { Client, Connection } from '@temporalio/client';
import type { BackfillClient } from '../../src/client/index.js';
import { clientOf, kill9, numberOf, OVERLAP, projectYaml, SLEEPING, sleeper } from '../support/backfills.js';
import { eventually } from '../support/eventually.js';
import { gateCloses, governorStands, type GovernorRow } from '../support/governed.js';
import { startStack, type Stack } from '../support/stack.js';

/** The governor on a real PostgreSQL and a real Temporal: what it senses, what it does about it, and what happens when it is gone. */
let stack: Stack;
let warehouse: pg.Client;
let temporal: Client;
let kept: BackfillClient;
const workers: ChildProcess[] = [];

const HOLD_WHEN = `hold_when: [{ name: lag, query: "SELECT seconds FROM public.lag", above: 5 }]`;
const FILES = {
  'sluice.yaml': projectYaml('kept', { budget: `{ slots: 1, ${HOLD_WHEN} }` }),
  ...sleeper('brief', '0.15'),
  ...sleeper('long', `CASE WHEN d = '2024-01-01Z' THEN 60 ELSE 0 END`),
};

before(async () => {
  stack = await startStack();
  warehouse = await stack.connect('warehouse');
  await warehouse.query('CREATE TABLE public.lag AS SELECT 0 AS seconds');
  stack.project('kept', FILES);
  const folder = `${stack.dir}/kept`;
  workers.push(...(await Promise.all([stack.worker(folder), stack.worker(folder)])));
  kept = await clientOf(stack, 'kept');
  temporal = new Client({ connection: await Connection.connect({ address: stack.dev.info().temporalAddress }) });
});
after(async () => {
  await kept.close();
  await temporal.connection.close();
  await stack.stop();
});

const stands = (what: string, is: (row: GovernorRow) => boolean, withinMs = 15_000): Promise<GovernorRow> =>
  governorStands(warehouse, what, is, withinMs);

const published = (dataset: string): Promise<number> =>
  numberOf(warehouse, 'SELECT count(*) AS n FROM sluice.partitions WHERE dataset = $1', [dataset]);

/** Waits until more is published than was. */
async function goesOn(what: string, client = warehouse, withinMs = 30_000): Promise<void> {
  const n = (): Promise<number> =>
    numberOf(client, `SELECT count(*) AS n FROM sluice.partitions WHERE dataset = 'brief'`);
  const before = await n();
  await eventually(what, async () => (await n()) > before, withinMs);
}

test('a declared query over its bound: no batch begins, the status says why, and work goes on when it is over', async () => {
  await kept.start({ select: ['brief'], from: '2024-01-01', to: '2024-12-01' }, { id: 'h1' });
  await eventually('it runs', async () => (await published('brief')) > 2);
  await warehouse.query('UPDATE public.lag SET seconds = 9');
  const row = await stands('the governor holds', ({ slots }) => slots === 0);
  assert.deepEqual([row.cause, row.reading], ['stop', 'hold_when lag']);
  const status = await eventually('the status says so', async () => {
    const { waiting } = await kept.status('h1');
    return waiting !== null && waiting;
  });
  assert.match(status.for, /^connection warehouse: its governor holds: .*hold_when lag is 9/);
  const before = await published('brief');
  const { out } = await stack.sluice(['warehouse', 'warehouse', '-p', 'kept']);
  assert.match(out, /connection warehouse {2}0 slots .*stop/);
  assert.match(out, /hold_when lag/);
  assert.equal(await published('brief'), before, 'nothing was published meanwhile');
  await warehouse.query('UPDATE public.lag SET seconds = 0');
  await goesOn('it goes on');
  await kept.cancel('h1');
  const seen = await warehouse.query<{ cause: string }>('SELECT DISTINCT cause FROM sluice.limit_history');
  const causes = seen.rows.map(({ cause }) => cause);
  assert.ok(
    ['stop', 'recovering', 'free'].every((cause) => causes.includes(cause)),
    causes.join(),
  );
});

test('whom a batch of ours blocks need not wait: the batch is cancelled, and tried again later', async () => {
  await kept.start({ select: ['long'], from: '2024-01-01', to: '2024-01-02' }, { id: 'b1' });
  await eventually('a batch runs', async () => (await numberOf(warehouse, SLEEPING)) === 1);
  const own = await stack.connect('warehouse');
  const began = Date.now();
  await own.query('BEGIN; LOCK TABLE kept.long IN ACCESS EXCLUSIVE MODE');
  const waitedMs = Date.now() - began;
  await own.query('COMMIT');
  assert.ok(waitedMs < 4_000, `waited ${waitedMs} ms`);
  await eventually('it is tried again', async () => (await numberOf(warehouse, SLEEPING)) === 1);
  const { partitions } = await kept.status('b1');
  assert.equal(partitions.failed, 0);
  await kept.cancel('b1');
});

/** Batches that began from 5.5 s after a last word to the next one. */
function begunBetween(last: { readonly sensed_at: Date }, next: { readonly sensed_at: Date }): Promise<number> {
  return numberOf(
    warehouse,
    `SELECT count(*) AS n FROM kept.brief WHERE began > $1::timestamptz + interval '5.5 s' AND began < $2::timestamptz`,
    [last.sensed_at, next.sensed_at],
  );
}

test('a frozen worker governs no longer: another one goes on; a governor that was terminated stops new batches, and comes back by itself', async () => {
  await kept.start({ select: ['brief'], from: '2025-01-01', to: '2025-12-01' }, { id: 'f1' });
  await goesOn('it runs');
  const row = await stands('somebody governs', ({ slots }) => slots === 1);
  const handle = temporal.workflow.getHandle(`governor/${row.database}`);
  const { raw } = await handle.describe();
  const identity = raw.pendingActivities?.[0]?.lastWorkerIdentity ?? '';
  const frozen = workers.find(({ pid }) => identity.startsWith(`${pid}@`));
  assert.ok(frozen, identity);
  frozen.kill('SIGSTOP');
  const next = await stands('another one governs', ({ epoch }) => epoch !== row.epoch, 15_000);
  // Its slice and its steps are given up after 10 s, and so is what the polls take that it has open.
  await goesOn('work goes on', warehouse, 60_000);
  frozen.kill('SIGCONT');
  await handle.terminate('test');
  await gateCloses(warehouse);
  const last = await stands('its last word', () => true);
  const back = await stands('it is back', ({ epoch }) => Number(epoch) > Number(next.epoch), 20_000);
  assert.equal(await begunBetween(last, back), 0, 'a batch began while nobody governed');
  await goesOn('work goes on');
  await kept.cancel('f1');
});

test('a governor that cannot say a word lets nothing through, however long it lasts, and work goes on when it can', async () => {
  await kept.start({ select: ['brief'], from: '2025-07-01', to: '2025-12-01' }, { id: 'm1' });
  await goesOn('it runs');
  const mute = await stack.connect('warehouse');
  await mute.query('BEGIN; LOCK TABLE sluice.governors IN SHARE ROW EXCLUSIVE MODE');
  await gateCloses(warehouse);
  await eventually('nothing runs', async () => (await numberOf(warehouse, SLEEPING)) === 0, 2_000);
  let looks = 0;
  await eventually('it stays so', async () => {
    assert.equal(await numberOf(warehouse, SLEEPING), 0, 'a batch runs though nobody governs');
    return ++looks > 60;
  });
  await mute.query('COMMIT');
  await goesOn('work goes on');
  await kept.cancel('m1');
});

test('kill -9 of the governing worker: no batch begins 5 s after its last word, another worker governs, and no more pass than may', async () => {
  await kept.start({ select: ['brief'], from: '2026-01-01', to: '2026-11-01' }, { id: 'k1' });
  await goesOn('it runs');
  const { database, epoch } = await stands('somebody governs', ({ slots }) => slots === 1);
  const { raw } = await temporal.workflow.getHandle(`governor/${database}`).describe();
  const identity = raw.pendingActivities?.[0]?.lastWorkerIdentity ?? '';
  const governing = workers.find(({ pid }) => identity.startsWith(`${pid}@`));
  assert.ok(governing, identity);
  await kill9(governing);
  const last = await stands('its last word', () => true);
  assert.equal(last.epoch, epoch);
  const next = await stands('another one governs', (row) => row.epoch !== epoch && row.sensed_at > last.sensed_at);
  const silentMs = next.sensed_at.getTime() - last.sensed_at.getTime();
  assert.ok(silentMs < 10_000, `silent for ${silentMs} ms`);
  await goesOn('work goes on');
  assert.equal(await begunBetween(last, next), 0, 'a batch began though nobody governed');
  assert.equal(await numberOf(warehouse, OVERLAP(['kept.brief'], `began > '${last.sensed_at.toISOString()}'`)), 1);
  await kept.cancel('k1');
});

test('a second governor is kept out; a blackout holds; without a governor a person holds and releases', async () => {
  const dark = await stack.connect('dark');
  const yaml = (budget: string): string => projectYaml('dark', { warehouse: 'dark', budget });
  const blackout = `{ slots: 1, windows: [{ from: "00:00", to: "24:00", slots: 0 }] }`;
  await dark.query(`SET application_name = 'sluice/governor/1.2/3'; SELECT pg_advisory_lock(1936487782, 0)`);
  stack.project('dark', { 'sluice.yaml': yaml(blackout), ...sleeper('brief', '0.15') });
  await stack.worker(`${stack.dir}/dark`, ['--watch']);
  const client = await clientOf(stack, 'dark');
  await client.start({ select: ['brief'], from: '2024-01-01', to: '2024-12-01' }, { id: 'd1' });
  const waits = (words: RegExp): Promise<string> =>
    eventually(String(words), async () => {
      const { waiting } = await client.status('d1');
      return words.test(waiting?.for ?? '') && waiting?.for;
    });
  const other = async (words: RegExp): Promise<unknown> =>
    eventually(String(words), async () => {
      const { rows } = await dark.query<{ reason: string }>('SELECT reason FROM sluice.governors');
      return words.test(rows[0]?.reason ?? '');
    });
  await other(/another governor keeps this database.*sluice\/governor\/1\.2\/3/);
  await dark.query(`SELECT pg_advisory_unlock_all()`);
  await other(/a window of the budget holds all work/);
  await waits(/its governor holds/);
  assert.equal(await numberOf(dark, 'SELECT count(*) AS n FROM sluice.partitions'), 0);
  writeFileSync(join(stack.dir, 'dark/sluice.yaml'), yaml('{ slots: 1 }'));
  await goesOn('without the window it begins', dark);
  const say = async (...args: string[]): Promise<void> => {
    const { code, err } = await stack.sluice(['warehouse', ...args, '-p', 'dark'], { env: { SLUICE_USER: 'ann' } });
    assert.equal(code, 0, err);
  };
  await say('hold', '--reason', 'month end');
  await eventually('nothing runs', async () => (await numberOf(dark, SLEEPING)) === 0, 2_000);
  assert.match(await waits(/held by/), /connection warehouse: held by ann: month end/);
  const held = await numberOf(dark, 'SELECT count(*) AS n FROM sluice.partitions');
  await say('release');
  await eventually(
    'it goes on',
    async () => (await numberOf(dark, 'SELECT count(*) AS n FROM sluice.partitions')) > held,
    2_000,
  );
  const { rows } = await dark.query(
    `SELECT actor, action, reason FROM sluice.journal WHERE action LIKE 'warehouse%' ORDER BY id`,
  );
  assert.deepEqual(rows, [
    { actor: 'ann', action: 'warehouse hold', reason: 'month end' },
    { actor: 'ann', action: 'warehouse release', reason: null },
  ]);
  const between = `SELECT count(*) AS n FROM sluice.partitions p, sluice.journal h, sluice.journal r
    WHERE h.action = 'warehouse hold' AND r.action = 'warehouse release' AND p.published_at > h.at + interval '1 s' AND p.published_at < r.at`;
  assert.equal(await numberOf(dark, between), 0, 'nothing was published while it was held');
  await client.close();
});
