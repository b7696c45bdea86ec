import { stringify } from 'yaml';
import { quoteIdent } from '../../contracts/table.js';
import type { BatchAxis } from './axis.js';
import { columnOf } from './names.js';
import { constraintsOf, notesOf, roleOf, type Facts } from './notes.js';
import type { Rewritten } from './rewrite.js';

/** A column that a plain `unique` test is on, and the test. */
export interface UniqueTest {
  readonly id: string;
  readonly column: string;
}

export interface Made extends Facts {
  readonly unique: readonly UniqueTest[];
  /** `schema.table`, where it is not what its name and the project's schema say. */
  readonly table: string | undefined;
}

export interface ModelFile {
  readonly text: string;
  readonly notes: readonly string[];
  /** The test that has become its key. */
  readonly kept: string | undefined;
}

/** The text of its `.sql` file, and what of the model is not in it. */
export function modelFile(made: Made): ModelFile {
  const { node, axis, rewritten, table } = made;
  const { config } = node;
  const { key, kept, notes } = keyOf(made);
  const description = node.description?.trim().replaceAll('*/', '* /').replaceAll('/*', '/ *');
  const owner = config?.meta?.['owner'];
  const grants = (config?.grants['select'] ?? []).map(roleOf).filter((role) => role !== undefined);
  const needs = needsOf(made);
  const settings = {
    ...(description ? { description } : {}),
    ...(typeof owner === 'string' && owner !== '' ? { owner } : {}),
    ...(node.tags?.length ? { tags: node.tags } : {}),
    ...(axis === 'whole' ? { grain: 'none' } : axis),
    ...publishOf(made, key),
    ...(axis === 'whole' && (rewritten.reads.length > 0 || rewritten.fleeting.length > 0) ? { refresh: 'always' } : {}),
    ...(key.length > 0 ? { key } : {}),
    ...(table === undefined ? {} : { table }),
    ...(rewritten.reads.length > 0 ? { reads: [...rewritten.reads] } : {}),
    ...(needs === undefined ? {} : { needs }),
    ...(grants.length > 0 ? { grants: [...new Set(grants)] } : {}),
    ...(config?.on_schema_change === 'fail' ? { on_schema_change: 'fail' } : {}),
  };
  const text = `/*\n${stringify(settings)}*/\n${bodyOf(rewritten, axis)}\n`;
  return { text, kept, notes: [...notesOf(made), ...notes] };
}

/** A view stays one; dbt's batches are merged by their key on PostgreSQL, so that a row that has gone stays. */
function publishOf({ node: { config }, axis }: Made, key: readonly string[]): object {
  if (config?.materialized === 'view') return { publish: 'view' };
  return axis !== 'whole' && config?.unique_key !== undefined && key.length > 0
    ? { publish: 'merge', moves: 'follow' }
    : {};
}

/** What of its upstreams a partition needs beyond its own interval: dbt limits only some of them to a batch. */
function needsOf({ axis, wholeOf }: Made): object | undefined {
  if (axis === 'whole' || wholeOf.length === 0) return undefined;
  return Object.fromEntries(wholeOf.map((name) => [name, { window: 'all' }]));
}

/** Its key: what dbt merges by, a primary key, or a column that is tested to be unique. A view has none. */
function keyOf({ node, unique }: Made): { key: string[]; kept: string | undefined; notes: string[] } {
  const { config } = node;
  const none = { key: [], kept: undefined, notes: [] };
  if (config?.materialized === 'view') return none;
  const primary =
    config?.contract?.enforced === true
      ? constraintsOf(node).find(({ type }) => type === 'primary_key')?.columns
      : undefined;
  const written = config?.unique_key ?? (primary?.length ? primary : undefined);
  const key = written?.map(columnOf) ?? [];
  const columns = key.filter((column) => column !== undefined);
  if (written !== undefined && columns.length < key.length)
    return {
      ...none,
      notes: [`unique_key ${written.join(', ')} is SQL, not a list of columns: no key is held unique`],
    };
  if (written !== undefined)
    return { ...none, key: [...new Set(columns)], kept: unique.find(({ column }) => columns.join() === column)?.id };
  const [first] = unique;
  return first ? { ...none, key: [first.column], kept: first.id } : none;
}

/** A batch of a model none of whose inputs has an event time reads all of them, so its own rows are limited. */
function bodyOf({ sql, limited }: Rewritten, axis: BatchAxis | 'whole'): string {
  if (axis === 'whole' || limited) return sql;
  const time = quoteIdent(axis.time);
  return `SELECT * FROM (\n${sql}\n) AS model\nWHERE ${time} >= :start AND ${time} < :end`;
}
