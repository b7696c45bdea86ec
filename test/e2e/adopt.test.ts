/** What is there, taken into the ledger: a table's rows in the order of what they read, and what is stale as built by today's definition. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { LedgerChange } from '../../src/contracts/ledger.js';
import { clientOf } from '../support/backfills.js';
import { eventually } from '../support/eventually.js';
import { startStack, type Stack } from '../support/stack.js';
import { countsOf, projectYaml, typed, type Typed } from './planning-kit.js';

const DAYS = '--from 2024-01-01 --to 2024-01-05';
const WHY = '--reason rounding';
const head = (settings: string): string => `/*\n${settings}\n*/\n`;
const per = (columns: string, settings = 'time: day\nkey: [day]'): string =>
  `${head(settings)}SELECT date_trunc('day', i.at) AS day, ${columns} FROM items i WHERE i.at >= :start AND i.at < :end GROUP BY 1\n`;
const FILES = {
  'sluice.yaml': projectYaml('adopt'),
  'datasets/items.yaml': 'extract: { from: ops, table: public.items, time: at }\nkey: [id]\n',
  'datasets/per_day.sql': per('sum(i.price) AS price'),
  'datasets/keyed.sql': per('max(i.id) AS top, count(*) AS n'),
  'datasets/total.sql': `${head('grain: none')}SELECT sum(d.price) AS price FROM per_day d\n`,
};

let stack: Stack;
let adopts: Typed;
let ops: pg.Client;
let warehouse: pg.Client;

before(async () => {
  stack = await startStack();
  ops = await stack.connect('ops_adopt');
  warehouse = await stack.connect('wh_adopt');
  await ops.query(`CREATE TABLE items (id bigint PRIMARY KEY, at timestamptz NOT NULL, price int NOT NULL);
    INSERT INTO items SELECT i, '2024-01-01Z'::timestamptz + i * interval '12 hours', i FROM generate_series(0, 9) i`);
  await stack.worker(stack.project('adopt', FILES));
  adopts = typed(stack, 'adopt');
  await adopts.build(DAYS);
});
after(() => stack.stop());

function change(file: keyof typeof FILES, text: string): void {
  stack.project('adopt', { [file]: text });
}

async function rows<Row extends object>(sql: string): Promise<Row[]> {
  return (await warehouse.query<Row>(sql)).rows;
}

/** All that may not change when partitions are taken as they are. */
const untouched = (dataset: string): Promise<object[]> =>
  rows(`SELECT (SELECT string_agg(t.xmin::text || t::text, ' ' ORDER BY t.day) FROM analytics.${dataset} t) AS rows,
    string_agg(concat(starts_at, digest, rows, first_xid, changed_xid, published_at), ' ' ORDER BY starts_at) AS ledger
    FROM sluice.partitions WHERE dataset = '${dataset}'`);

async function adopted(line: string): Promise<LedgerChange> {
  const ran = await adopts.run(`adopt ${line} --json`);
  assert.equal(ran.code, 0, ran.err + ran.out);
  return LedgerChange.parse(ran.json());
}

const stale = async (names = ''): Promise<Record<string, readonly number[]>> =>
  countsOf(await adopts.plan(`${names} ${DAYS} --rebuild stale`));

test('forward-only: a changed definition is taken without a rebuild, its readers stay, and a later change of a day is seen', async () => {
  change('datasets/per_day.sql', per('sum(i.price + 0) AS price'));
  assert.deepEqual((await stale('per_day'))['per_day'], [4, 0, 4, 0]);
  assert.match(await adopts.refused(`adopt per_day ${DAYS} --stale`), /needs the reason\n.*--reason/);
  const before = await untouched('per_day');
  const change_ = await adopted(`per_day --from 2024-01-02 --to 2024-01-08 --stale ${WHY}`);
  assert.deepEqual([change_.partitions, change_.causes], [3, { definition: 3 }]);
  assert.match(
    change_.notes.join('\n'),
    /3 partitions not published, and left out: `sluice backfill per_day --from 2024-01-05/,
  );
  assert.deepEqual(await untouched('per_day'), before);
  assert.deepEqual(await stale(), {
    items: [0, 0, 0, 4],
    per_day: [1, 0, 1, 3],
    keyed: [0, 0, 0, 4],
    total: [1, 0, 0, 1],
  });
  const shown = await adopts.run(`adopt per_day ${DAYS} --stale ${WHY}`);
  assert.match(shown.out, /took as built by today’s definition 1 partition[^]*1 partition by another definition/);
  assert.deepEqual((await stale())['total'], [0, 0, 0, 1]);
  const [entry] = await rows<{ actor: string; reason: string; stale: boolean; versions: number }>(
    `SELECT actor, reason, (detail->>'stale')::bool AS stale, jsonb_array_length(detail->'versions') AS versions
     FROM sluice.journal WHERE action = 'adopt' ORDER BY id LIMIT 1`,
  );
  assert.deepEqual([entry?.reason, entry?.stale, entry?.versions], ['rounding', true, 1]);
  assert.ok(entry?.actor);

  await ops.query(`UPDATE items SET price = 100 WHERE id = 4`);
  await adopts.build(`items --on 2024-01-03 --rebuild all --local`);
  assert.deepEqual(await stale('per_day total'), { per_day: [1, 0, 1, 3], total: [1, 0, 0, 1] });
  await adopts.build(`per_day total ${DAYS} --rebuild stale --local`);
  assert.deepEqual(await rows('SELECT price::int FROM analytics.total'), [{ price: 124 }]);
});

