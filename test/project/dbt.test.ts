/** What becomes of a dbt model's settings and names: the same, or a line that says why not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batch, convert, STG, type ModelOf } from '../support/dbt.js';

test('what compiling made a constant is refused where every run has another, and listed where it may change', async () => {
  const table = (raw_code: string, more: object = {}): ModelOf => ({
    sql: 'select 1 as id',
    more: { raw_code, ...more },
  });
  const { said, datasets } = await convert(
    {
      started: table("select '{{ run_started_at }}' as at"),
      invoked: table("select '{{ invocation_id }}' as at"),
      dated: table("select '{{ modules.datetime.date.today() }}' as at"),
      macro: table('select {{ today() }} as at', { depends_on: { macros: ['macro.shop.today'] } }),
      varied: table("select {{ var('one') }} as id, '{{ env_var('HOME') }}' as h, '{{ target.name }}' as t"),
      asked: table('{% set x = run_query("select 1") %}select 1 as id', {
        depends_on: { macros: ['macro.dbt.run_query'] },
      }),
      quoted: table("select 'run_started_at' as id, {{ dbt.dateadd('day', 1, 'target') }} as d {# run_started_at #}"),
    },
    {
      macros: {
        'macro.shop.today': { name: 'today', macro_sql: "{% macro today() %}'{{ run_started_at }}'{% endmacro %}" },
      },
    },
  );
  for (const name of ['started', 'invoked', 'dated', 'macro']) assert.match(said(name), /compiled to a constant/, name);
  for (const word of [/^var /m, /^env_var /m, /^target /m]) assert.match(said('varied'), word);
  assert.match(said('asked'), /run_query was asked when it was compiled/);
  assert.equal(said('quoted'), '');
  assert.deepEqual([...datasets.keys()].sort(), ['asked', 'quoted', 'stg', 'varied']);
});

test('a whole model that depends on when it runs is built at each run, as dbt does it; of a batch that is said', async () => {
  const texts = {
    date: 'select id from "wh"."dbt"."stg" where at > current_date - 7',
    call: 'select id, NOW() as loaded from "wh"."dbt"."stg"',
    stamp: 'select id from "wh"."dbt"."stg" where at > (select localtimestamp(0))',
    word: 'select id from "wh"."dbt"."stg" where at > \'yesterday\'::date',
    aged: 'select age(at) as a from "wh"."dbt"."stg"',
    chance: 'select id from "wh"."dbt"."stg" where random() < 0.1',
    fixed: 'select id, \'now\' as word, age(at, at) as a, current_user as who from "wh"."dbt"."stg"',
  };
  const models = Object.fromEntries(Object.entries(texts).map(([name, sql]): [string, ModelOf] => [name, { sql }]));
  const { said, datasets } = await convert({
    stg: STG,
    ...models,
    batched: batch("select *, now() as loaded from {{ ref('stg') }}"),
  });
  for (const name of Object.keys(texts))
    assert.equal(datasets.get(name)?.refresh, name === 'fixed' ? 'never' : 'always', name);
  assert.match(said('batched'), /^now\(\) in its SQL is the time of building/m);
});

test('event times and keys are SQL: unquoted they fold, an expression is no column', async () => {
  const { said, file, datasets } = await convert({
    stg: { ...STG, config: { event_time: 'AT' } },
    mixed: {
      sql: 'select id, at as "At" from "wh"."dbt"."stg"',
      config: { event_time: 'At' },
      more: { columns: { At: { name: 'At', quote: true } } },
    },
    cast: { ...STG, config: { event_time: 'at::date' } },
    folded: batch("select * from {{ ref('stg') }}", { event_time: 'AT', unique_key: ['ID', '"At"'] }),
    quoted: batch("select * from {{ ref('mixed') }}", { event_time: '"At"' }),
    expression: batch("select * from {{ ref('stg') }}", { event_time: 'cast(at as date)' }),
    lowered: batch("select * from {{ ref('stg') }}", { unique_key: 'lower(id)' }),
    limited: batch("select * from {{ ref('cast') }}"),
    list: { ...STG, config: { materialized: 'incremental', unique_key: ['ID', 'lower(x)'] } },
  });
  const folded = datasets.get('folded');
  assert.deepEqual(
    [folded?.time, folded?.key, folded?.publish, folded?.moves],
    ['at', ['id', 'At'], 'merge', 'follow'],
  );
  assert.match(file('quoted'), /WHERE "At" >= :start/);
  assert.match(said('expression'), /event_time cast\(at as date\) is no column/);
  assert.match(said('lowered'), /unique_key lower\(id\) is no column/);
  assert.match(said('limited'), /event_time at::date, which is no column/);
  assert.match(said('list'), /unique_key ID, lower\(x\) is SQL/);
  assert.deepEqual(datasets.get('list')?.key, []);
});

test('every setting is carried over or spoken of', async () => {
  const { said, datasets } = await convert(
    {
      rich: {
        ...STG,
        config: {
          'pre-hook': 'lock it',
          'post-hook': [{ sql: 'insert\n into it', transaction: true }],
          unlogged: true,
          persist_docs: { relation: true },
          cluster_by: ['v'],
          grants: { select: ['Reporter', 'PUBLIC'], insert: ['app'] },
          indexes: [{ columns: ['v'], unique: true, type: 'hash' }],
          contract: { enforced: true },
        },
        more: {
          columns: {
            ID: { name: 'ID', constraints: [{ type: 'primary_key' }, { type: 'check', expression: 'id > 0' }] },
          },
        },
      },
      kept: { ...STG, config: { materialized: 'incremental', full_refresh: false } },
      partly: batch("select * from {{ source('raw', 'sale') }}", { merge_update_columns: ['v'] }),
      headed: { ...STG, config: { sql_header: 'set timezone = x' } },
      refreshed: { ...STG, config: { materialized: 'materialized_view' } },
      afar: { ...STG, more: { database: 'other' } },
      empty: { sql: 'select * from (select * from "wh"."raw"."sale" where false limit 0) _dbt_limit_subq_sale' },
      seen: { ...STG, config: { materialized: 'view' } },
    },
    {
      exposures: { 'exposure.shop.dash': {} },
      disabled: { 'model.shop.off': [] },
      unit_tests: { 'unit_test.shop.ut': {} },
      nodes: {
        'operation.shop.end': {
          unique_id: 'o',
          resource_type: 'operation',
          name: 'end',
          schema: 'dbt',
          tags: ['on-run-end'],
          raw_code: 'grant it',
        },
        'test.shop.partial': {
          unique_id: 't',
          resource_type: 'test',
          name: 't',
          schema: 'dbt',
          attached_node: 'model.shop.stg',
          column_name: 'id',
          test_metadata: { name: 'unique' },
          config: { where: 'v > 1' },
        },
      },
    },
  );
  for (const word of [
    /pre-hook: .*lock it/,
    /post-hook: .*insert into it/,
    /GRANT SELECT ON dbt\.rich TO PUBLIC/,
    /GRANT INSERT ON dbt\.rich TO app/,
    /CREATE UNIQUE INDEX ON dbt\.rich USING hash \(v\)/,
    /unlogged/,
    /persist_docs/,
    /contract: .*check of ID \(id > 0\)/,
    /config cluster_by/,
  ])
    assert.match(said('rich'), word);
  assert.deepEqual([datasets.get('rich')?.key, datasets.get('rich')?.grants], [['id'], ['reporter']]);
  const reasons = {
    kept: /full_refresh false/,
    partly: /merge_update_columns/,
    headed: /sql_header/,
    refreshed: /materialized_view/,
    afar: /database other/,
    empty: /--empty/,
    dash: /exposure/,
    off: /disabled/,
    ut: /unit test/,
    end: /\(on-run-end\).*grant it/,
    partial: /a test \(unique\)/,
  };
  for (const [name, reason] of Object.entries(reasons)) assert.match(said(name), reason, name);
  assert.deepEqual([datasets.get('seen')?.publish, datasets.get('stg')?.key], ['view', []]);
  assert.deepEqual([...datasets.keys()].sort(), ['rich', 'seen', 'stg']);
});

test('a model of any name is carried over, its table keeps it, and no name is that of two', async () => {
  const odd = ['order', 'user', 'Orders', 'orders', '2nd', 'a.b', 'a-b', 'größe', 'all', 'pg_x', 'select'];
  const models = Object.fromEntries(odd.map((name) => [name, STG]));
  const readers = Object.fromEntries(
    odd.map((name, i) => [`r${i}`, { sql: `select "${name}".id from "wh"."dbt"."${name}"` }]),
  );
  const { datasets, said, file } = await convert(
    {
      ...models,
      ...readers,
      ['x'.repeat(64)]: STG,
      twin: { ...STG, more: { schema: 'marts', alias: 'sale' } },
      outside: { sql: 'select * from "wh"."dbt"."sale"' },
      unquoted: { ...STG, more: { alias: 'Loose', relation_name: 'wh.dbt.Loose' } },
      lax: { sql: 'select dbt.loose.id from wh.dbt.Loose' },
    },
    {
      nodes: {
        'seed.shop.sale': {
          unique_id: 's',
          resource_type: 'seed',
          name: 'sale',
          alias: 'sale',
          database: 'wh',
          schema: 'dbt',
        },
      },
    },
  );
  odd.forEach((name, i) => {
    const [need] = datasets.get(`r${i}`)?.needs ?? [];
    assert.deepEqual(datasets.get(need?.dataset ?? '')?.table, { schema: 'dbt', name }, name);
  });
  assert.match(said('x'.repeat(64)), /longer than 63 bytes/);
  // The seed dbt.sale is no dataset, though a model's table is called sale too.
  assert.deepEqual(datasets.get('outside')?.needs, []);
  assert.deepEqual(datasets.get('marts_sale')?.table, { schema: 'marts', name: 'sale' });
  assert.match(file('lax'), /select "loose"\.id from loose\b/);
  assert.deepEqual(datasets.get('lax')?.needs, [{ dataset: 'loose' }]);
});
