import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { Client, Connection } from '@temporalio/client';
import type { BackfillClient } from '../../src/client/index.js';
import { clientOf, numberOf, projectYaml, reaches, SLEEPING, sleeper } from '../support/backfills.js';
import { eventually } from '../support/eventually.js';
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
  workers.push(await stack.worker(`${stack.dir}/kept`, ['--watch']), await stack.worker(`${stack.dir}/kept`));
  kept = await clientOf(stack, 'kept');
  temporal = new Client({ connection: await Connection.connect({ address: stack.dev.info().temporalAddress }) });
});
after(async () => {
  await kept.close();
  await temporal.connection.close();
  await stack.stop();
});

interface Row {
  readonly slots: number;
  readonly cause: string;
  readonly reading: string | null;
  readonly reason: string;
  readonly epoch: string;
  readonly database: string;
}

async function governor(database = 'warehouse'): Promise<Row | undefined> {
  const client = database === 'warehouse' ? warehouse : await stack.connect(database);
  const { rows } = await client.query<Row>('SELECT * FROM sluice.governors');
  return rows[0];
}

/** Waits until what stands is as it should be. */
function stands(what: string, is: (row: Row) => boolean, withinMs = 15_000): Promise<Row> {
  return eventually(
    what,
    async () => {
      const row = await governor();
      return row !== undefined && is(row) && row;
    },
    withinMs,
  );
}

const published = (dataset: string): Promise<number> =>
  numberOf(warehouse, 'SELECT count(*) AS n FROM sluice.partitions WHERE dataset = $1', [dataset]);
const free = (row: Row): boolean => row.cause === 'free' && row.slots === 1;

test('a declared query over its bound: no batch begins, the status says why, and work goes on when it is over', async () => {
  await kept.start({ select: ['brief'], from: '2024-01-01', to: '2024-03-01' }, { id: 'h1' });
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
  await reaches(kept, 'h1', 'completed', 40_000);
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