test('changed inputs are taken as seen up to now, and what an input itself lacks is said', async () => {
  await ops.query(`UPDATE items SET price = 7 WHERE id = 2`);
  await adopts.build(`items --on 2024-01-02 --rebuild all --local`);
  change('datasets/items.yaml', FILES['datasets/items.yaml'].replace('[id]', '[id, at]'));
  const taken = await adopted(`per_day ${DAYS} --stale ${WHY}`);
  assert.deepEqual([taken.partitions, taken.causes], [1, { inputs: 1 }]);
  assert.match(
    taken.notes.join('\n'),
    /it reads items, which is stale there itself: if `sluice backfill items --from 2024-01-02/,
  );
  change('datasets/items.yaml', FILES['datasets/items.yaml']);
  assert.deepEqual((await stale('per_day'))['per_day'], [0, 0, 0, 4]);
});

test('another structure is refused, with a rebuild that works: key, time, grain, columns', async () => {
  const refusals: [string, RegExp][] = [
    [
      per('max(i.id) AS top, count(*) AS n', 'time: day\nkey: [day, top]'),
      /built with key \(day\), and keyed has key \(day, top\)/,
    ],
    [
      per("max(i.id) AS top, count(*) AS n, date_trunc('day', i.at) AS d2", 'time: d2\nkey: [day]'),
      /lacks columns of the dataset/,
    ],
    [
      per('max(i.id) AS top, count(*) AS n', 'time: day\nkey: [day]\ngrain: month\nallow: [zoneless_time]').replace(
        "date_trunc('day'",
        "date_trunc('month'",
      ),
      /no partition of its grain/,
    ],
    [
      per('max(i.id) AS top, count(*) AS n, count(*) * 2 AS twice'),
      /lacks columns of the dataset[^]*ADD COLUMN[^]*"twice"/,
    ],
  ];
  const before = await untouched('keyed');
  for (const [text, said] of refusals) {
    change('datasets/keyed.sql', text.replace('\nallow: [zoneless_time]', ''));
    assert.match(
      await adopts.refused(
        `adopt keyed ${DAYS} --stale ${WHY}`.replace('01-05', text.includes('month') ? '02-01' : '01-05'),
      ),
      said,
    );
  }
  assert.deepEqual(await untouched('keyed'), before);

  // Its table has the column by now, and nobody has filled it.
  await adopts.build(`keyed --on 2024-01-04 --rebuild stale --local`);
  const empty = await adopts.refused(`adopt keyed ${DAYS} --stale ${WHY}`);
  assert.match(
    empty,
    /3 partitions were built without "twice", which is NULL throughout there[^]*sluice backfill keyed --from 2024-01-01/,
  );
  await warehouse.query('UPDATE analytics.keyed SET twice = n * 2 WHERE twice IS NULL');
  const filled = await adopted(`keyed ${DAYS} --stale ${WHY}`);
  assert.match(filled.notes.join('\n'), /3 partitions built with other columns than today’s: what reads them is stale/);
  // As building would write it: the digest is the same, and nobody is made stale by it.
  const digests = `SELECT digest FROM sluice.partitions WHERE dataset = 'keyed' ORDER BY starts_at`;
  const taken = await rows(digests);
  await adopts.build(`keyed ${DAYS} --rebuild all --local`);
  assert.deepEqual(await rows(digests), taken);

  await warehouse.query(
    'ALTER TABLE analytics.keyed ADD COLUMN other timestamptz; UPDATE analytics.keyed SET other = day',
  );
  change(
    'datasets/keyed.sql',
    per(
      "max(i.id) AS top, count(*) AS n, count(*) * 2 AS twice, date_trunc('day', i.at) AS other",
      'time: other\nkey: [day]',
    ),
  );
  const timed = await adopts.refused(`adopt keyed ${DAYS} --stale ${WHY}`);
  assert.match(timed, /told by "day" .*and today by "other"/);
  const [, again = ''] = /sluice (backfill keyed [^\n]*)/.exec(timed) ?? [];
  await adopts.build(`${again.replace('backfill ', '')} --local`);
  assert.deepEqual((await stale('keyed'))['keyed'], [0, 0, 0, 4]);
});

test('what a backfill holds is refused, and named', async () => {
  assert.equal((await stack.sluice(['warehouse', 'hold', '-p', 'adopt'])).code, 0);
  const held = adopts.build(`per_day --on 2024-01-02 --rebuild all --id holder --local`);
  await eventually('holder holds its day', async () => {
    const found = await rows(`SELECT 1 FROM sluice.reserved WHERE workflow_id LIKE '%/holder'`);
    return found.length > 0;
  });
  assert.match(
    await adopts.refused(`adopt per_day ${DAYS} --stale ${WHY}`),
    /backfill holder holds per_day 2024-01-02/,
  );
  assert.equal((await stack.sluice(['warehouse', 'release', '-p', 'adopt'])).code, 0);
  await held;
});

test('a reader before its inputs is refused with what to adopt first; typed in that order all of it is up to date', async () => {
  for (const name of ['items', 'per_day', 'total']) assert.equal((await adopts.run(`forget ${name} --all`)).code, 0);
  const said = await adopts.refused('adopt total');
  const commands = [...said.matchAll(/sluice (adopt \S+ [^\n]*)/g)].map(([, command = '']) => command);
  assert.deepEqual(
    commands.map((one) => one.split(' ')[1]),
    ['items', 'per_day'],
    said,
  );
  // No more of them is there than these days.
  for (const command of commands) {
    const name = command.split(' ')[1] ?? '';
    const change_ = await adopted(`${name} ${DAYS}`);
    assert.match(
      change_.notes.join('\n'),
      /checked: .*key|checked: .*is unique.*Not checked: .*a half day counts as a whole one/,
    );
  }
  await adopted('total');
  assert.deepEqual(await stale('items per_day total'), {
    items: [0, 0, 0, 4],
    per_day: [0, 0, 0, 4],
    total: [0, 0, 0, 1],
  });
  assert.match(
    (await adopted(`items --from 2024-01-06 --to 2024-01-08`)).notes.join('\n'),
    /2 partitions of them without a row/,
  );

  // By the definition that the workers deploy, from another service.
  const client = await clientOf(stack, 'adopt');
  try {
    const range = { from: '2024-01-01', to: '2024-01-05' };
    await assert.rejects(client.adopt('per_day', { ...range, stale: true }), { code: 'reason_missing' });
    await assert.rejects(client.adopt('nothing', range), { code: 'unknown_dataset' });
    const taken = await client.adopt('per_day', {
      ...range,
      stale: true,
      reason: 'as deployed',
      requestedBy: 'service',
    });
    assert.deepEqual([taken.partitions, taken.causes], [4, { definition: 4 }]);
  } finally {
    await client.close();
  }
  const [last] = await rows(`SELECT actor, reason FROM sluice.journal WHERE action = 'adopt' ORDER BY id DESC LIMIT 1`);
  assert.deepEqual(last, { actor: 'service', reason: 'as deployed' });
});
