/** `warehouse`: what stands on each connection and why, and its history. */
import { SENSES } from '../../core/throttle/types.js';
import type { HistoryRow } from '../../store/standing.js';
import type { LimitShown, Standing } from '../warehouse.js';
import { formatDuration, formatMoment, formatTime, plural } from './format.js';
import { table } from './table.js';
import { joined, paint, span, wrap, type Line, type Screen, type Style } from './text.js';
import { IN_UTC, local, zoneLine } from './times.js';

const STYLES: Readonly<Record<string, Style>> = {
  operator: 'warn',
  window: 'warn',
  critical: 'bad',
  stop: 'bad',
  unknown: 'warn',
  silent: 'bad',
  free: 'good',
  idle: 'faint',
  budget: 'faint',
};

/** `limit  warehouse 3 slots  foreground  5 backends of others are active`. */
export function limitLine({ connection, slots, cause, reason }: LimitShown, screen: Screen): string {
  const number = slots === null ? 'no limit' : plural(slots, 'slot');
  const line = [
    span(`limit  ${connection} ${number}`),
    span(cause, STYLES[cause] ?? 'busy'),
    span(local(reason, screen.times), 'faint'),
  ];
  return paint(joined(line), screen);
}

/** One block a connection. */
export function warehouseLines(standings: readonly Standing[], screen: Screen): string[] {
  const blocks = standings.flatMap((one, index) => [...(index > 0 ? [''] : []), ...blockOf(one, screen)]);
  return standings.some(({ order, next }) => order ?? next) ? [...blocks, zoneLine(screen)] : blocks;
}

function blockOf(one: Standing, screen: Screen): string[] {
  const { connection, slots, rate, cause, reason, since, users, order, next, governed } = one;
  const head = joined([
    [span('connection '), span(connection, 'strong')],
    span(slots === null ? 'no limit' : plural(slots, 'slot')),
    rate === null ? undefined : span(`${rate} batches/s`),
    span(cause, STYLES[cause] ?? 'busy'),
    since === null ? undefined : span(`for ${formatDuration(screen.now - Date.parse(since))}`, 'faint'),
    governed ? undefined : span('no governor', 'faint'),
  ]);
  const at = users === null ? 'does not answer' : users.length === 0 ? 'nobody is at work there' : undefined;
  const lines: Line[] = [
    ...(order === null ? [] : [[span(orderText(order, screen.times?.zone), 'warn')]]),
    ...(next === null
      ? []
      : [[span(`${plural(next.slots, 'slot')} from ${formatMoment(next.at, screen.times?.zone)}`, 'faint')]]),
    ...(at === undefined ? [] : [[span(at, 'faint')]]),
  ];
  return [
    paint(head, screen),
    ...wrap(cause === 'operator' && order !== null ? '' : local(reason, screen.times), screen.width - 2).map((line) =>
      paint([span(`  ${line}`)], screen),
    ),
    ...lines.map((line) => paint([span('  '), ...line], screen)),
    ...(users ?? []).map(({ backfill, dataset, slots: held }) =>
      paint([span(`  ${plural(held, 'slot')}: ${dataset} of backfill ${backfill}`)], screen),
    ),
    ...readingLines(one, screen),
  ];
}

function orderText({ slots, by, since, reason }: NonNullable<Standing['order']>, zone: string | undefined): string {
  const what = slots === 0 ? 'held' : `limited to ${plural(slots, 'slot')}`;
  return `${what} by ${by} since ${formatMoment(since, zone)}${reason === null ? '' : `: ${reason}`}`;
}

/** That which limits comes first, then who works there; what a project declares comes last. PostgreSQL keeps them by the lengths of their names. */
function inOrder({ readings, reading }: Standing): [string, Standing['readings'][string]][] {
  const rank = (name: string): number => {
    const sense = SENSES.findIndex((one) => one === name);
    return name === reading ? -1 : sense < 0 ? SENSES.length : sense;
  };
  return Object.entries(readings).sort(([a], [b]) => rank(a) - rank(b) || a.localeCompare(b));
}

function readingLines(standing: Standing, screen: Screen): string[] {
  const { reading } = standing;
  const rows = inOrder(standing).map(([name, one]): Line[] => [
    [span(name, name === reading ? 'bad' : undefined)],
    [span(one.value === null ? 'unknown' : numberText(one.value), one.value === null ? 'warn' : undefined)],
    [span(formatDuration(one.ageMs), 'faint')],
    [span(one.reason)],
  ]);
  if (rows.length === 0) return [];
  return table(
    [
      { title: '  READING' },
      { title: 'VALUE', align: 'right' },
      { title: 'AGE', align: 'right', keep: 20 },
      { title: 'SAYS', min: 20, keep: 50 },
    ],
    rows.map(([name = [], ...rest]) => [[span('  '), ...name], ...rest]),
    screen,
  );
}

function numberText(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}

export function historyLines(rows: readonly HistoryRow[], screen: Screen): string[] {
  if (rows.length === 0) return [paint([span('the limit did not change there in that time')], screen)];
  const { zone } = screen.times ?? IN_UTC;
  const lines = table(
    [{ title: 'AT' }, { title: 'SLOTS', align: 'right' }, { title: 'CAUSE', keep: 60 }, { title: 'REASON', min: 20 }],
    rows.map(({ at, slots, cause, reason }) => [
      [span(formatTime(new Date(Math.floor(at.getTime() / 1000) * 1000).toISOString(), { zone }))],
      [span(String(slots))],
      [span(cause, STYLES[cause] ?? 'busy')],
      [span(local(reason, screen.times))],
    ]),
    screen,
  );
  return [...lines, zoneLine(screen)];
}
