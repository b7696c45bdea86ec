import { checkMistakes } from './case.js';
import type { Case } from './case.js';
import { RAW_YAML, SLUICE_YAML, transform } from './helpers.js';

const YAML = 'sluice.yaml';
const CLEAN = 'datasets/clean.sql';
const RAW = 'datasets/raw.yaml';
const SELECT = 'SELECT t FROM raw WHERE t >= :start AND t < :end';

const project = (from: string, to: string): Case['files'] => ({ [YAML]: SLUICE_YAML.replace(from, to) });
const sql = (text: string, settings?: string): Case['files'] => ({ [CLEAN]: transform(text, settings) });
const settings = (text: string): Case['files'] => sql(SELECT, `time: t\n${text}`);
const raw = (text: string): Case['files'] => ({ [RAW]: text, [CLEAN]: undefined });

/** Everything that can be wrong with a budget: at its line, with what to write instead. */
const budget = (name: string, text: string, code: string, says: RegExp, line = 4): Case => ({
  name: `budget: ${name}`,
  files: project('url: embedded:ops }', `url: embedded:ops, budget: ${text} }`),
  code,
  at: `${YAML}:${line}`,
  says,
});
const windows = (...several: readonly string[]): string => `{ slots: 4, windows: [${several.join(', ')}] }`;
const hold = (query: string): string => `{ hold_when: [{ name: lag, query: "${query}", above: 5 }] }`;
const alternates = (name: string, text: string, code: string, says: RegExp, line: number): Case => ({
  name: `alternates: ${name}`,
  files: {
    [YAML]: `project: p
connections:
  ops: { type: postgres, url: embedded:ops${text} }
  wh: { type: postgres, url: embedded:wh${name === 'of the warehouse' ? ', alternates: [ops]' : ''} }
  copy: { type: postgres, url: embedded:copy${name === 'a chain' ? ', alternates: [ops]' : ''} }
warehouse: wh
schema: analytics
defaults: { grain: day, start: 2013-01-01 }
`,
  },
  code,
  at: `${YAML}:${line}`,
  says,
});
const ALTERNATES: readonly Case[] = [
  alternates('unknown', ', alternates: [copi]', 'unknown_connection', /no connection copi[^]*did you mean copy/, 3),
  alternates('itself', ', alternates: [copy, ops]', 'bad_alternate', /ops is no alternate of itself/, 3),
  alternates('the warehouse', ', alternates: [wh]', 'bad_alternate', /wh is the warehouse/, 3),
  alternates('of the warehouse', '', 'bad_alternate', /wh is the warehouse, which is written/, 4),
  alternates('one, not a list', ', alternates: copy', 'invalid_value', /alternates/, 3),
];

const POOLS: readonly Case[] = [
  {
    name: 'pool: unknown',
    files: { ...project('schema:', 'pools: { heavy: { slots: 2 } }\nschema:'), ...settings('pool: havy') },
    code: 'unknown_pool',
    at: `${CLEAN}:3`,
    says: /no pool havy[^]*did you mean heavy/,
  },
  {
    name: 'pool: none declared',
    files: settings('pool: heavy'),
    code: 'unknown_pool',
    at: `${CLEAN}:3`,
    says: /declare it in sluice.yaml: pools: { heavy: { slots: 2 } }/,
  },
  {
    name: 'pool: no slots',
    files: project('schema:', 'pools: { heavy: { slots: 0 } }\nschema:'),
    code: 'invalid_value',
    at: `${YAML}:7`,
    says: /slots/,
  },
  {
    name: 'pool: a name',
    files: project('schema:', 'pools: { "a b": { slots: 1 } }\nschema:'),
    code: 'bad_name',
    at: `${YAML}:7`,
    says: /a b/,
  },
];

