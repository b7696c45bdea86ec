/** `render`: a statement for psql, behind the settings that it runs under. */
import type { RenderedSql } from '../../planning/render.js';
import { quoteTable } from '../../contracts/table.js';
import type { Clock } from '../../core/time/print.js';
import { formatSpan } from './format.js';
import { clean, wrap } from './text.js';

const WIDTH = 120;

/** Lines to paste or to pipe: what is said of them is a comment, and no line of the statement is cut. */
export function renderLines(
  { dataset, connection, target, partition, settings, sql }: RenderedSql,
  clock: Clock,
): string[] {
  // Words of ours and names of zones: nothing in them is to be quoted.
  const sets = Object.entries(settings).map(([name, value]) => `SET ${name} = '${value}';`);
  return [
    `-- ${clean(`${dataset} ${formatSpan(partition, clock)}, read on connection ${connection}, for ${quoteTable(target)}`)}`,
    ...wrap(sets.map((set) => set.replaceAll(' ', '\u00a0')).join(' '), WIDTH).map((line) =>
      line.replaceAll('\u00a0', ' '),
    ),
    sql,
    // On a line of its own: the statement may end with a comment.
    ';',
  ];
}
