/** The ledger speaks of a table, not of a name: tables that move, are shared, renamed, dropped, handed over and given up. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { random as randomOf } from '../support/random.js';
import { startStack, type Stack } from '../support/stack.js';
import { countsOf, datasetOf, projectYaml, typed, type Typed } from './planning-kit.js';

const ITEMS = 'extract: { from: ops, table: public.items, time: at }\nkey: [id]\n';
const head = (settings: string): string => `/*\n${settings}*/\n`;
const PER_DAY = `SELECT date_trunc('day', i.at) AS day, sum(i.price) AS price
FROM items i WHERE i.at >= :start AND i.at < :end GROUP BY 1\n`;
const TOTAL = `${head('grain: none\n')}SELECT sum(d.price) AS price FROM per_day d\n`;
const DAYS = '--from 2024-01-01 --to 2024-01-05';

/** A project whose datasets may be given tables. */
function filesOf(project: string, tables: { items?: string; per_day?: string } = {}): Record<string, string> {
  const named = (table: string | undefined): string => (table === undefined ? '' : `table: ${table}\n`);
  return {
    'sluice.yaml': projectYaml(project)
      .replaceAll(/(ops|wh)_\w+/g, '$1_moves')
      .replace('schema: analytics', `schema: ${project}`),
    'datasets/items.yaml': `${ITEMS}${named(tables.items)}`,
    'datasets/per_day.sql': `${head(`time: day\nkey: [day]\n${named(tables.per_day)}`)}${PER_DAY}`,
    'datasets/total.sql': TOTAL,
  };
}

let stack: Stack;
let ops: pg.Client;
let warehouse: pg.Client;

before(async () => {
  stack = await startStack();
  ops = await stack.connect('ops_moves');
  warehouse = await stack.connect('wh_moves');
  await ops.query(`CREATE TABLE items (id bigint PRIMARY KEY, at timestamptz NOT NULL, price int NOT NULL);
    INSERT INTO items SELECT i, '2024-01-01Z'::timestamptz + i * interval '12 hours', i FROM generate_series(0, 7) i`);
});
after(() => stack.stop());

/** A project of its own, with its worker. */
async function started(project: string): Promise<Typed> {
  await stack.worker(stack.project(project, filesOf(project)));
  return typed(stack, project);
}

async function rowsOf(sql: string): Promise<unknown[]> {
  const { rows } = await warehouse.query<Record<string, unknown>>(sql);
  return rows.map((row) => Object.values(row)[0]);
}

const rebuilt = `${DAYS} --rebuild stale --local`;

/** A command that was printed, without `sluice` and its quotes. */
function printed(text: string, start: string): string {
  const [, command] = new RegExp(`\`?sluice (${start}[^\`,;\n]*)`).exec(text.replaceAll(/\s+/g, ' ')) ?? [];
  assert.ok(command, `no sluice ${start} in: ${text}`);
  return command.trim();
}

