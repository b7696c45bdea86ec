import { environmentWords } from '../contracts/typed.js';
import { formatInstant, type Instant, type Interval } from '../core/interval/interval.js';
import type { Axis } from '../core/time/axis.js';
import { readTime } from '../core/time/text.js';
import { localAt } from '../core/time/zone.js';

/** `2013-03-10` in its own zone for day and longer, `2013-03-10T05:00:00Z` for shorter grains; `all of it`. */
export function partitionText({ grain, zone }: Axis, { start }: Interval): string {
  if (!Number.isFinite(start)) return 'all of it';
  return ['5m', '15m', 'hour'].includes(grain)
    ? formatInstant(start)
    : new Date(localAt(zone, start)).toISOString().slice(0, 10);
}

/** `flights_raw 2013-03-10`, `3 partitions of flights_raw, 2013-03-10 the first`. */
export function partitionsText(name: string, axis: Axis | undefined, partitions: readonly Interval[]): string {
  const [first] = partitions;
  if (!first || !axis || axis.grain === 'none') return name;
  const text = partitionText(axis, first);
  return partitions.length === 1 ? `${name} ${text}` : `${partitions.length} partitions of ${name}, ${text} the first`;
}

interface Place {
  readonly timezone: string;
  readonly environment: string;
}

/** The command that builds one partition, and with `withInputs` what it reads too. */
export function backfillCommand(
  { timezone, environment }: Place,
  { name, axis }: { readonly name: string; readonly axis: Axis },
  partition: Interval,
  more: readonly string[],
  withInputs = false,
): string {
  const on = Number.isFinite(partition.start) ? ['--on', onText(axis, timezone, partition.start)] : [];
  return [
    'sluice',
    'backfill',
    `${withInputs ? '+' : ''}${name}`,
    ...on,
    ...more,
    ...environmentWords(environment),
  ].join(' ');
}

/** A date where `--on` reads it, in the project's zone, as this very partition; else the instant that the partition starts with. */
function onText(axis: Axis, timezone: string, start: Instant): string {
  const date = partitionText(axis, { start, end: Infinity });
  return axis.grain === 'day' && readTime(date, timezone)?.start === start ? date : formatInstant(start);
}

/** Put behind a sentence, with a space between them; nothing stays nothing. */
export function spaced(text: string): string {
  return text === '' ? '' : ` ${text}`;
}

/** Ended by a full stop where it has no end of its own. */
export function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
