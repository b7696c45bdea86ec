/** The pieces of a backfill's status that the live display and the one-shot `status` share. */
import { scopeName } from '../../contracts/scope.js';
import { ENDED, LAST_MEANS, overOf } from '../../contracts/status.js';
import { isOfRange } from '../../core/plan/asked.js';
import type { BackfillState, BackfillStatus, DatasetState, DatasetStatus, Failure } from '../../contracts/status.js';
import { commandLines, sluice } from './command.js';
import {
  formatBar,
  formatClock,
  formatCount,
  formatDuration,
  formatPercent,
  formatRate,
  formatShort,
  formatSpan,
  isSlow,
  plural,
} from './format.js';
import { formatTimeLeft, rateOf, timeLeft } from './rate.js';
import type { RateMeter } from './rate.js';
import { table } from './table.js';
import type { Column } from './table.js';
import { joined, paint, span } from './text.js';
import type { Line, Screen, Span, Style } from './text.js';
import { IN_UTC, local } from './times.js';

const STYLES: Record<BackfillState | DatasetState, Style> = {
  planning: 'busy',
  awaiting_approval: 'warn',
  running: 'busy',
  waiting: 'faint',
  paused: 'warn',
  held: 'warn',
  completed: 'good',
  done: 'good',
  failed: 'bad',
  cancelled: 'faint',
};

export function stateSpan(state: BackfillState | DatasetState): Span {
  return span(state.replace('_', ' '), STYLES[state]);
}

/** `2 failed · 5 blocked · 1 skipped`, what there is of it. */
export function troubleLine({ failed, blocked, skipped }: { failed: number; blocked: number; skipped: number }): Line {
  const part = (count: number, word: string, style: Style): Span | undefined =>
    count === 0 ? undefined : span(`${formatCount(count)} ${word}`, style);
  return joined(
    [part(failed, 'failed', 'bad'), part(blocked, 'blocked', 'warn'), part(skipped, 'skipped', 'faint')],
    ' · ',
  );
}

/** Milliseconds from its start to its end, or to now. */
export function elapsedMs({ startedAt, endedAt }: Pick<BackfillStatus, 'startedAt' | 'endedAt'>, now: number): number {
  return (endedAt === null ? now : Date.parse(endedAt)) - Date.parse(startedAt);
}

function scopeSpan({ project, environment }: BackfillStatus): Span {
  return span(`project ${scopeName(project, environment)}`);
}

/** `77 partitions/s · 484k rows · about 1m to 2m left`; without a meter, or when it does not run, only the rows. */
function speedLine(status: BackfillStatus, meter: RateMeter | undefined): Line {
  const rows = span(`${formatShort(status.rows)} rows`);
  if (meter === undefined || status.state !== 'running') return [rows];
  const rate = rateOf(meter);
  const speed = rate === undefined ? 'rate not known yet' : formatRate(rate).replace('/', ' partitions/');
  return joined([span(speed), rows, span(formatTimeLeft(timeLeft(meter, status)))], ' · ');
}

/** Who it is and how it stands: three lines, and one for the reason if there is one. */
export function headerLines(status: BackfillStatus, screen: Screen, meter?: RateMeter): string[] {
  const { id, state, partitions, plan, priority, maxParallel, reason } = status;
  const lines: Line[] = [
    joined([
      [span('backfill '), span(id, 'strong')],
      stateSpan(state),
      span(formatDuration(elapsedMs(status, screen.now))),
      scopeSpan(status),
      plan === undefined ? undefined : span(`plan ${plan.slice(0, 8)}`, 'faint'),
      priority === undefined || priority === 3 ? undefined : span(`priority ${priority}`, 'faint'),
      maxParallel === undefined ? undefined : span(`at most ${maxParallel} at once`, 'faint'),
    ]),
    joined([
      joined(
        [formatBar(partitions, screen.width >= 90 ? 24 : 10), span(formatPercent(partitions.done, partitions.total))],
        ' ',
      ),
      joined(
        [span(`${formatCount(partitions.done)} of ${plural(partitions.total, 'partition')}`), troubleLine(partitions)],
        ' · ',
      ),
    ]),
    speedLine(status, meter),
  ];
  const saidBelow = reason === status.waiting?.for || (state === 'paused' && status.waiting !== null);
  if (reason !== '' && !saidBelow) lines.push([span(local(reasonText(status), screen.times), 'faint')]);
  return lines.map((line) => paint(line, screen));
}

