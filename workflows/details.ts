import { scopeName } from '../src/contracts/scope.js';
import type { Asked, BackfillStatus, DatasetStatus } from '../src/contracts/status.js';
import type { GovernorStatus } from '../src/contracts/warehouse.js';

/** Rows of the table at most; the rest is counted. */
const ROWS_MAX = 100;
const FAILED_MAX = 10;

/** Live details of a backfill in the web UI, as Markdown: what a person wants first comes first, for the pane shows about six lines. */
export function backfillDetails(status: BackfillStatus): string {
  const { id, state, reason, asked, partitions, rows, waiting, datasets } = status;
  const { total, done } = partitions;
  const parts = [`${number(done)} of ${number(total)} partitions`, `${number(rows)} rows`, ...troubles(partitions)];
  return [
    `**${id}** is ${state}: ${reason}`,
    parts.join(', '),
    ...failedDatasets(datasets),
    ...(asked ? [askedText(asked)] : []),
    ...(waiting ? [`waits for ${waiting.for}. Next: \`${waiting.next}\``] : []),
    ...(waiting?.or?.map(({ when, next }) => `when ${when}: \`${next}\``) ?? []),
    aligned(datasets.slice(0, ROWS_MAX).map(rowOf)),
    ...(datasets.length > ROWS_MAX ? [`and ${datasets.length - ROWS_MAX} more`] : []),
  ].join('\n\n');
}

/** `failed: revenue_day (3), rank_week (1)`: those that are only blocked stand in the table. */
function failedDatasets(datasets: readonly DatasetStatus[]): string[] {
  const failed = datasets.filter((one) => one.failed > 0);
  if (failed.length === 0) return [];
  const more = failed.length > FAILED_MAX ? [`and ${failed.length - FAILED_MAX} more`] : [];
  const named = failed.slice(0, FAILED_MAX).map((one) => `${one.name} (${number(one.failed)})`);
  return [`**failed**: ${[...named, ...more].join(', ')}`];
}

/** `asked for by ann: revenue_day last 3d. Why: a late refund (OPS-12)`. */
function askedText({ by, reason, ticket, what }: Asked): string {
  const why = reason === undefined ? '' : `. Why: ${reason}`;
  return `asked for${by === undefined ? '' : ` by ${by}`}: ${what}${why}${ticket === undefined ? '' : ` (${ticket})`}`;
}

/** Live details of one dataset: where it stands, what it waits for, what it reads, who reads it, what failed. */
export function datasetDetails(status: DatasetStatus, needs: readonly string[], readers: readonly string[]): string {
  const { name, state, done, total, rows, running, waitingFor, failures } = status;
  const parts = [
    `${number(done)} of ${number(total)} partitions`,
    `${number(rows)} rows`,
    `${running} at work`,
    ...troubles(status),
  ];
  const facts = [
    ...(waitingFor === undefined ? [] : [`waits for ${waitingFor}`]),
    `reads ${needs.join(', ') || 'its source only'}`,
    `read by ${readers.join(', ') || 'nobody in this plan'}`,
    ...failures.slice(0, 5).map(({ start, end, code, message }) => `${start} … ${end} ${code}: ${message}`),
  ];
  return [`**${name}** is ${state}: ${parts.join(', ')}`, facts.map((fact) => `- ${fact}`).join('\n')].join('\n\n');
}

/** Live details of a governor: the limit, why, and every reading. */
export function governorDetails({ database, news, sites }: GovernorStatus, trouble: string | null): string {
  const served = sites.map(
    ({ project, environment, connection }) => `${scopeName(project, environment)} ${connection}`,
  );
  const lines = Object.entries(news?.readings ?? {}).map(([name, { value, reason }]) =>
    value === null ? `- ${name} is unknown: ${reason}` : `- ${name}: ${reason}`,
  );
  return [
    news ? `**${news.slots} slots**, ${news.cause}: ${news.reason}` : 'nothing is governed yet: no backfill is open',
    ...(trouble === null ? [] : [trouble]),
    `database ${database}, for ${served.join(', ')}${news ? `, as of ${news.at}` : ''}`,
    ...(lines.length === 0 ? [] : [lines.join('\n')]),
  ].join('\n\n');
}

function rowOf({ name, done, total, rows, state, waitingFor, ...status }: DatasetStatus): string[] {
  const words = [
    state === 'waiting' && waitingFor !== undefined ? '' : state,
    ...troubles(status),
    waitingFor === undefined ? '' : `waits for ${waitingFor}`,
  ];
  return [
    name,
    `${number(done)} / ${number(total)}`,
    `${number(rows)} rows`,
    words.filter((word) => word !== '').join(', '),
  ];
}

function troubles({ failed, blocked }: { readonly failed: number; readonly blocked: number }): string[] {
  return [...(failed > 0 ? [`${number(failed)} failed`] : []), ...(blocked > 0 ? [`${number(blocked)} blocked`] : [])];
}

/** Columns in a code block, names and words to the left, numbers to the right: the UI draws Markdown tables with no space between columns. */
function aligned(rows: readonly (readonly string[])[]): string {
  const width = (column: number): number => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0));
  const widths = [0, 1, 2].map(width);
  const lines = rows.map(([name = '', done = '', count = '', words = '']) =>
    `${name.padEnd(widths[0] ?? 0)}  ${done.padStart(widths[1] ?? 0)}  ${count.padStart(widths[2] ?? 0)}  ${words}`.trimEnd(),
  );
  return rows.length === 0 ? '' : ['```', ...lines, '```'].join('\n');
}

/** `1,234,567`, whatever the worker's locale. */
function number(value: number): string {
  return String(value).replace(/\B(?=(?:\d{3})+$)/g, ',');
}
