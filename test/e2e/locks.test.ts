/** Others use, or keep to themselves, a table that a backfill wants: it gives way, and nobody queues behind it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { z } from 'zod';
import { BackfillClient } from '../../src/client/index.js';
import { eventually } from '../support/eventually.js';
import { startStack, type Ran, type Stack } from '../support/stack.js';

let stack: Stack;
let folder: string;
let warehouse: pg.Client;
let report: pg.Client;
before(async () => {
  stack = await startStack();
  const extract = `extract: { from: src, table: public.meter, time: at }\nkey: [id]\n`;
  folder = stack.project('locks', {
    'sluice.yaml': `project: locks
timezone: UTC
connections:
  src: { type: postgres, url: "embedded:locks_source" }
  wh: { type: postgres, url: "embedded:locks" }
warehouse: wh
schema: mart
defaults: { grain: day, start: 2024-01-01 }
`,
    'datasets/reading.yaml': extract,
    'datasets/other.yaml': extract.replace('meter', 'other'),
  });
  const source = await stack.connect('locks_source');
  for (const table of ['meter', 'other'])
    await source.query(`CREATE TABLE ${table} (id int PRIMARY KEY, at timestamptz NOT NULL);
      INSERT INTO ${table} SELECT i, timestamptz '2024-01-01 00:00Z' + i * interval '1 hour' FROM generate_series(0, 119) i`);
  warehouse = await stack.connect('locks');
  report = await stack.connect('locks');
  await report.query(`SET application_name = 'report'`);
  await stack.worker(folder);
  assert.equal((await build('first', 'reading', '--to', '2024-01-03')).code, 0);
  await source.query('ALTER TABLE meter ADD COLUMN w int');
});
after(() => stack.stop());

const build = (id: string, ...args: string[]): Promise<Ran> =>
  stack.sluice(['backfill', ...args, '-p', folder, '--id', id, '--local', '--wait', '--timeout', '100s']);

const Waits = z.object({ waiting: z.object({ for: z.string() }).nullable() });

/** Until the backfill says that it waits for so much. */
const waitsFor = (id: string, words: RegExp): Promise<unknown> =>
  eventually(
    `${id} waits for ${words.source}`,
    async () => {
      const { code, json } = await stack.sluice(['status', id, '-p', folder, '--json']);
      return code === 0 && words.test(Waits.parse(json()).waiting?.for ?? '');
    },
    60_000,
  );

test('a column that cannot be added for a reader is added once it has gone; other readers and backfills go on', async () => {
  await report.query('BEGIN; SELECT count(*) FROM mart.reading');
  const adds = build('adds', 'reading', '--on', '2024-01-02', '--rebuild', 'all');
  await waitsFor('adds', /^a lock on mart\.reading, held by pid \d+ \(report\)$/);
  await warehouse.query(`SET statement_timeout = '10s'; SELECT count(*) FROM mart.reading`);
  const other = await build('beside', 'other', '--on', '2024-01-02');
  assert.equal(other.code, 0, other.out + other.err);
  await report.query('COMMIT');
  const added = await adds;
  assert.equal(added.code, 0, added.out + added.err);
  await warehouse.query('SELECT w FROM mart.reading');
});

test('a table that somebody keeps to himself holds up no backfill of others, and the one that wants it can be cancelled', async () => {
  await report.query('BEGIN; LOCK TABLE mart.reading IN ACCESS EXCLUSIVE MODE');
  const client = await BackfillClient.connect({ project: 'locks', address: stack.dev.info().temporalAddress });
  await client.start({ select: ['reading'], on: '2024-01-04' }, { id: 'kept' });
  await waitsFor('kept', /^a lock on mart\.reading, held by pid \d+ \(report\)$/);
  const other = await build('beside_too', 'other', '--on', '2024-01-03');
  assert.equal(other.code, 0, other.out + other.err);
  assert.equal((await client.cancel('kept')).state, 'cancelled');
  await client.close();
  await report.query('COMMIT');
});

test('a plan does not wait for a table of the source that somebody keeps to himself', async () => {
  const source = await stack.connect('locks_source');
  await source.query('BEGIN; LOCK TABLE meter IN ACCESS EXCLUSIVE MODE');
  const refused = await build('source_kept', 'reading', '--on', '2024-01-05');
  assert.match(refused.err, /connection src: lock not available/);
  await source.query('COMMIT');
});