const COLUMNS: readonly Column[] = [
  { title: 'DATASET', min: 12 },
  { title: 'PROGRESS', keep: 30 },
  { title: 'PARTITIONS', align: 'right', keep: 80 },
  { title: 'ROWS', align: 'right', keep: 20 },
  { title: 'RATE', align: 'right', keep: 40 },
  { title: 'STATE', min: 24, keep: 90 },
];

/** One line per dataset, under a head; `datasets` are those of its status that are shown. */
export function datasetLines(
  status: BackfillStatus,
  datasets: readonly DatasetStatus[],
  screen: Screen,
  meter?: RateMeter,
): string[] {
  const { datasets: all } = status;
  const bar = screen.width >= 90 ? 12 : 8;
  const doneNames = new Set(all.filter(({ state }) => state === 'done').map(({ name }) => name));
  const rates = datasets.map(({ name, state }) => (state === 'running' && meter ? rateOf(meter, name) : undefined));
  const perMinute = isSlow(rates);
  const rows = datasets.map((one, index): Line[] => [
    [span(one.name, one.state === 'done' || one.state === 'waiting' ? undefined : 'strong')],
    formatBar(one, bar),
    [span(`${formatCount(one.done)}/${formatCount(one.total)}`)],
    [span(formatShort(one.rows))],
    meter === undefined || one.state !== 'running' ? [] : [span(formatRate(rates[index], perMinute))],
    stateLine(one, doneNames, status),
  ]);
  return table(COLUMNS, rows, screen);
}

/** `running · 2 failed · waits for flights_clean · 3 blocked · 4 batches handed out`. */
function stateLine(one: DatasetStatus, doneNames: ReadonlySet<string>, status: BackfillStatus): Line {
  if (ENDED.includes(status.state)) return endedLine(one);
  const unfinished = one.needs.filter((need) => need !== one.name && !doneNames.has(need));
  const waitsFor =
    one.waitingFor ?? (one.state === 'waiting' && unfinished.length > 0 ? unfinished.join(', ') : undefined);
  // A slot is had for a few of them; the others wait for one.
  const batches = `${plural(one.running, 'batch', 'batches')} ${one.state === 'running' ? 'handed out' : 'kept back'}`;
  const atWork = one.running > 0 ? span(batches, 'faint') : undefined;
  // Said in whole below, where it is not cut.
  const isBelow = waitsFor !== undefined && waitsFor === status.waiting?.for;
  const waits = waitsFor === undefined ? undefined : span(isBelow ? 'waits' : `waits for ${waitsFor}`, 'faint');
  const state = one.state === 'waiting' && waits !== undefined ? undefined : stateSpan(one.state);
  // The line may be cut: what failed and what it waits for say more than how many are blocked behind it.
  return joined(
    [state, troubleLine({ ...one, blocked: 0, skipped: 0 }), waits, troubleLine({ ...one, failed: 0 }), atWork],
    ' · ',
  );
}

/** `cancelled · 2 failed · 38 not built`: it waits for nothing any more. */
function endedLine(one: DatasetStatus): Line {
  const left = one.total - one.done - one.failed - one.blocked - one.skipped;
  const notBuilt = left > 0 ? span(`${formatCount(left)} not built`, 'warn') : undefined;
  return joined([stateSpan(overOf(one).state), troubleLine(one), notBuilt], ' · ');
}

export interface DatasetFailure {
  readonly dataset: string;
  readonly failure: Failure;
}

export function failuresOf({ datasets }: BackfillStatus): DatasetFailure[] {
  return datasets.flatMap(({ name, failures }) => failures.map((failure) => ({ dataset: name, failure })));
}

/** Above the failures of a backfill. */
export function failedTitle(partitions: number): Span {
  // A dataset that stopped as a whole has a failure, and no partition that failed by itself.
  return span(partitions === 0 ? 'FAILED' : `FAILED ${plural(partitions, 'partition')}`, 'bad');
}