const BUDGETS: readonly Case[] = [
  budget('unknown law', '{ law: adaptiv }', 'unknown_value', /did you mean adaptive/),
  budget('a slot too many', '{ slots: 1.5 }', 'invalid_value', /slots/),
  budget('days', windows('{ days: mon-fry, from: "08:00", to: "18:00", slots: 1 }'), 'bad_days', /mon-fry[^]*mon-fri/),
  budget('no day', windows('{ days: [], from: "08:00", to: "18:00", slots: 1 }'), 'invalid_value', /days/),
  budget('hour', windows('{ from: "8h", to: "18:00", slots: 1 }'), 'bad_time', /8h[^]*08:00/),
  budget('hour 24:01', windows('{ from: "08:00", to: "24:01", slots: 1 }'), 'bad_time', /24:01[^]*24:00/),
  budget('minute', windows('{ from: "08:60", to: "24:00", slots: 1 }'), 'bad_time', /08:60/),
  budget('no hour', windows('{ to: "18:00", slots: 1 }'), 'missing_key', /windows.0.from/),
  budget('no slots', windows('{ from: "08:00", to: "18:00" }'), 'missing_key', /windows.0.slots/),
  budget('empty', windows('{ from: "08:00", to: "08:00", slots: 1 }'), 'bad_window', /empty[^]*24:00/),
  budget('from 24:00', windows('{ from: "24:00", to: "08:00", slots: 1 }'), 'bad_window', /begins at 24:00/),
  budget('zone', windows('{ from: "8:00", to: "9:00", slots: 1, timezone: Mars }'), 'unknown_zone', /Mars[^]*IANA/),
  budget('too many slots', windows('{ from: "8:00", to: "9:00", slots: 5 }'), 'bad_window', /5 slots[^]*4[^]*raise it/),
  budget(
    'overlap over midnight',
    windows('{ from: "22:00", to: "06:00", slots: 1 }', '{ days: tue, from: "05:00", to: "07:00", slots: 2 }'),
    'windows_overlap',
    /windows 1 and 2[^]*2026/,
  ),
  budget(
    'overlap of two zones, by the clocks of March',
    windows(
      '{ from: "08:00", to: "12:00", slots: 1, timezone: Europe/London }',
      '{ from: "07:00", to: "09:00", slots: 1, timezone: America/New_York }',
    ),
    'windows_overlap',
    /2026-03-08T11:00:00Z/,
  ),
  budget('name of a query', '{ hold_when: [{ name: a b, query: SELECT 1, above: 5 }] }', 'bad_name', /a b[^]*letters/),
  budget(
    'name twice',
    '{ hold_when: [{ name: a, query: SELECT 1, above: 5 }, { name: a, query: SELECT 2, above: 5 }] }',
    'duplicate_name',
    /a is declared twice/,
  ),
  budget('bound', '{ hold_when: [{ name: a, query: SELECT 1, above: .inf }] }', 'invalid_value', /above/),
  budget('a text as bound', '{ hold_when: [{ name: a, query: SELECT 1, above: high }] }', 'invalid_value', /above/),
  budget('syntax', hold('SELEC 1'), 'sql_error', /hold_when lag: SQL: syntax error/),
  budget('no statement', hold('-- nothing'), 'statement_empty', /SELECT/),
  budget('two statements', hold('SELECT 1; SELECT 2'), 'several_statements', /one SELECT/),
  budget('no query', hold('DELETE FROM t'), 'not_a_select', /only reads/),
  budget(
    'a query that writes',
    hold('WITH d AS (DELETE FROM t RETURNING 1) SELECT 1 FROM d'),
    'data_modifying_cte',
    /reads/,
  ),
  budget('parameters', hold('SELECT 1 WHERE now() > :start'), 'unknown_parameter', /no parameters/),
  {
    name: 'budget: of an environment, at its own line',
    files: {
      [YAML]: `${SLUICE_YAML}environments:\n  dev:\n    connections:\n      ops: { budget: { windows: [{ from: "8:00", to: "8:00", slots: 1 }] } }\n`,
    },
    options: { environment: 'dev' },
    code: 'bad_window',
    at: `${YAML}:12`,
    says: /empty/,
  },
];

