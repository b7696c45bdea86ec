import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import type { BackfillClient } from '../../src/client/index.js';
import { clientOf, numberOf, projectYaml, sleeper } from '../support/backfills.js';
import { eventually } from '../support/eventually.js';
import { gateCloses, governorStands, type GovernorRow } from '../support/governed.js';
import { startStack, type Stack } from '../support/stack.js';

/** `law: adaptive` on a real PostgreSQL, and faults of it: each is what the governor says, tick after tick, until it is mended. */
let stack: Stack;
let warehouse: pg.Client;
let client: BackfillClient;

const HOLD_WHEN = `hold_when: [{ name: lag, query: "SELECT seconds FROM public.lag", above: 5 }]`;

before(async () => {
  stack = await startStack();
  warehouse = await stack.connect('warehouse');
  await warehouse.query('CREATE TABLE public.lag AS SELECT 0 AS seconds');
  stack.project('faults', {
    'sluice.yaml': projectYaml('faults', { budget: `{ slots: 2, cores: 4, law: adaptive, ${HOLD_WHEN} }` }),
    ...sleeper('brief', '0.15'),
  });
  await stack.worker(`${stack.dir}/faults`);
  client = await clientOf(stack, 'faults');
});
after(async () => {
  await client.close();
  await stack.stop();
});

const stands = (what: string, is: (row: GovernorRow) => boolean): Promise<GovernorRow> =>
  governorStands(warehouse, what, is);

/** Waits until the governor says it, then that it says nothing else in the next three ticks. */
async function says(cause: string, reading: string | null, words: RegExp): Promise<void> {
  const it = (row: GovernorRow): boolean => row.cause === cause && row.reading === reading;
  let last = await stands(`${cause} ${reading}`, it);
  assert.match(last.reason, words);
  for (let tick = 0; tick < 3; tick++) {
    last = await stands('the next tick', ({ sensed_at }) => sensed_at > last.sensed_at);
    assert.ok(it(last), `${last.cause} ${last.reading}: ${last.reason}`);
  }
}

const published = (): Promise<number> => numberOf(warehouse, 'SELECT count(*) AS n FROM sluice.partitions');

async function goesOn(what: string): Promise<void> {
  const before = await published();
  await eventually(what, async () => (await published()) > before, 30_000);
}

/** Sessions of others that are at work, until they are called off. */
async function load(count: number): Promise<() => Promise<void>> {
  const clients = await Promise.all(Array.from({ length: count }, () => stack.connect('warehouse')));
  const busy = clients.map((one) => one.query('SELECT pg_sleep(60)').catch(() => undefined));
  return async () => {
    for (const one of clients)
      await warehouse.query('SELECT pg_cancel_backend($1)', [(one as unknown as { processID: number }).processID]);
    await Promise.all(busy);
  };
}

test('adaptive: measured first, then at work; a step of load stops new batches, and they come back when it is over', async () => {
  await client.start({ select: ['brief'], from: '2024-01-01', to: '2025-06-01' }, { id: 'f' });
  await says('calibrating', null, /canary is measured without sluice/);
  assert.equal(await published(), 0, 'nothing is published while the base is measured');
  await goesOn('it works');
  const callOff = await load(8);
  const row = await stands('it makes room', ({ slots }) => slots === 0);
  assert.equal(row.cause, 'foreground', row.reason);
  await says('foreground', null, /backends work for others, of \d/);
  await callOff();
  await goesOn('it comes back');
});

test('a declared query that hangs, answers with text or is gone is unknown: no batch begins, and the reason names it', async () => {
  await warehouse.query('BEGIN; LOCK TABLE public.lag');
  await says('unknown', 'hold_when lag', /statement timeout|last measured/);
  await warehouse.query('ALTER TABLE public.lag ALTER seconds TYPE text; COMMIT');
  await stands('no number', ({ reason }) => /no number/.test(reason));
  await warehouse.query('DROP TABLE public.lag');
  await stands('nothing passes', ({ slots, reason }) => slots === 0 && reason.includes('public.lag'));
  await warehouse.query('CREATE TABLE public.lag AS SELECT 0 AS seconds');
  await goesOn('mended');
});

test('a warehouse that refuses connections: nothing fails, nothing passes, and work goes on when it is back', async () => {
  const [admin, self] = [await stack.connect('ops'), await numberOf(warehouse, 'SELECT pg_backend_pid() AS n')];
  await admin.query('ALTER DATABASE warehouse ALLOW_CONNECTIONS false');
  const sessions = `FROM pg_stat_activity WHERE datname = 'warehouse' AND pid <> $1`;
  await admin.query(`SELECT pg_terminate_backend(pid) ${sessions}`, [self]);
  await gateCloses(warehouse);
  const before = await published();
  await admin.query('ALTER DATABASE warehouse ALLOW_CONNECTIONS true');
  await eventually('it is back', async () => (await published()) > before, 30_000);
  const { partitions } = await client.status('f');
  assert.equal(partitions.failed, 0);
});

test('who calls itself sluice and does not ask is counted as ours; if others wait for it and it does not let go, all work of ours is cancelled', async () => {
  const rogue = await stack.connect('warehouse');
  await rogue.query(
    `SET application_name = 'sluice/9/1/1/rogue'; CREATE TABLE public.held (); SELECT pg_advisory_lock(77)`,
  );
  const stop = new AbortController();
  const stubborn = (async () => {
    while (!stop.signal.aborted) await rogue.query('SELECT pg_sleep(60)').catch(() => undefined);
  })();
  let waiting: Promise<unknown> | undefined;
  try {
    await eventually('it is counted', async () => {
      const { rows } = await warehouse.query<{ n: number }>(
        `SELECT (readings->'ours'->>'value')::float8 AS n FROM sluice.governors`,
      );
      return Number(rows[0]?.n) >= 1;
    });
    const waiter = await stack.connect('warehouse');
    waiting = waiter.query('SELECT pg_advisory_lock(77)').catch(() => undefined);
    await says('critical', 'blocked', /all work was cancelled/);
    await eventually('nothing of ours runs', async () => {
      const n = `SELECT count(*) AS n FROM pg_stat_activity WHERE application_name ~ '^sluice/[0-9]+/.*brief$' AND state = 'active'`;
      return (await numberOf(warehouse, n)) === 0;
    });
  } finally {
    stop.abort();
    await rogue.end();
  }
  await Promise.all([stubborn, waiting]);
  const { partitions } = await client.status('f');
  assert.equal(partitions.failed, 0);
});