test('a target that is another table is built there from nothing; the old one stays, and comes back as it was', async () => {
  const moves = await started('moves');
  await moves.build(DAYS);
  stack.project('moves', filesOf('moves', { items: 'moves.items_v2' }));
  const plan = await moves.plan(rebuilt.replace(' --local', ''));
  assert.deepEqual(countsOf(plan), { items: [4, 4, 0, 0], per_day: [4, 0, 4, 0], total: [1, 0, 0, 1] });
  const [warning] = plan.warnings;
  assert.equal(
    warning?.message,
    'builds anew in moves.items_v2; moves.items stays as it is, with 4 days (`DROP TABLE "moves"."items"` does away with it)',
  );
  const why = await moves.run('why per_day 2024-01-02 --json');
  assert.match(why.out, /It read items, which is \\"moves\\".\\"items_v2\\" now, in \\"moves\\".\\"items\\"/);
  assert.match((await moves.run('ledger items')).out, /nothing of items is published/);

  // The price of one item is another one by now: the two tables differ.
  await ops.query('UPDATE items SET price = 100 WHERE id = 2');
  await moves.build(rebuilt);
  assert.deepEqual(await rowsOf('SELECT price::int FROM moves.per_day ORDER BY day'), [1, 103, 9, 13]);
  assert.deepEqual(await rowsOf('SELECT count(*)::int FROM moves.items'), [8]);
  assert.deepEqual(await rowsOf(`SELECT detail::text FROM sluice.journal WHERE action = 'move'`), [
    '{"to": "moves.items_v2", "back": 0, "from": "moves.items", "aside": 4, "dataset": "items"}',
  ]);

  // What was built from the other table is not up to date, though nothing has changed in this one since.
  stack.project('moves', filesOf('moves'));
  const back = await moves.plan(`${DAYS} --rebuild stale`);
  assert.deepEqual(countsOf(back), { items: [0, 0, 0, 4], per_day: [4, 0, 4, 0], total: [1, 0, 0, 1] });
  assert.match(
    back.warnings[0]?.message ?? '',
    /^is in moves.items again, which still has 4 days; moves.items_v2 stays/,
  );
  await moves.build(rebuilt);
  assert.deepEqual(await rowsOf('SELECT price::int FROM moves.per_day ORDER BY day'), [1, 5, 9, 13]);
  const { intervals } = datasetOf(await moves.plan('items --on 2024-01-02 --rebuild all'), 'items');
  assert.equal(intervals.length, 1);
});

test('whatever is moved, rebuilt in part and moved back: --rebuild stale gives what building all from nothing gives', async () => {
  const shuffled = await started('shuffled');
  const seed = Number(process.env['SEED'] ?? 1);
  const random = randomOf(seed);
  const tables = { items: 'shuffled.items', per_day: 'shuffled.per_day' };
  const flip = (name: 'items' | 'per_day'): void => {
    tables[name] = tables[name].endsWith('_b') ? tables[name].slice(0, -2) : `${tables[name]}_b`;
  };
  await shuffled.build(DAYS);
  const steps: string[] = [];
  for (let round = 0; round < 6; round++) {
    if (random() < 0.7) flip('items');
    if (random() < 0.4) flip('per_day');
    stack.project('shuffled', filesOf('shuffled', tables));
    const day = `2024-01-0${1 + Math.floor(random() * 4)}`;
    await ops.query('UPDATE items SET price = price + 1000 WHERE at >= $1::date AND at < $1::date + 1', [`${day}Z`]);
    const part = random() < 0.5 ? `items --on ${day} --rebuild all --local` : `items ${rebuilt}`;
    steps.push(`${tables.items} ${tables.per_day} ${part}`);
    await shuffled.build(part);
    if (random() < 0.4) continue;
    await shuffled.build(rebuilt);
    const perDay = await warehouse.query(`SELECT day, price FROM ${tables.per_day} ORDER BY 1`);
    const direct = await warehouse.query(
      `SELECT date_trunc('day', at, 'UTC') AS day, sum(price) AS price FROM ${tables.items} GROUP BY 1 ORDER BY 1`,
    );
    assert.deepEqual(perDay.rows, direct.rows, `seed ${seed}: ${steps.join('; ')}`);
    const totals = await warehouse.query(
      `SELECT (SELECT price::text FROM shuffled.total) AS total, (SELECT sum(price)::text FROM ${tables.per_day}) AS sum`,
    );
    const { total, sum } = (totals.rows as { total: string; sum: string }[])[0] ?? {};
    assert.equal(total, sum, `seed ${seed}: ${steps.join('; ')}`);
  }
});

