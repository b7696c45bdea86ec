/** `init --from-dbt`: what sluice builds is what the compiled SQL of dbt gives in PostgreSQL. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { batch, manifestJson, type ModelOf } from '../support/dbt.js';
import { random } from '../support/random.js';
import { startStack, type Stack } from '../support/stack.js';

let stack: Stack;

before(async () => {
  stack = await startStack();
});

after(() => stack.stop());

/** Names that hide, fold or are words of SQL: of models, of CTEs, and of the source's table. */
const NAMES = ['order', 'Sale', 'sale', 'big', 'Big', 'user', 'größe', '2nd', 'a-b', 'a.b', 'all', 'x'];
const SOURCE = `CREATE SCHEMA raw; CREATE SCHEMA dbt; CREATE TABLE raw.sale (id int, v int, at timestamptz);
  INSERT INTO raw.sale SELECT n, n * n % 17, timestamptz '2024-01-01Z' + n * interval '1 hour' FROM generate_series(0, 119) n`;

interface Model extends ModelOf {
  readonly name: string;
}

/** Models that read each other through CTEs, each of which may have the name of any model. */
function generate(seed: number, count: number): Model[] {
  const next = random(seed);
  const below = (n: number): number => Math.floor(next() * n);
  const names = [...NAMES, ...Array.from({ length: count - NAMES.length }, (_, i) => `m${i}`)];
  const table = (upTo: number): string => {
    const at = below(upTo + 1);
    return at === upTo ? '"wh"."raw"."sale"' : `"wh"."dbt"."${names[at] ?? ''}"`;
  };
  const query = (upTo: number, ctes: readonly string[], depth: number): string => {
    const own: string[] = [];
    const recursive = depth < 3 && below(4) === 0;
    const written = Array.from({ length: depth < 3 ? below(4) : 0 }, () => {
      const name = `"${names[below(names.length)] ?? ''}"`;
      if (own.includes(name)) return [];
      const inner = query(
        upTo,
        recursive ? [...ctes.filter((cte) => cte !== name), ...own] : [...ctes, ...own],
        depth + 1,
      );
      const loops = recursive && below(2) === 0;
      own.push(name);
      const first = `select id, v from (${inner}) f where id < 40`;
      return [`${name} as (${loops ? `${first} union select id + 1, v from ${name} where id < 5` : inner})`];
    }).flat();
    const known = [...ctes, ...own];
    const from = (): string => (known.length > 0 && below(2) === 0 ? (known[below(known.length)] ?? '') : table(upTo));
    const lists = written.length > 0 ? `with ${recursive ? 'recursive ' : ''}${written.join(', ')} ` : '';
    return `${lists}select a.id, (a.v + (select count(*) from ${from()}))::int % ${5 + below(90)} as v from ${from()} a where a.id % ${2 + below(5)} <> 1`;
  };
  return names.map((name, i) => ({
    name,
    sql: query(i, [], 0),
    config: { materialized: below(4) === 0 ? 'view' : 'table' },
  }));
}

async function rowsOf(db: pg.Client, name: string): Promise<unknown[]> {
  const { rows } = await db.query(`SELECT * FROM dbt."${name}" ORDER BY 1, 2`);
  return rows;
}

/** Imports a manifest as a project, builds it, and gives back its warehouse. */
async function build(name: string, models: readonly Model[], args: readonly string[]): Promise<pg.Client> {
  const db = await stack.connect(`${name}_built`);
  await db.query(SOURCE);
  const manifest = join(stack.dir, `${name}.json`);
  writeFileSync(manifest, manifestJson(Object.fromEntries(models.map((model) => [model.name, model]))));
  const folder = join(stack.dir, name);
  const made = await stack.sluice(['init', folder, '--from-dbt', manifest, '--json']);
  assert.equal(made.code, 0, made.err);
  const env = { WAREHOUSE_URL: await stack.url(`${name}_built`) };
  await stack.worker(folder, [], env);
  const built = await stack.sluice(['backfill', ...args, '-p', folder, '--wait'], { env });
  assert.equal(built.code, 0, built.out + built.err);
  return db;
}

test('models whose CTEs have the names of models are built as PostgreSQL reads their SQL', async () => {
  const models = generate(20260, 48);
  const dbt = await stack.connect('ctes_dbt');
  await dbt.query(SOURCE);
  for (const { name, sql } of models) await dbt.query(`CREATE TABLE dbt."${name}" AS ${sql.replaceAll('"wh".', '')}`);
  const built = await build('ctes', models, []);
  let rows = 0;
  for (const { name, sql } of models) {
    const wanted = await rowsOf(dbt, name);
    assert.deepEqual(await rowsOf(built, name), wanted, `${name}: ${sql}`);
    rows += wanted.length;
  }
  assert.ok(rows > 500, `${rows} rows compared`);
});

test('a microbatch model gives what merging its batches gives, whatever of its inputs dbt limits', async () => {
  const models: Model[] = [
    { name: 'stg', sql: 'select id, v, at from "wh"."raw"."sale"', config: { materialized: 'view', event_time: 'AT' } },
    { name: 'hours', ...batch("select id, v, at from {{ ref('stg') }}") },
    {
      name: 'share',
      ...batch(
        "with hours as (select * from {{ ref('hours') }}) select s.id, s.at, s.v, (select sum(v) from {{ ref('stg').render() }}) as of_stg, (select count(*) from {{ ref('hours').render() }}) as of_hours, (select count(*) from hours) as n from {{ ref('stg') }} s",
      ),
    },
  ];
  const built = await build('batches', models, ['--from', '2024-01-01', '--to', '2024-01-06']);
  // What is after a partition's end is read if it is there; what is before it always is.
  const { rows } = await built.query(
    `SELECT count(*)::int AS n, bool_and(of_stg = (SELECT sum(v) FROM raw.sale)) AS stg, bool_and(n = 24) AS of_day,
       bool_and(of_hours >= 24 * extract(day FROM at AT TIME ZONE 'UTC')) AS before FROM dbt.share`,
  );
  assert.deepEqual(rows, [{ n: 120, stg: true, of_day: true, before: true }]);
  // A row that has gone stays, as it does under dbt's MERGE; one that has changed is written anew.
  await built.query('DELETE FROM raw.sale WHERE id = 30; UPDATE raw.sale SET v = 99 WHERE id = 31');
  const again = await stack.sluice(
    ['backfill', '--on', '2024-01-02', '--rebuild', 'all', '-p', join(stack.dir, 'batches'), '--wait'],
    { env: { WAREHOUSE_URL: await stack.url('batches_built') } },
  );
  assert.equal(again.code, 0, again.out + again.err);
  const kept = await built.query('SELECT id, v FROM dbt.hours WHERE id IN (30, 31) ORDER BY 1');
  assert.deepEqual(kept.rows, [
    { id: 30, v: (30 * 30) % 17 },
    { id: 31, v: 99 },
  ]);
});
