/**
 * Each stop on a real PostgreSQL with the settings that it needs: what is wrong with the server is what the governor says, no batch begins meanwhile, and work
 * goes on when it is mended.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import type { BackfillClient } from '../../src/client/index.js';
import { clientOf, numberOf, projectYaml, sleeper } from '../support/backfills.js';
import { eventually } from '../support/eventually.js';
import { governorStands, type GovernorRow } from '../support/governed.js';
import { startReplica, type Replica } from '../support/replica.js';
import { restartWithArchive, setServer, writeSegments } from '../support/server-settings.js';
import { startStack, type Stack } from '../support/stack.js';

let stack: Stack;
let admin: pg.Client;
let replica: Replica;
let client: BackfillClient;

const set = (settings: Readonly<Record<string, string>>): Promise<void> => setServer(admin, settings);

const WIDE = `/*
time: day
*/
SELECT :start AS day, x AS n FROM generate_series(1, 200000) AS x WHERE :end > :start
`;

before(async () => {
  stack = await startStack();
  admin = await restartWithArchive(stack);
  replica = await startReplica(stack, admin, stack.dev.info().postgresUrl);
  stack.project('stops', {
    'sluice.yaml': projectYaml('stops', { budget: '{ slots: 2, cores: 8, law: adaptive }' }),
    ...sleeper('brief', '0.1'),
    'datasets/wide.sql': WIDE,
  });
  await stack.worker(`${stack.dir}/stops`);
  client = await clientOf(stack, 'stops');
  await client.start({ select: ['wide'], from: '2024-01-01', to: '2024-01-02' }, { id: 'wide' });
  await eventually('wide is there', async () => (await published('wide')) === 1, 60_000);
  await client.start({ select: ['brief'], from: '2024-01-01', to: '2026-11-01' }, { id: 'brief' });
  await goesOn();
});
after(async () => {
  await client.close();
  await replica.stop();
  await stack.stop();
});

const published = (dataset: string): Promise<number> =>
  numberOf(admin, 'SELECT count(*) AS n FROM sluice.partitions WHERE dataset = $1', [dataset]);

async function goesOn(): Promise<void> {
  const begun = await published('brief');
  await eventually('work goes on', async () => (await published('brief')) > begun, 60_000);
}

const stands = (what: string, is: (row: GovernorRow) => boolean): Promise<GovernorRow> =>
  governorStands(admin, what, is, 20_000);

/** What `sluice warehouse --json` says. */
interface Shown {
  readonly slots: number;
  readonly cause: string;
  readonly reading: string | null;
  readonly reason: string;
}

/** It says so, tick after tick, where people look too, and no batch begins. */
async function stops(reading: string, words: RegExp, cause = 'stop'): Promise<void> {
  const it = (row: Shown): boolean => row.cause === cause && row.reading === reading && row.slots === 0;
  const begun = await stands(`${cause} by ${reading}`, it);
  const { json } = await stack.sluice(['warehouse', 'warehouse', '-p', 'stops', '--json']);
  const [shown] = json() as Shown[];
  assert.ok(shown && it(shown), JSON.stringify(shown));
  assert.match(shown.reason, words);
  let last = begun;
  for (let tick = 0; tick < 3; tick++) {
    last = await stands('the next tick', ({ sensed_at }) => sensed_at > last.sensed_at);
    assert.ok(it(last), `${last.cause} ${last.reading}: ${last.reason}`);
  }
  const late = `SELECT count(*) AS n FROM stops.brief WHERE began > $1::timestamptz + interval '0.5 s' AND began < $2::timestamptz`;
  assert.equal(await numberOf(admin, late, [begun.sensed_at, last.sensed_at]), 0, 'no batch began meanwhile');
}

test('a replica that has stopped replaying', async () => {
  const standby = new pg.Client({ connectionString: replica.url('warehouse') });
  await standby.connect();
  await standby.query('SELECT pg_wal_replay_pause()');
  await stops('lag_seconds', /a replica is \d+(\.\d)? s behind, over 5/);
  await standby.query('SELECT pg_wal_replay_resume()');
  await standby.end();
  await goesOn();
});

test('segments that wait to be archived', async () => {
  await set({ archive_command: 'false' });
  await writeSegments(admin, 44);
  await stops('archive', /\d+ WAL segments wait to be archived, over 42/);
  await set({ archive_command: 'true' });
  await goesOn();
});

test('checkpoints that are forced', async () => {
  for (let n = 0; n < 3; n++) await admin.query('CHECKPOINT');
  await stops('checkpoints', /\d checkpoints were forced within a minute/);
  await admin.query(`SELECT pg_stat_reset_shared('checkpointer')`);
  await goesOn();
});

test('few connections left', async () => {
  const crowd: pg.Client[] = [];
  const free = `SELECT 97 - count(*)::int AS n FROM pg_stat_activity WHERE backend_type = 'client backend'`;
  while ((await numberOf(admin, free)) > 3) {
    const one = new pg.Client({ connectionString: await stack.url('ops') });
    await one.connect();
    crowd.push(one);
  }
  await stops('connections', /\d connections are left for others, under 5/);
  await Promise.all(crowd.map((one) => one.end()));
  await goesOn();
});

test('autovacuum on a table of ours', async () => {
  await admin.query(
    `ALTER TABLE stops.wide SET (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)`,
  );
  await admin.query('DELETE FROM stops.wide WHERE n % 2 = 0');
  await set({ autovacuum_naptime: '1s' });
  await stops('autovacuum', /autovacuum works on 1 table that sluice writes/);
  await admin.query('ALTER TABLE stops.wide SET (autovacuum_enabled = off)');
  await goesOn();
});

test('statistics that are switched off', async () => {
  await set({ track_activities: 'off' });
  await stops('foreground', /track_activities/, 'unknown');
  await set({ track_activities: 'on' });
  await goesOn();
});

test('a replication slot that is losing its WAL: all work is cancelled, and half a minute is waited', async () => {
  await admin.query(`SELECT pg_create_physical_replication_slot('behind', true)`);
  await set({ max_slot_wal_keep_size: '1MB' });
  await writeSegments(admin, 4);
  await stops('slots_lost', /1 replication slot loses its WAL, twice in a row: all work was cancelled/, 'critical');
  await admin.query(`SELECT pg_drop_replication_slot('behind')`);
  await goesOn();
  assert.equal((await client.status('brief')).partitions.failed, 0);
});