/** `flights_clean  2013-03-10  duplicate_key  3 attempts`. */
export function failureLine({ dataset, failure }: DatasetFailure, { times = IN_UTC }: Screen): Line {
  return joined([
    span(dataset, 'strong'),
    span(formatSpan(failure, times.of(dataset))),
    span(failure.code, 'bad'),
    span(plural(failure.attempts, 'attempt'), 'faint'),
  ]);
}

/** What the user may want to type, most useful first, as plain commands. */
export function nextCommands(status: BackfillStatus): string[] {
  const { id, environment, state, waiting } = status;
  const commands = waiting?.next === undefined || waiting.next === '' ? [] : [waiting.next];
  // `grain: none` has no time to ask about, and its message is on the screen.
  const first = failuresOf(status).find(({ failure }) => failure.start !== '-infinity');
  if (first) commands.push(sluice(['why', first.dataset, first.failure.start], environment));
  if (state === 'running') commands.push(sluice(['pause', id], environment));
  // What would make it quicker: for what waits it is known.
  if (state === 'running' && waiting === null) commands.push(sluice(['advise', id], environment));
  if (state === 'paused') commands.push(sluice(['resume', id], environment));
  return [...new Set(commands)];
}

/** What the backfill waits for and what to type, at most `linesMax` lines: a command is shown whole or not at all. */
export function nextLines(status: BackfillStatus, screen: Screen, linesMax: number): string[] {
  const lines = ENDED.includes(status.state) ? [] : waitsLines(status, screen);
  const others = orLines(status, screen);
  for (const [index, command] of nextCommands(status).entries()) {
    const whole = commandLines(local(command, screen.times), screen.width - 7);
    const fits = lines.length + whole.length <= linesMax;
    if (!fits && index > 0) break;
    const parts = fits ? whole : [sluice(['status', status.id], status.environment)];
    for (const [row, part] of parts.entries()) {
      lines.push(paint([span(index + row === 0 ? 'type   ' : '       ', 'warn'), span(part, 'strong')], screen));
    }
  }
  return (lines.length + others.length <= linesMax ? [...lines, ...others] : lines).slice(0, linesMax);
}

/** Other commands to type, and when: `the source was mended?`, and its command below. */
function orLines({ state, waiting }: BackfillStatus, screen: Screen): string[] {
  if (ENDED.includes(state)) return [];
  return (waiting?.or ?? []).flatMap(({ when, next }) => [
    paint([span(`${when}?`, 'warn')], screen),
    ...commandLines(local(next, screen.times), screen.width - 7).map((part) =>
      paint([span('       '), span(part, 'strong')], screen),
    ),
  ]);
}

/** `paused by ann: month end`: a person's words are told apart from ours. `when` stands behind who it was. */
export function reasonText({ state, reason, by }: BackfillStatus, when = ''): string {
  if (by === undefined && state !== 'paused' && state !== 'cancelled') return reason;
  const what = state === 'running' ? 'resumed' : state;
  return `${what}${by === undefined ? '' : ` by ${by}`}${when}${reason === what ? '' : `: ${reason}`}`;
}

function waitsLines(status: BackfillStatus, screen: Screen): string[] {
  const { waiting } = status;
  if (waiting === null) return [];
  const sinceMs = Date.parse(waiting.since);
  const since = Number.isNaN(sinceMs)
    ? ''
    : ` since ${formatClock(sinceMs, screen.times?.zone)} (${formatDuration(screen.now - sinceMs)})`;
  if (status.state === 'paused') return [paint([span(reasonText(status, since), 'warn')], screen)];
  return [paint([span('waits  ', 'warn'), span(`for ${local(waiting.for, screen.times)}${since}`)], screen)];
}

type Warning = BackfillStatus['warnings'][number];

/** Warnings for a screen: where one sentence says what `--last` came to, it stands for those that say so of each dataset. */
export function shownWarnings(warnings: readonly Warning[]): readonly Warning[] {
  return warnings.some(({ code }) => code === LAST_MEANS) ? warnings.filter((one) => !isOfRange(one)) : warnings;
}

/** `! flights_raw null_event_time (4 rows): message`. */
export function warningText({ dataset, code, rows, message }: Warning): string {
  if (code === LAST_MEANS) return message;
  return `! ${dataset} ${code}${rows === undefined ? '' : ` (${plural(rows, 'row')})`}: ${message}`;
}
