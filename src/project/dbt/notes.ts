import type { Constraint, DbtNode } from './manifest.js';
import type { BatchAxis } from './axis.js';
import { columnOf, tableOf } from './names.js';
import type { Rewritten } from './rewrite.js';
import { sqlName } from '../sql/name.js';

/** Settings that are carried over, spoken of below, or that say nothing of what is built. */
const KNOWN = new Set(
  `enabled alias schema database tags meta group static_analysis materialized incremental_strategy batch_size lookback begin persist_docs
   post-hook pre-hook quoting column_types full_refresh unique_key on_schema_change on_configuration_change grants packages docs contract
   event_time concurrent_batches access sql_header incremental_predicates merge_update_columns merge_exclude_columns unlogged indexes
   where severity error_if`.split(/\s+/),
);

/** What is said of a model that is carried over. */
export interface Facts {
  readonly node: DbtNode;
  readonly axis: BatchAxis | 'whole';
  readonly dataset: string;
  readonly rewritten: Rewritten;
  /** Partitioned datasets that it reads without a limit. */
  readonly wholeOf: readonly string[];
}

/** What of a model that is carried over is not in its file, or not as dbt does it. */
export function notesOf(facts: Facts): string[] {
  return [
    ...buildNotes(facts),
    ...batchNotes(facts),
    ...hookNotes(facts),
    ...tableNotes(facts),
    ...unknownNotes(facts),
  ];
}

function buildNotes({ node: { config }, axis, rewritten }: Facts): string[] {
  const notes: string[] = [];
  if (axis === 'whole' && config?.materialized === 'incremental') {
    const keys = ['incremental_predicates', 'merge_update_columns', 'merge_exclude_columns'] as const;
    const moot = keys.filter((key) => config[key] !== undefined);
    notes.push(
      `incremental without batches: it is built whole, as by --full-refresh, and rows that only its table has go${moot.length > 0 ? `; ${moot.join(', ')} mean nothing then` : ''}. Give it grain, start and time, and limit its SQL by :start and :end`,
    );
  }
  for (const name of rewritten.bare)
    notes.push(`its SQL names ${name} without a schema: that is read as public.${name}`);
  return notes;
}

function batchNotes({
  node: { config },
  axis,
  dataset,
  rewritten: { limited, reads, fleeting },
  wholeOf,
}: Facts): string[] {
  if (axis === 'whole') return [];
  const notes: string[] = [];
  if (!limited)
    notes.push(
      'none of its inputs has an event_time: every partition reads all of them and keeps its own rows; rows before its start, or without a time, are in none',
    );
  for (const name of wholeOf)
    notes.push(
      `it reads all of ${name}: a partition waits for, and grows stale with, what is before its end (window: all). What comes later is read if it is there, and rebuilds nothing, as with dbt`,
    );
  if (fleeting.length > 0)
    notes.push(
      `${fleeting.join(', ')} in its SQL is the time of building: a partition is not built again as time passes, as with dbt`,
    );
  const lookback = Number(config?.lookback ?? 0);
  if (lookback > 0 && reads.length > 0) {
    const unit = { hour: 'h', day: 'd', month: 'mo', year: 'y' }[axis.grain] ?? 'd';
    notes.push(
      `lookback ${lookback}: what changed in datasets is known; for late rows of ${reads.join(', ')} type: sluice backfill ${dataset} --last ${lookback + 1}${unit} --rebuild all`,
    );
  }
  const change = config?.on_schema_change ?? 'ignore';
  if (change === 'sync_all_columns')
    notes.push('on_schema_change sync_all_columns: new columns are added, none is dropped');
  if (change === 'ignore') notes.push('on_schema_change ignore: a column that its SQL gains is added');
  if (config?.full_refresh === false)
    notes.push('full_refresh false: nothing here keeps --rebuild all from building it anew');
  return notes;
}

function hookNotes({ node: { config } }: Facts): string[] {
  return (['pre-hook', 'post-hook'] as const).flatMap((kind) =>
    (config?.[kind] ?? []).map((sql) => `${kind}: nothing here runs \`${oneLine(sql)}\``),
  );
}

function tableNotes({ node, axis }: Facts): string[] {
  const { config } = node;
  const table = sqlName(tableOf(node));
  const stored = axis !== 'whole' || config?.materialized !== 'view';
  const notes: string[] = [];
  for (const [privilege, roles] of Object.entries(config?.grants ?? {})) {
    const left = privilege === 'select' ? roles.filter((role) => roleOf(role) === undefined) : roles;
    if (left.length > 0)
      notes.push(
        `grants: only SELECT to roles is given here; type: GRANT ${privilege.toUpperCase()} ON ${table} TO ${left.join(', ')}`,
      );
  }
  for (const { columns = [], unique, type } of stored ? (config?.indexes ?? []) : []) {
    const index = `CREATE${unique === true ? ' UNIQUE' : ''} INDEX ON ${table}${type === undefined ? '' : ` USING ${type}`}`;
    notes.push(
      `index on ${columns.join(', ')}: none is made but that of the key, and those that are there stay. Once the table is there type: ${index} (${columns.join(', ')})`,
    );
  }
  if (stored && config?.unlogged === true)
    notes.push(
      `unlogged: the table that is made here is an ordinary one; one that is there is refused, as a crash would empty it: type ALTER TABLE ${table} SET LOGGED`,
    );
  if (Object.values(config?.persist_docs ?? {}).includes(true))
    notes.push('persist_docs: no comments are written to the database');
  if (config?.contract?.enforced === true) notes.push(contractNote(node));
  return notes;
}

function contractNote(node: DbtNode): string {
  const said = constraintsOf(node)
    .filter(({ type }) => type !== 'primary_key')
    .map(
      ({ type, columns = [], expression }) =>
        `${type}${columns && columns.length > 0 ? ` of ${columns.join(', ')}` : ''}${expression === undefined ? '' : ` (${expression})`}`,
    );
  const lost = said.length > 0 ? `not checked: ${said.join(', ')}. ` : '';
  return `contract: types are those of the SQL, and dbt's check of names and types is not made. ${lost}Constraints that the table has stay`;
}

/** Constraints of the model and of its columns. */
export function constraintsOf({ constraints, columns }: DbtNode): Constraint[] {
  const ofColumns = Object.values(columns ?? {}).flatMap((column) =>
    (column.constraints ?? []).map((one) => ({
      ...one,
      columns: [column.quote === true ? sqlName({ name: column.name }) : column.name],
    })),
  );
  return [...(constraints ?? []), ...ofColumns];
}

/** A role as SQL names it; undefined for PUBLIC and whatever is more than a name. */
export function roleOf(grantee: string): string | undefined {
  const role = columnOf(grantee);
  return role === 'public' && !grantee.includes('"') ? undefined : role;
}

function unknownNotes({ node: { config } }: Facts): string[] {
  return Object.entries(config ?? {}).flatMap(([key, value]) =>
    KNOWN.has(key) ||
    value === null ||
    value === undefined ||
    value === false ||
    JSON.stringify(value) === '[]' ||
    JSON.stringify(value) === '{}'
      ? []
      : [`config ${key}: there is no such setting here`],
  );
}

export function oneLine(sql: string): string {
  const line = sql.trim().replace(/\s+/g, ' ');
  return line.length > 100 ? `${line.slice(0, 99)}…` : line;
}
