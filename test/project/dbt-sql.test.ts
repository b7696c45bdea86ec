/** What becomes of a dbt model's SQL: it reads what dbt's does, or a line says why not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batch, convert, STG, type ModelOf } from '../support/dbt.js';

const TIMED: ModelOf = { ...STG, config: { event_time: 'at' } };
const LIMIT = /\(SELECT \* FROM \S+ WHERE "at" >= :start AND "at" < :end\)/g;
const limits = (file: string): number => file.match(LIMIT)?.length ?? 0;

test('a CTE never hides the table of a model, however it is named', async () => {
  const { datasets } = await convert({
    Big: STG,
    one: { sql: 'with stg as (select * from "wh"."dbt"."stg") select * from stg' },
    two: { sql: 'with "Big" as (select 1 as id), b as (select * from "wh"."dbt"."Big") select * from b, "Big"' },
    three: {
      sql: 'with recursive stg as (select id from "wh"."dbt"."stg" union all select id + 1 from stg where id < 3) select * from stg',
    },
    four: {
      sql: 'select * from (with stg as (select 1 as id) select a.id from stg a join "wh"."dbt"."stg" b using (id)) x',
    },
    five: { sql: 'with sale as (select 1 as id) select s.id from "wh"."raw"."sale" s join sale using (id)' },
    six: { sql: 'with big as (select 1 as id) select b.id from "wh"."dbt"."Big" b, big' },
  });
  const needs = (name: string): string[] | undefined => datasets.get(name)?.needs.map(({ dataset }) => dataset);
  for (const name of ['one', 'three', 'four']) assert.deepEqual(needs(name), ['stg'], name);
  for (const name of ['two', 'six']) assert.deepEqual(needs(name), ['Big'], name);
  assert.deepEqual(needs('five'), []);
});

test('each ref of a microbatch model is limited as dbt limits it, or the model is refused', async () => {
  const mixed =
    "with a as (select * from {{ ref('stg') }}) select a.*, (select sum(v) from {{ ref('stg').render() }}) as s from a";
  const { file, said, datasets } = await convert(
    {
      stg: TIMED,
      plain: batch("select * from {{ ref('stg') }}"),
      versioned: batch(
        "select * from {{ ref('shop', 'stg') }}",
        {},
        { compiled_code: 'select * from "wh"."dbt"."stg"' },
      ),
      mixed: batch(mixed),
      rendered: batch("select * from {{ ref('stg').render() }}"),
      written: batch('select * from "wh"."dbt"."stg"'),
      upstream: batch("select id, at from {{ source('raw', 'sale') }}"),
      all: batch("select s.id, s.at from {{ ref('stg') }} s join {{ ref('upstream').render() }} using (id)"),
      looped: batch(
        "{% for i in [1, 2] %}select * from {{ ref('stg') }}{% endfor %}",
        {},
        { compiled_code: 'select * from "wh"."dbt"."stg" union select * from "wh"."dbt"."stg"' },
      ),
      held: batch(
        "{% set r = ref('stg') %}select * from {{ r }}",
        {},
        { compiled_code: 'select * from "wh"."dbt"."stg"' },
      ),
      either: batch(
        "{% if x %}select * from {{ ref('stg') }}{% else %}select * from {{ ref('stg').render() }}{% endif %}",
        {},
        { compiled_code: 'select * from "wh"."dbt"."stg"' },
      ),
      hidden: batch(
        'select * from {{ f() }}',
        {},
        { compiled_code: 'select * from "wh"."dbt"."stg"', depends_on: { macros: ['macro.shop.f'] } },
      ),
    },
    { macros: { 'macro.shop.f': { name: 'f', macro_sql: "{% macro f() %}{{ ref('stg').render() }}{% endmacro %}" } } },
  );
  assert.deepEqual(
    ['plain', 'versioned', 'mixed', 'looped', 'upstream'].map((name) => limits(file(name))),
    [1, 1, 1, 2, 1],
  );
  assert.match(file('mixed'), /sum\(v\) from stg\) as s/);
  // Limited by none of its inputs: its own rows are.
  for (const name of ['rendered', 'written']) assert.match(file(name), /AS model\nWHERE "at" >= :start/, name);
  assert.deepEqual(datasets.get('model_all')?.needs, [{ dataset: 'stg' }, { dataset: 'upstream', window: 'all' }]);
  for (const name of ['held', 'either', 'hidden'])
    assert.match(said(name), /reads of dbt\.stg dbt limits .* cannot be told/, name);
});

test('an ephemeral model is never limited inside, and one with an event time is not carried into a batch', async () => {
  const inject = (name: string): string =>
    `with __dbt__cte__${name} as (\nselect * from "wh"."dbt"."stg"\n) select * from __dbt__cte__${name}`;
  const models = (config: object): Record<string, ModelOf> => ({
    stg: TIMED,
    eph: { ...STG, config: { materialized: 'ephemeral', ...config } },
    reader: batch("select * from {{ ref('eph') }}", {}, { compiled_code: inject('eph') }),
  });
  const plain = await convert(models({}));
  assert.equal(limits(plain.file('reader')), 0);
  assert.match(plain.file('reader'), /WHERE "at" >= :start/);
  assert.match((await convert(models({ event_time: 'at' }))).said('reader'), /limits the ephemeral model eph/);
});

test('SQL of is_incremental() is never built as the whole', async () => {
  const incremental = (raw_code: string, sql: string, more: object = {}): ModelOf => ({
    sql,
    config: { materialized: 'incremental', unique_key: 'id' },
    more: { raw_code, ...more },
  });
  const branch = "select * from {{ ref('stg') }} {% if is_incremental() %} where id > 5 {% endif %}";
  const table = '"wh"."dbt"."stg"';
  const { file, said, datasets } = await convert(
    {
      refreshed: incremental(branch, `select * from ${table} `),
      run: incremental(branch, `select * from ${table}  where id > 5 `),
      unless: incremental(
        "select * from {{ ref('stg') }} {%- if not is_incremental() %} where id > 5 {% else %} where id > 7{% endif %}",
        `select * from ${table} where id > 7`,
      ),
      macro: incremental("select * from {{ ref('stg') }} {{ later() }}", `select * from ${table} where id > 5`, {
        depends_on: { macros: ['macro.shop.later'] },
      }),
      inline: incremental(
        "select * from {{ ref('stg') }} {{ 'where id > 5' if is_incremental() }}",
        `select * from ${table} where id > 5`,
      ),
      variable: incremental(
        "select * from {{ ref('stg') }} {{ var('w') }} {% if is_incremental() %} where id > 5 {% endif %}",
        `select * from ${table} where id > 5`,
      ),
      both: incremental(
        "select * from {{ ref('stg') }} {% if is_incremental() and var('x') %} where id > 5 {% endif %}",
        `select * from ${table}`,
      ),
      batched: batch("select * from {{ ref('stg') }} {% if is_incremental() %} where id > 5 {% endif %}"),
      // A table is never incremental.
      whole: { sql: `select * from ${table} `, more: { raw_code: branch } },
    },
    {
      macros: {
        'macro.shop.later': {
          name: 'later',
          macro_sql: '{% macro later() %}{% if is_incremental() %}where id > 5{% endif %}{% endmacro %}',
        },
      },
    },
  );
  for (const name of ['refreshed', 'run', 'whole']) assert.match(file(name), /select \* from stg\s*$/, name);
  assert.match(said('run'), /is_incremental\(\).*--full-refresh/);
  assert.match(file('unless'), /where id > 5\s*$/);
  for (const name of ['macro', 'inline', 'variable', 'both']) assert.match(said(name), /--full-refresh/, name);
  assert.match(said('batched'), /first batch has another SQL/);
  assert.deepEqual([...datasets.keys()].sort(), ['refreshed', 'run', 'stg', 'unless', 'whole']);
});
