import { stringify } from 'yaml';
import { quoteIdent } from '../../contracts/table.js';
import type { DbtNode } from './manifest.js';
import type { Rewritten } from './rewrite.js';

/** Of dbt's batch sizes, those that are grains. */
const GRAINS: readonly string[] = ['hour', 'day', 'month', 'year'];
const COLUMN = /^[A-Za-z_][\w$]*$/;

/** The time axis of a microbatch model. */
export interface BatchAxis {
  readonly grain: string;
  readonly time: string;
  readonly start: string;
}

/** How a model is built: by partition, whole, or a sentence that says why not at all. */
export function axisOf({ config, language }: DbtNode): BatchAxis | 'whole' | { readonly refused: string } {
  if (language === 'python') return { refused: 'it is a Python model: write it as SQL, or as a call dataset' };
  const { materialized, incremental_strategy: strategy, event_time: time, batch_size: grain, begin } = config ?? {};
  switch (materialized) {
    case 'table':
    case 'view':
      return 'whole';
    case 'ephemeral':
      return { refused: 'it is ephemeral: dbt has written it into the models that read it' };
    case 'incremental':
      if (strategy !== 'microbatch') return 'whole';
      if (time === undefined || grain === undefined || begin === undefined)
        return { refused: 'microbatch without event_time, batch_size or begin' };
      return GRAINS.includes(grain) ? { grain, time, start: begin } : { refused: `batch_size ${grain} is no grain` };
    default:
      return { refused: `materialized ${materialized ?? 'as nothing'} has no counterpart` };
  }
}

interface Made {
  readonly node: DbtNode;
  readonly axis: BatchAxis | 'whole';
  readonly rewritten: Rewritten;
  /** Columns that a `unique` test is on. */
  readonly unique: readonly string[];
  /** `schema.table`, where it is not what its name and the project's schema say. */
  readonly table: string | undefined;
}

/** The text of its `.sql` file, and what of the model is not in it. */
export function modelFile({ node, axis, rewritten, unique, table }: Made): { text: string; notes: string[] } {
  const { config } = node;
  const keys = config?.unique_key ?? unique.slice(0, 1);
  const plain = keys.every((key) => COLUMN.test(key));
  const whole = axis === 'whole';
  const description = node.description?.trim().replaceAll('*/', '* /').replaceAll('/*', '/ *');
  const owner = config?.meta?.['owner'];
  const settings = {
    ...(description ? { description } : {}),
    ...(typeof owner === 'string' && owner !== '' ? { owner } : {}),
    ...(node.tags?.length ? { tags: node.tags } : {}),
    ...(whole ? { grain: 'none' } : axis),
    ...(whole && rewritten.reads.length > 0 ? { refresh: 'always' } : {}),
    ...(keys.length > 0 && plain ? { key: [...keys] } : {}),
    ...(table === undefined ? {} : { table }),
    ...(rewritten.reads.length > 0 ? { reads: [...rewritten.reads] } : {}),
    ...(config?.on_schema_change === 'fail' ? { on_schema_change: 'fail' } : {}),
  };
  const text = `/*\n${stringify(settings)}*/\n${bodyOf(rewritten, axis)}\n`;
  return {
    text,
    notes: [
      ...notesOf(node, axis, rewritten),
      ...unique
        .filter((column) => keys.join() !== column)
        .map((column) => `unique test on ${column}: keep running it with dbt`),
      ...(plain ? [] : [`unique_key ${keys.join(', ')} is no list of columns`]),
    ],
  };
}

/** A batch of a model none of whose inputs has an event time reads all of them, so its own rows are limited. */
function bodyOf({ sql, limited }: Rewritten, axis: BatchAxis | 'whole'): string {
  if (axis === 'whole' || limited) return sql;
  const time = quoteIdent(axis.time);
  return `SELECT * FROM (\n${sql}\n) AS model\nWHERE ${time} >= :start AND ${time} < :end`;
}

function notesOf({ config, name }: DbtNode, axis: BatchAxis | 'whole', { limited, reads }: Rewritten): string[] {
  const notes: string[] = [];
  if (axis === 'whole' && config?.materialized === 'incremental')
    notes.push(
      'incremental without batches: it is built whole. Give it grain, start and time, and limit its SQL by :start and :end',
    );
  if (axis === 'whole' && config?.materialized === 'view') notes.push('a view: it becomes a table');
  if (axis !== 'whole' && !limited)
    notes.push('none of its inputs has an event_time: every partition reads all of them');
  const lookback = Number(config?.lookback ?? 0);
  if (axis !== 'whole' && lookback > 0 && reads.length > 0) {
    const unit = { hour: 'h', day: 'd', month: 'mo', year: 'y' }[axis.grain] ?? 'd';
    notes.push(
      `lookback ${lookback}: what changed in datasets is known; for late rows of ${reads.join(', ')} type: sluice backfill ${name} --last ${lookback + 1}${unit} --rebuild all`,
    );
  }
  if (config?.on_schema_change === 'sync_all_columns')
    notes.push('on_schema_change sync_all_columns: new columns are added, none is dropped');
  return notes;
}
