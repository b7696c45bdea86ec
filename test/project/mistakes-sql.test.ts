import { checkMistakes } from './case.js';
import type { Case } from './case.js';
import { RAW_YAML, transform } from './helpers.js';

const CLEAN = 'datasets/clean.sql';
const SELECT = 'SELECT t FROM raw WHERE t >= :start AND t < :end';

const sql = (text: string, settings?: string): Case['files'] => ({ [CLEAN]: transform(text, settings) });
const settings = (text: string): Case['files'] => sql(SELECT, `time: t\n${text}`);
const once = (text: string): Case['files'] => sql(text, 'grain: none');

const CASES: readonly Case[] = [
  // SQL
  {
    name: 'SQL error',
    files: sql('SELECT t\nFROM raw\nWERE t >= :start AND t < :end'),
    code: 'sql_error',
    at: `${CLEAN}:6:6`,
    says: /syntax error at or near "t"/,
  },
  {
    name: 'SQL error after Unicode',
    files: sql("SELECT 'é😀' x y FROM raw WHERE t >= :start AND t < :end"),
    code: 'sql_error',
    at: `${CLEAN}:4:16`,
    says: /at or near "y"/,
  },
  {
    name: 'SQL error after CRLF',
    files: { [CLEAN]: '/*\r\ntime: t\r\n*/\r\nSELECT t\r\nFROM raw x y WHERE t >= :start AND t < :end' },
    code: 'sql_error',
    at: `${CLEAN}:5:12`,
    says: /"y"/,
  },
  {
    name: 'string without an end',
    files: sql("SELECT t FROM raw WHERE t >= :start AND t < :end AND x = 'abc"),
    code: 'sql_error',
    at: `${CLEAN}:4:58`,
    says: /unterminated quoted string/,
  },
  {
    name: 'comment without an end',
    files: { [CLEAN]: '/*\ntime: t\n' },
    code: 'sql_error',
    at: `${CLEAN}:1:1`,
    says: /unterminated/,
  },
  { name: 'no statement', files: sql('-- nothing'), code: 'statement_empty', at: `${CLEAN}:1`, says: /no SQL/ },
  {
    name: 'two statements',
    files: sql(`${SELECT};\n\n-- next\nSELECT 2`),
    code: 'several_statements',
    at: `${CLEAN}:7:1`,
    says: /a dataset of its own/,
  },
  {
    name: 'not a SELECT',
    files: once('DELETE FROM raw'),
    code: 'not_a_select',
    at: `${CLEAN}:4:1`,
    says: /one SELECT/,
  },
  { name: 'a bare VALUES', files: once('VALUES (1)'), code: 'not_a_select', at: `${CLEAN}:4:1`, says: /FROM \(VALUES/ },
  {
    name: 'TABLE',
    files: once('SELECT 1 UNION ALL (TABLE raw)'),
    code: 'table_command',
    at: `${CLEAN}:4:27`,
    says: /SELECT \* FROM/,
  },
  {
    name: 'data-modifying CTE',
    files: once('WITH gone AS (DELETE FROM raw RETURNING *)\nSELECT * FROM gone'),
    code: 'data_modifying_cte',
    at: `${CLEAN}:4:27`,
    says: /DELETE/,
  },
  {
    name: 'nested data-modifying CTE',
    files: once('SELECT (WITH a AS (INSERT INTO raw SELECT 1 RETURNING 1) SELECT 1)'),
    code: 'data_modifying_cte',
    at: `${CLEAN}:4:32`,
    says: /INSERT/,
  },
  {
    name: 'SELECT INTO',
    files: once('SELECT 1 AS a INTO b'),
    code: 'select_into',
    at: `${CLEAN}:4:20`,
    says: /leave INTO out/,
  },
  {
    name: 'FOR UPDATE',
    files: once('SELECT 1 FROM raw FOR UPDATE'),
    code: 'locking_clause',
    at: `${CLEAN}:4:15`,
    says: /leave the clause out/,
  },
  {
    name: 'nested FOR SHARE',
    files: once('SELECT 1 FROM (SELECT 1 FROM raw FOR SHARE) x'),
    code: 'locking_clause',
    at: `${CLEAN}:4:30`,
    says: /FOR SHARE/,
  },
  {
    name: 'missing :end',
    files: sql('SELECT t FROM raw WHERE t >= :start'),
    code: 'missing_parameter',
    at: `${CLEAN}:4:1`,
    says: /must use :end/,
  },
  {
    name: 'both missing, one in a string',
    files: sql("SELECT t FROM raw WHERE x = ':start' -- :end"),
    code: 'missing_parameter',
    at: `${CLEAN}:4:1`,
    says: /:start and :end/,
  },
  {
    name: 'unknown parameter',
    files: sql(`${SELECT} AND x = :strat`),
    code: 'unknown_parameter',
    at: `${CLEAN}:4:58`,
    says: /:strat/,
  },
  {
    name: 'parameter in capitals',
    files: sql(`${SELECT} AND x = :END`),
    code: 'unknown_parameter',
    at: `${CLEAN}:4:58`,
    says: /lower case/,
  },
  {
    name: 'numbered parameter',
    files: sql(`${SELECT} AND x = $1`),
    code: 'unknown_parameter',
    at: `${CLEAN}:4:58`,
    says: /\$1/,
  },
  {
    name: 'nested too deeply',
    files: once(`SELECT ${'('.repeat(5000)}1${')'.repeat(5000)}`),
    code: 'statement_too_deep',
    at: `${CLEAN}:4`,
    says: /too deeply/,
  },
  // lineage
  {
    name: 'undeclared table',
    files: sql(`SELECT t FROM raww WHERE t >= :start AND t < :end`),
    code: 'undeclared_table',
    at: `${CLEAN}:4:15`,
    says: /did you mean raw\?[^]*reads: \[public.raww\]/,
  },
  {
    name: 'undeclared table in an expression',
    files: sql(`${SELECT}\n AND EXISTS (SELECT 1 FROM hr."P")`),
    code: 'undeclared_table',
    at: `${CLEAN}:5:28`,
    says: /reads: \['hr."P"'\]/,
  },
  {
    name: 'a table of another connection',
    files: sql(`${SELECT}\n AND x IN (SELECT x FROM ops.flights)`),
    code: 'undeclared_table',
    at: `${CLEAN}:5:26`,
    says: /connection[^]*extract/,
  },
  {
    name: 'another database',
    files: sql(`${SELECT}\n AND x IN (SELECT x FROM db.public.flights)`),
    code: 'other_database',
    at: `${CLEAN}:5:26`,
    says: /extract/,
  },
  {
    name: 'CTE out of its scope',
    files: sql(
      `SELECT t FROM raw WHERE t IN (WITH x AS (SELECT 1) SELECT * FROM x)\nAND t IN (SELECT t FROM x) AND t >= :start AND t < :end`,
    ),
    code: 'undeclared_table',
    at: `${CLEAN}:5:25`,
    says: /x is neither/,
  },
  {
    name: 'reading itself, all of it',
    files: once('SELECT t FROM raw UNION SELECT t FROM clean'),
    code: 'reads_itself_whole',
    at: `${CLEAN}:4:39`,
    says: /no partition before/,
  },
  {
    name: 'column qualified by schema',
    files: sql('SELECT analytics.raw.t FROM analytics.raw WHERE t >= :start AND t < :end'),
    code: 'qualified_column',
    at: `${CLEAN}:4:8`,
    says: /write raw\./,
  },
  {
    name: 'needs for what is not read',
    files: { ...settings('needs: { b: {} }'), 'datasets/b.yaml': RAW_YAML },
    code: 'needs_unread',
    at: `${CLEAN}:3:10`,
    says: /does not read b/,
  },
  {
    name: 'needs for what does not exist',
    files: settings('needs: { rw: {} }'),
    code: 'unknown_dataset',
    at: `${CLEAN}:3:10`,
    says: /did you mean raw\?/,
  },
  {
    name: 'cycle',
    files: {
      'datasets/a.sql': transform('SELECT t FROM b\nWHERE t >= :start AND t < :end'),
      'datasets/b.sql': transform('SELECT t FROM raw JOIN a USING (t)\nWHERE t >= :start AND t < :end'),
    },
    code: 'cycle',
    at: 'datasets/a.sql:4:15',
    says: /a → b → a.*datasets\/a.sql.*datasets\/b.sql/,
  },
];

checkMistakes(CASES);