test('a table that was renamed by hand is followed; one that was dropped is built anew as a whole; another in its place is refused', async () => {
  const hands = await started('hands');
  await hands.build(DAYS);
  await warehouse.query('ALTER TABLE hands.items RENAME TO things');
  const called = await hands.refused(`plan ${DAYS}`);
  assert.match(called, /"hands"."items" is gone[^]*it is called "hands"."things" now: write `table: hands.things`/);
  stack.project('hands', filesOf('hands', { items: 'hands.things' }));
  const { warnings, datasets } = await hands.plan(`items ${DAYS} --rebuild stale`);
  assert.deepEqual(
    [datasets[0]?.upToDate, warnings[0]?.message],
    [4, 'hands.items is called hands.things now: the same table'],
  );
  await hands.build(`items --on 2024-01-02 --rebuild all --local`);
  assert.deepEqual(
    await rowsOf(`SELECT table_name FROM sluice.tables WHERE schema_name = 'hands' AND dataset = 'items'`),
    ['things'],
  );

  await warehouse.query(
    'CREATE TABLE hands.other (LIKE hands.things); DROP TABLE hands.things; ALTER TABLE hands.other RENAME TO things',
  );
  for (const asked of [`items ${DAYS}`, `per_day ${DAYS}`]) {
    const said = await hands.refused(`plan ${asked} --rebuild stale`);
    assert.match(said, /"hands"."things" is not the one that sluice wrote/);
  }
  await warehouse.query('DROP TABLE hands.things');
  const gone = await hands.refused('plan items --on 2024-01-02');
  assert.match(gone, /"hands"."things" is gone, and the ledger has 4 partitions of it/);
  assert.equal((await hands.run(`plan items ${DAYS}`)).code, 0);
  await hands.build(`${printed(gone, 'backfill ').replace('backfill ', '')} --to 2024-01-05 --local`);
  assert.deepEqual(await rowsOf('SELECT count(*)::int FROM hands.things'), [8]);
});

test('a dataset of another name is handed its table, or the old one is given up; each printed command works', async () => {
  const named = await started('named');
  await named.build(DAYS);
  const { 'datasets/items.yaml': items = '', ...rest } = filesOf('named');
  rmSync(`${stack.dir}/named/datasets/items.yaml`);
  const renamed = Object.fromEntries(
    Object.entries(rest).map(([file, text]) => [file, text.replace('FROM items i', 'FROM things i')]),
  );
  stack.project('named', { ...renamed, 'datasets/things.yaml': `${items}table: named.items\n` });
  const early = await named.refused(`plan things ${DAYS}`);
  assert.match(early, /belongs to dataset items of project named[^]*deploy this folder/);
  assert.match(await named.refused('rename items things'), /workers still deploy it/);
  await stack.worker(`${stack.dir}/named`);

  const doctor = await named.run('doctor --json');
  assert.match(doctor.out, /named.items \(items\)/);
  const command = printed(await named.refused(`plan things ${DAYS}`), 'rename ');
  assert.equal(command, 'rename items things');
  const handed = await named.run(command);
  assert.equal(handed.code, 0, handed.err);
  assert.match(handed.out, /items is things now: 1 table, 4 partitions/);
  assert.deepEqual(countsOf(await named.plan(`things ${DAYS} --rebuild stale`)), { things: [0, 0, 0, 4] });
  assert.deepEqual(await rowsOf(`SELECT actor IS NOT NULL FROM sluice.journal WHERE action = 'rename'`), [true]);
  assert.match(await named.refused('rename items things'), /the ledger has none of that name/);

  // Another project under which all of it goes on.
  stack.project('called', {
    ...renamed,
    'sluice.yaml': (filesOf('named')['sluice.yaml'] ?? '').replace('project: named', 'project: called'),
    'datasets/things.yaml': `${items}table: named.items\n`,
  });
  const called = typed(stack, 'called');
  const over = printed(await called.refused(`plan things ${DAYS}`), 'rename ');
  assert.equal(over, 'rename --from-project named');
  const all = await called.run(over);
  assert.equal(all.code, 0, all.err);
  assert.deepEqual(countsOf(await called.plan(`things per_day ${DAYS}`)), {
    things: [0, 0, 0, 4],
    per_day: [0, 0, 4, 0],
  });

  const given = await called.run('forget things --all');
  assert.match(given.out, /forgot 4 partitions of things, 8 rows\ntable named.items stays as it is/);
  assert.match(await called.refused(`plan things ${DAYS}`), /holds rows that sluice did not write/);
});
