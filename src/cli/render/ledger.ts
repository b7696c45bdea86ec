/** `ledger`: what is published, adjacent partitions of one origin joined into ranges. */
import type { Clock } from '../../core/time/print.js';
import { formatCount, formatMoment, formatTime, plural } from './format.js';
import { table } from './table.js';
import type { Column } from './table.js';
import { paint, span } from './text.js';
import type { Line, Screen } from './text.js';
import { IN_UTC } from './times.js';

/** A published partition, or several that are joined already. Instants in ISO 8601, or `-infinity` and `infinity`. */
export interface LedgerRow {
  readonly start: string;
  readonly end: string;
  readonly partitions: number;
  readonly rows: number;
  readonly backfill: string;
  /** Definition version. */
  readonly version: string;
  readonly publishedAt: string;
}

/** Ranges of the same backfill and definition version; `publishedAt` is the latest in the range. `rows` ascending by start. */
export function joinLedger(rows: readonly LedgerRow[]): LedgerRow[] {
  const ranges: LedgerRow[] = [];
  for (const row of rows) {
    const last = ranges.at(-1);
    if (last?.end === row.start && last.backfill === row.backfill && last.version === row.version) {
      ranges[ranges.length - 1] = {
        ...last,
        end: row.end,
        partitions: last.partitions + row.partitions,
        rows: last.rows + row.rows,
        publishedAt: Date.parse(row.publishedAt) > Date.parse(last.publishedAt) ? row.publishedAt : last.publishedAt,
      };
    } else {
      ranges.push(row);
    }
  }
  return ranges;
}

const COLUMNS: readonly Column[] = [
  { title: 'FROM' },
  { title: 'TO (exclusive)', keep: 90 },
  { title: 'PARTITIONS', align: 'right', keep: 60 },
  { title: 'ROWS', align: 'right', keep: 80 },
  { title: 'BACKFILL', min: 10, keep: 50 },
  { title: 'VERSION', keep: 30 },
  { title: 'PUBLISHED', keep: 40 },
];

/** A table of ranges, gaps marked, and totals. */
export function ledgerLines(dataset: string, rows: readonly LedgerRow[], screen: Screen): string[] {
  const times = screen.times ?? IN_UTC;
  const clock = times.of(dataset);
  if (rows.length === 0) return [paint([span(`nothing of ${dataset} is published there`)], screen)];
  const ranges = joinLedger(rows);
  const cells = ranges.flatMap((row, index): Line[][] => {
    const before = ranges[index - 1]?.end;
    const gap =
      before !== undefined && before !== row.start
        ? [
            [
              [span(formatTime(before, clock), 'warn')],
              [span(formatTime(row.start, clock), 'warn')],
              [span('gap', 'warn')],
            ],
          ]
        : [];
    return [...gap, rowCells(row, clock, times.zone)];
  });
  const sum = (pick: (row: LedgerRow) => number): number => ranges.reduce((total, row) => total + pick(row), 0);
  const total = `${dataset}: ${plural(
    sum((row) => row.partitions),
    'partition',
  )}, ${plural(
    sum((row) => row.rows),
    'row',
  )}`;
  return [
    ...table(COLUMNS, cells, screen),
    '',
    paint([span(total), span(` · times in ${times.zone}`, 'faint')], screen),
  ];
}

function rowCells(row: LedgerRow, clock: Clock, zone: string): Line[] {
  return [
    [span(formatTime(row.start, clock))],
    [span(formatTime(row.end, clock))],
    [span(formatCount(row.partitions))],
    [span(formatCount(row.rows))],
    [span(row.backfill)],
    [span(row.version.slice(0, 8), 'faint')],
    [span(formatMoment(row.publishedAt, zone), 'faint')],
  ];
}