const CASES: readonly Case[] = [
  // sluice.yaml
  { name: 'no sluice.yaml', files: { [YAML]: undefined }, code: 'no_project', at: YAML, says: /sluice init/ },
  {
    name: 'broken YAML',
    files: { [YAML]: 'project: p\nschema: "x\n' },
    code: 'yaml_invalid',
    at: `${YAML}:3`,
    says: /quote/,
  },
  { name: 'not a map', files: { [YAML]: '- a\n' }, code: 'invalid_value', at: `${YAML}:1`, says: /object/ },
  {
    name: 'unknown key',
    files: project('schema:', 'shema:'),
    code: 'unknown_key',
    at: `${YAML}:7:1`,
    says: /did you mean schema\?/,
  },
  {
    name: 'unknown nested key',
    files: project('url: embedded:ops', 'url: embedded:ops, bugdet: {}'),
    code: 'unknown_key',
    at: `${YAML}:4:45`,
    says: /in connections.ops.*\n.*budget/,
  },
  {
    name: 'key that has no default',
    files: project('grain: day,', 'grain: day, key: [a],'),
    code: 'unknown_key',
    at: `${YAML}:8:25`,
    says: /key in defaults/,
  },
  {
    name: 'duplicate key',
    files: project('schema: analytics', 'schema: a\nschema: b'),
    code: 'yaml_invalid',
    at: `${YAML}:8`,
    says: /unique/,
  },
  {
    name: 'missing key',
    files: project('project: p\n', ''),
    code: 'missing_key',
    at: `${YAML}:1`,
    says: /project is missing/,
  },
  {
    name: 'missing url',
    files: project(', url: embedded:ops', ''),
    code: 'missing_key',
    at: `${YAML}:4`,
    says: /connections.ops.url/,
  },
  {
    name: 'unknown type of connection',
    files: project('type: postgres, url: embedded:ops', 'type: mysql, url: x'),
    code: 'unknown_value',
    at: `${YAML}:4:16`,
    says: /postgres/,
  },
  {
    name: 'unknown zone',
    files: project('UTC', 'Mars/Base'),
    code: 'unknown_zone',
    at: `${YAML}:2:11`,
    says: /Mars\/Base[^]*IANA/,
  },
  {
    name: 'unknown grain',
    files: project('grain: day', 'grain: dya'),
    code: 'unknown_grain',
    at: `${YAML}:8:20`,
    says: /did you mean day\?/,
  },
  {
    name: 'unknown warehouse',
    files: project('warehouse: wh', 'warehouse: whh'),
    code: 'unknown_connection',
    at: `${YAML}:6:12`,
    says: /did you mean wh\?/,
  },
  {
    name: 'budget of no slots',
    files: project('url: embedded:ops', 'url: embedded:ops, budget: { slots: 0 }'),
    code: 'invalid_value',
    at: `${YAML}:4`,
    says: /slots/,
  },
  ...BUDGETS,
  ...ALTERNATES,
  ...POOLS,
  {
    name: 'project name',
    files: project('project: p', 'project: a/b'),
    code: 'bad_name',
    at: `${YAML}:1:10`,
    says: /letters, digits/,
  },
  {
    name: 'schema of sluice',
    files: project('schema: analytics', 'schema: sluice'),
    code: 'reserved_name',
    at: `${YAML}:7:9`,
    says: /another schema/,
  },
  {
    name: 'bad default start',
    files: project('2013-01-01', '2013-02-30'),
    code: 'bad_time',
    at: `${YAML}:8`,
    says: /2013-02-30/,
  },
  {
    name: 'unset variable',
    files: project('analytics', '"x_${NOT_SET}"'),
    code: 'unset_variable',
    at: `${YAML}:7:9`,
    says: /NOT_SET[^]*:-default/,
  },
  {
    name: 'file variable in a plain value',
    files: project('analytics', '"${file:/x}"'),
    code: 'bad_variable',
    at: `${YAML}:7:9`,
    says: /url/,
  },
  {
    name: 'unknown environment',
    files: { [YAML]: `${SLUICE_YAML}environments: { prod: {} }\n` },
    options: { environment: 'prd' },
    code: 'unknown_environment',
    at: `${YAML}:9`,
    says: /did you mean prod\?/,
  },
  {
    name: 'environment called like a property of objects',
    files: {},
    options: { environment: 'constructor' },
    code: 'unknown_environment',
    at: `${YAML}:1`,
    says: /default/,
  },
  {
    name: 'defer to nowhere',
    files: { [YAML]: `${SLUICE_YAML}environments: { dev: { defer: prod } }\n` },
    options: { environment: 'dev' },
    code: 'unknown_environment',
    at: `${YAML}:9:31`,
    says: /default/,
  },
  {
    name: 'connection of an environment without type',
    files: { [YAML]: `${SLUICE_YAML}environments: { dev: { connections: { x: { url: y } } } }\n` },
    options: { environment: 'dev' },
    code: 'missing_key',
    at: `${YAML}:9`,
    says: /type: postgres/,
  },
  // names of datasets
  {
    name: 'no datasets',
    files: { [RAW]: undefined, [CLEAN]: undefined },
    code: 'no_datasets',
    at: 'datasets',
    says: /datasets\/<name>/,
  },
  {
    name: 'name with a space',
    files: { 'datasets/a b.yaml': RAW_YAML },
    code: 'bad_name',
    at: 'datasets/a b.yaml',
    says: /rename/,
  },
  {
    name: 'name that PostgreSQL would cut',
    files: { [`datasets/${'x'.repeat(64)}.yaml`]: RAW_YAML },
    code: 'bad_name',
    at: `datasets/${'x'.repeat(64)}.yaml`,
    says: /63/,
  },
  {
    name: 'reserved prefix',
    files: { 'datasets/sluice_x.yaml': RAW_YAML },
    code: 'reserved_name',
    at: 'datasets/sluice_x.yaml',
    says: /rename/,
  },
  {
    name: 'reserved word',
    files: { 'datasets/all.yaml': RAW_YAML },
    code: 'reserved_name',
    at: 'datasets/all.yaml',
    says: /rename/,
  },
  {
    name: 'duplicate over folders',
    files: { 'datasets/sub/raw.sql': transform('SELECT 1 AS x', 'grain: none') },
    code: 'duplicate_dataset',
    at: 'datasets/sub/raw.sql',
    says: /datasets\/raw.yaml/,
  },
  // settings
  {
    name: 'broken YAML in a header',
    files: sql(SELECT, 'time: [t'),
    code: 'yaml_invalid',
    at: `${CLEAN}:3`,
    says: /first block comment/,
  },
  {
    name: 'unknown key in a header',
    files: settings('grian: day'),
    code: 'unknown_key',
    at: `${CLEAN}:3:1`,
    says: /did you mean grain\?/,
  },
  {
    name: 'unknown key in needs',
    files: settings('needs:\n  raw: { lookbak: 1d }'),
    code: 'unknown_key',
    at: `${CLEAN}:4:10`,
    says: /lookback/,
  },
  {
    name: 'unknown key in extract.time',
    files: raw('extract:\n  from: ops\n  table: x\n  time: { colunm: t }\n'),
    code: 'unknown_key',
    at: `${RAW}:4:11`,
    says: /did you mean column\?/,
  },
  {
    name: 'unknown grain of a dataset',
    files: settings('grain: daily'),
    code: 'unknown_grain',
    at: `${CLEAN}:3:8`,
    says: /daily/,
  },
  {
    name: 'unknown zone of a dataset',
    files: settings('timezone: Nowhere'),
    code: 'unknown_zone',
    at: `${CLEAN}:3:11`,
    says: /Nowhere/,
  },
  {
    name: 'bad duration',
    files: settings('ready_after: soon'),
    code: 'invalid_duration',
    at: `${CLEAN}:3:14`,
    says: /not a duration: soon[^]*7d/,
  },
  {
    name: 'bad refresh',
    files: sql('SELECT 1 AS one', 'grain: none\nrefresh: somtimes'),
    code: 'invalid_duration',
    at: `${CLEAN}:3:10`,
    says: /refresh/,
  },
  {
    name: 'bad start',
    files: settings('start: yesterday'),
    code: 'bad_time',
    at: `${CLEAN}:3:8`,
    says: /yesterday[^]*2013-01-01/,
  },
  {
    name: 'priority out of range',
    files: settings('priority: 6'),
    code: 'invalid_value',
    at: `${CLEAN}:3:11`,
    says: /priority/,
  },
  { name: 'key twice', files: settings('key: [a, a]'), code: 'invalid_value', at: `${CLEAN}:3:6`, says: /twice/ },
  {
    name: 'key that PostgreSQL would cut',
    files: settings(`key: [${'é'.repeat(32)}]`),
    code: 'bad_name',
    at: `${CLEAN}:3:7`,
    says: /63/,
  },
  {
    name: 'missing grain',
    files: project('grain: day, ', ''),
    code: 'missing_key',
    at: `${CLEAN}:2`,
    says: /grain is missing/,
  },
  {
    name: 'missing start',
    files: project(', start: 2013-01-01', ''),
    code: 'missing_start',
    at: `${CLEAN}:2`,
    says: /start: 2013/,
  },
  {
    name: 'missing time of a transform',
    files: sql(SELECT, 'key: [t]'),
    code: 'missing_time',
    at: `${CLEAN}:2`,
    says: /output column/,
  },
  {
    name: 'missing time of an extract',
    files: raw('extract: { from: ops, table: x }\n'),
    code: 'missing_time',
    at: `${RAW}:1:10`,
    says: /extract.time/,
  },
  {
    name: 'time of an extract in the wrong place',
    files: raw(`${RAW_YAML}time: t\n`),
    code: 'unknown_key',
    at: `${RAW}:2:7`,
    says: /extract.time/,
  },
  {
    name: 'time with grain: none',
    files: sql('SELECT 1 AS t', 'grain: none\ntime: t'),
    code: 'not_for_grain_none',
    at: `${CLEAN}:3:7`,
    says: /leave time out/,
  },
  {
    name: 'start with grain: none',
    files: sql('SELECT 1 AS t', 'grain: none\nstart: 2013-01-01'),
    code: 'not_for_grain_none',
    at: `${CLEAN}:3:8`,
    says: /leave start out/,
  },
  {
    name: 'refresh with a grain',
    files: settings('refresh: always'),
    code: 'only_for_grain_none',
    at: `${CLEAN}:3:10`,
    says: /grain: none only/,
  },
  { name: 'bad table', files: settings('table: a.b.c'), code: 'bad_table_name', at: `${CLEAN}:3:8`, says: /as in SQL/ },
  {
    name: 'table of sluice itself',
    files: settings('table: sluice.partitions'),
    code: 'reserved_name',
    at: `${CLEAN}:3:8`,
    says: /another schema/,
  },
  {
    name: 'table of PostgreSQL',
    files: raw(`table: '"pg_catalog".x'\n${RAW_YAML}`),
    code: 'reserved_name',
    at: `${RAW}:1:8`,
    says: /pg_catalog/,
  },
  {
    name: 'table of another dataset',
    files: settings('table: raw'),
    code: 'table_taken',
    at: `${RAW}:1`,
    says: /analytics.raw.*clean/,
  },
  { name: 'bad reads', files: settings('reads: ["a b"]'), code: 'bad_table_name', at: `${CLEAN}:3:9`, says: /reads/ },
  {
    name: 'publish: merge',
    files: settings('publish: merge'),
    code: 'missing_key',
    at: `${CLEAN}:3:10`,
    says: /publish: merge needs a key/,
  },
  {
    name: 'publish: view',
    files: settings('publish: view'),
    code: 'not_for_view',
    at: `${CLEAN}:3:10`,
    says: /a view has no :start and :end/,
  },
  {
    name: 'storage: partitioned with grain: none',
    files: sql('SELECT 1 AS t', 'grain: none\nstorage: partitioned'),
    code: 'not_for_grain_none',
    at: `${CLEAN}:3:10`,
    says: /leave storage: partitioned out/,
  },
  {
    name: 'storage: partitioned of a view',
    files: sql('SELECT r.t FROM raw r', 'grain: day\ntime: t\npublish: view\nstorage: partitioned'),
    code: 'not_for_view',
    at: `${CLEAN}:5:10`,
    says: /a view stores nothing/,
  },
  {
    name: 'moves without a key',
    files: settings('moves: follow'),
    code: 'missing_key',
    at: `${CLEAN}:3:8`,
    says: /moves needs a key/,
  },
  // extracts
  {
    name: 'neither extract nor call',
    files: raw('owner: me\n'),
    code: 'missing_key',
    at: `${RAW}:1`,
    says: /extract: \{ from, table \}/,
  },
  {
    name: 'unknown connection',
    files: raw(RAW_YAML.replace('ops', 'opps')),
    code: 'unknown_connection',
    at: `${RAW}:1:18`,
    says: /did you mean ops\?/,
  },
  {
    name: 'table and query',
    files: raw('extract: { from: ops, table: a, query: SELECT 1, time: t }\n'),
    code: 'table_or_query',
    at: `${RAW}:1`,
    says: /one of/,
  },
  {
    name: 'neither table nor query',
    files: raw('extract: { from: ops, time: t }\n'),
    code: 'table_or_query',
    at: `${RAW}:1`,
    says: /one of/,
  },
  {
    name: 'bad source table',
    files: raw('extract: { from: ops, table: "a b", time: t }\n'),
    code: 'bad_table_name',
    at: `${RAW}:1:30`,
    says: /as in SQL/,
  },
  {
    name: 'unknown source zone',
    files: raw('extract: { from: ops, table: a, time: t, source_timezone: EDT5 }\n'),
    code: 'unknown_zone',
    at: `${RAW}:1:59`,
    says: /EDT5/,
  },
  {
    name: 'SQL error in a query',
    files: raw('extract:\n  from: ops\n  time: t\n  query: |\n    SELECT t\n    FORM x y\n'),
    code: 'sql_error',
    at: `${RAW}:6:10`,
    says: /at or near "x"/,
  },
  {
    name: 'needs of an extract',
    files: raw(`${RAW_YAML}needs: { clean: {} }\n`),
    code: 'needs_unread',
    at: `${RAW}:2:10`,
    says: /extract reads no dataset/,
  },
  {
    name: 'scan of a transform',
    files: settings('scan: once'),
    code: 'not_for_scan',
    at: `${CLEAN}:3:7`,
    says: /for extracts/,
  },
  {
    name: 'scan with grain: none',
    files: raw('extract: { from: ops, table: a }\ngrain: none\nscan: once\n'),
    code: 'not_for_scan',
    at: `${RAW}:3:7`,
    says: /grain: none/,
  },
  {
    name: 'scan: once of a query with its interval',
    files: raw(
      'extract:\n  from: ops\n  query: SELECT * FROM a WHERE t >= :start AND t < :end\n  time: t\nscan: once\n',
    ),
    code: 'not_for_scan',
    at: `${RAW}:5:7`,
    says: /:start and :end/,
  },
  {
    name: 'scan that is none',
    files: raw('extract: { from: ops, table: a, time: t }\nscan: twice\n'),
    code: 'unknown_value',
    at: `${RAW}:2:7`,
    says: /once/,
  },
];

checkMistakes(CASES);
