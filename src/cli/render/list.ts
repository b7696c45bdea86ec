/** `list`: backfills, one a line. */
import type { BackfillStatus } from '../../contracts/status.js';
import { elapsedMs, stateSpan, troubleLine } from './backfill.js';
import { commandLines } from './command.js';
import { formatCount, formatDuration, formatMoment, formatPercent, formatShort } from './format.js';
import { table } from './table.js';
import type { Column } from './table.js';
import { paint, span, visibleWidth } from './text.js';
import type { Line, Screen } from './text.js';
import { local, zoneLine } from './times.js';

const COLUMNS: readonly Column[] = [
  // Never cut: it is what is typed.
  { title: 'ID' },
  { title: 'STATE', keep: 90 },
  { title: 'DONE', align: 'right', keep: 80 },
  { title: 'PARTITIONS', align: 'right', keep: 50 },
  { title: 'TROUBLE', min: 21, keep: 70 },
  { title: 'ROWS', align: 'right', keep: 20 },
  { title: 'STARTED', keep: 30 },
  { title: 'TOOK', align: 'right', keep: 25 },
  { title: 'BY', min: 6, keep: 45 },
  { title: 'REASON', min: 24, keep: 60 },
  { title: 'FOR', min: 24, keep: 40 },
];

/** A table in the order given, then what to type for those that wait for a person. No line is cut within an id. */
export function listLines(backfills: readonly BackfillStatus[], { width, ...rest }: Screen): string[] {
  const screen = { ...rest, width: Math.max(width, ...backfills.map(({ id }) => visibleWidth(id))) };
  if (backfills.length === 0) return [paint([span('no backfills')], screen)];
  const rows = backfills.map((one): Line[] => [
    [span(one.id, 'strong')],
    [one.refused === undefined ? stateSpan(one.state) : span('refused', 'bad')],
    ...(one.partitions.total === 0
      ? [[], []]
      : [
          [span(formatPercent(one.partitions.done, one.partitions.total))],
          [span(`${formatCount(one.partitions.done)}/${formatCount(one.partitions.total)}`)],
        ]),
    troubleLine(one.partitions),
    [span(formatShort(one.rows))],
    [span(formatMoment(one.startedAt, screen.times?.zone))],
    [span(formatDuration(elapsedMs(one, screen.now)))],
    [span(one.asked?.by ?? '')],
    [span(one.asked?.reason ?? '')],
    [span(one.asked?.what ?? '', 'faint')],
  ]);
  const refused = backfills.flatMap(({ id, refused: code, reason }) =>
    code === undefined
      ? []
      : [paint([span(id, 'strong'), span(` was refused (${code}): ${local(reason, screen.times)}`)], screen)],
  );
  const waiting = backfills.flatMap(({ id, waiting: waits }) =>
    waits === null || waits.next === ''
      ? []
      : [
          paint([span(id, 'strong'), span(` waits for ${local(waits.for, screen.times)}`)], screen),
          ...commandLines(local(waits.next, screen.times), screen.width - 2).map((line) =>
            paint([span(`  ${line}`)], screen),
          ),
        ],
  );
  return [
    ...table(COLUMNS, rows, screen),
    ...(waiting.length + refused.length === 0 ? [] : ['', ...refused, ...waiting]),
    '',
    zoneLine(screen),
  ];
}
