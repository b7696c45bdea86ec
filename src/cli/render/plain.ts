/**
 * Progress for logs and pipes: a line only when something changed, for each dataset at most one a second, and at once when
 * its state changes or another partition fails. A reducer: the state that it returns goes in with the next status.
 */
import type { BackfillStatus, DatasetState, DatasetStatus, Failure } from '../../contracts/status.js';
import { reasonText, shownWarnings, troubleLine, warningText } from './backfill.js';
import { formatClock, formatCount, formatSpan, plural } from './format.js';
import { clean } from './text.js';
import type { Line, Screen, Times } from './text.js';
import { IN_UTC, local } from './times.js';

interface Told {
  readonly atMs: number;
  readonly state: DatasetState;
  readonly text: string;
  readonly failures: ReadonlySet<string>;
}

export interface PlainState {
  /** What was last said of the backfill as a whole. */
  readonly headline: string;
  readonly warnings: number;
  readonly datasets: ReadonlyMap<string, Told>;
}

export const NOTHING_TOLD: PlainState = { headline: '', warnings: 0, datasets: new Map() };

const EVERY_MS = 1000;

/** The lines that this status adds, each with the time of day. They hold no colour and are not cut. */
export function plainLines(
  told: PlainState,
  status: BackfillStatus,
  { now: nowMs, times = IN_UTC }: Pick<Screen, 'now' | 'times'>,
): { state: PlainState; lines: string[] } {
  const headline = headlineOf(status);
  const warnings = shownWarnings(status.warnings);
  const steps = status.datasets.map((one) => ({ one, ...datasetStep(told.datasets.get(one.name), one, nowMs, times) }));
  const lines = [
    ...warnings.slice(told.warnings).map(warningText),
    ...steps.flatMap((step) => step.lines),
    ...(headline === told.headline ? [] : [headline]),
  ];
  const datasets = new Map(steps.map((step) => [step.one.name, step.told]));
  return {
    state: { headline, warnings: Math.max(told.warnings, warnings.length), datasets },
    lines: lines.map((line) => clean(`${formatClock(nowMs, times.zone)} ${local(line, times)}`)),
  };
}

/** Names no number that changes while it runs: it is said again only when the state, or what it waits for, changes. */
function headlineOf(status: BackfillStatus): string {
  const { id, state, reason, waiting, partitions, rows, endedAt } = status;
  const counts = `${formatCount(partitions.done)} of ${plural(partitions.total, 'partition')}, ${formatCount(rows)} rows`;
  const trouble = textOf(troubleLine(partitions));
  const parts = [
    `backfill ${id}: ${state.replace('_', ' ')}${reason === '' ? '' : ` (${reasonText(status)})`}`,
    endedAt === null ? '' : `${counts}${trouble === '' ? '' : `, ${trouble}`}`,
    waiting === null ? '' : `waits for ${waiting.for}`,
    waiting === null || waiting.next === '' ? '' : `type: ${waiting.next}`,
  ];
  return parts.filter((part) => part !== '').join('; ');
}

function datasetStep(
  before: Told | undefined,
  one: DatasetStatus,
  nowMs: number,
  times: Times,
): { told: Told; lines: string[] } {
  const failed = one.failures.map((failure) => ({ key: `${failure.start}/${failure.end}/${failure.code}`, failure }));
  const fresh = failed.filter(({ key }) => before?.failures.has(key) !== true);
  const text = textOfDataset(one);
  const urgent = before === undefined ? one.state !== 'waiting' : before.state !== one.state;
  const due = before !== undefined && before.text !== text && nowMs - before.atMs >= EVERY_MS;
  const lines = fresh.map(({ failure }) => failureText(one.name, failure, times));
  const failures = new Set(failed.map(({ key }) => key));
  if (!urgent && !due) return { told: { ...(before ?? { atMs: nowMs, state: one.state, text }), failures }, lines };
  return { told: { atMs: nowMs, state: one.state, text, failures }, lines: [...lines, text] };
}

function textOfDataset(one: DatasetStatus): string {
  const trouble = textOf(troubleLine(one));
  const counts = `${formatCount(one.done)}/${plural(one.total, 'partition')}, ${formatCount(one.rows)} rows`;
  const waits = one.waitingFor === undefined ? '' : `, waits for ${one.waitingFor}`;
  return `${one.name}: ${one.state}, ${counts}${trouble === '' ? '' : `, ${trouble}`}${waits}`;
}

function failureText(dataset: string, failure: Failure, times: Times): string {
  return `${dataset}: ${formatSpan(failure, times.of(dataset))} failed after ${plural(failure.attempts, 'attempt')}: ${failure.code}: ${failure.message}`;
}

function textOf(line: Line): string {
  return line.map(({ text }) => text).join('');
}
