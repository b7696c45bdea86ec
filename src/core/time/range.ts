import type { Instant } from '../interval/interval.js';
import { formatInstant } from '../interval/interval.js';
import type { Duration } from './duration.js';
import { addDuration, parseDuration } from './duration.js';
import { readTime } from './text.js';

/** A range as typed: `--from`, `--to`, `--last`, `--on`, or the same fields of a request. */
export interface RangeOptions {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly last?: string | undefined;
  readonly on?: string | undefined;
}

/** Half-open `[from, to)`; a missing end is open. Not rounded: each dataset rounds it out to its own partitions. */
export interface ResolvedRange {
  readonly from?: Instant;
  readonly to?: Instant;
}

export interface RangeProblem {
  readonly code: 'range_empty' | 'bad_time' | 'bad_duration' | 'range_options_conflict';
  readonly message: string;
  readonly remedy: string;
}

/** Ranges reach from here to the end of year 9999: what both a text of ours and PostgreSQL can name. */
export const YEAR_1: Instant = -62_135_596_800_000;

export type RangeResult = { readonly range: ResolvedRange } | { readonly problem: RangeProblem };

/**
 * Reads the range of a request.
 *
 * Times are ISO 8601; one without a zone is read in `zone`, a date is the start of its local day. `on` is the time that
 * the text names: a whole local day for a date (month for `2013-03`, year for `2013`), one ms for a time, which each
 * dataset rounds out to the partition that holds it. `last` is `[now − last, now)`.
 */
export function resolveRange(options: RangeOptions, { zone, now }: { zone: string; now: Instant }): RangeResult {
  const conflict = conflictIn(options);
  if (conflict) return { problem: conflict };
  if (options.on !== undefined) return resolveOn(options.on, zone);
  if (options.last !== undefined) return resolveLast(options.last, zone, now);
  return resolveEnds(options.from, options.to, zone);
}

function conflictIn(options: RangeOptions): RangeProblem | undefined {
  const given = (['from', 'to', 'last', 'on'] as const).filter((name) => options[name] !== undefined);
  const alone = given.find((name) => name === 'on' || name === 'last');
  if (alone === undefined || given.length === 1) return undefined;
  return {
    code: 'range_options_conflict',
    message: `${given.map((name) => `--${name} ${options[name]}`).join(', ')}: only one range can be asked for`,
    remedy: `leave out --${alone}, or all the others: a range is --from T --to T, --last D or --on T`,
  };
}

function resolveOn(text: string, zone: string): RangeResult {
  const time = readTime(text, zone);
  return time ? { range: { from: time.start, to: time.end } } : { problem: badTime('on', text) };
}

function resolveLast(text: string, zone: string, now: Instant): RangeResult {
  const duration = parseDuration(text);
  const from = duration && isLong(duration) ? addDuration(now, duration, zone, -1) : NaN;
  if (from < YEAR_1 || (duration && isLong(duration) && Number.isNaN(from)))
    return {
      problem: {
        code: 'bad_duration',
        message: `--last ${JSON.stringify(text)} reaches back beyond year 1`,
        remedy: 'leave it out: without a range all is meant, from each start',
      },
    };
  if (from < now) return { range: { from, to: now } };
  return {
    problem: {
      code: 'bad_duration',
      message: `--last ${JSON.stringify(text)} is not a length of time`,
      remedy: 'write a number with a unit, more than 0: 12h, 30d, 2w, 3mo, 1y, or ISO 8601 such as P30D',
    },
  };
}

function isLong({ months, days, ms }: Duration): boolean {
  return months > 0 || days > 0 || ms > 0;
}

function resolveEnds(fromText: string | undefined, toText: string | undefined, zone: string): RangeResult {
  const from = fromText === undefined ? undefined : readTime(fromText, zone);
  const to = toText === undefined ? undefined : readTime(toText, zone);
  if (fromText !== undefined && !from) return { problem: badTime('from', fromText) };
  if (toText !== undefined && !to) return { problem: badTime('to', toText) };
  if (from && to && from.start >= to.start) return { problem: emptyRange(from.start, to.start, fromText, toText) };
  return { range: { ...(from && { from: from.start }), ...(to && { to: to.start }) } };
}

function emptyRange(from: Instant, to: Instant, fromText = '', toText = ''): RangeProblem {
  return {
    code: 'range_empty',
    message:
      `--from ${fromText} --to ${toText} is empty: ${formatInstant(from)} is not before ${formatInstant(to)} ` +
      '(a range goes from --from up to --to, and --to is exclusive)',
    remedy: `give a --to after ${fromText}, or --on ${fromText} for that one partition`,
  };
}

function badTime(option: string, text: string): RangeProblem {
  return {
    code: 'bad_time',
    message: `--${option} ${JSON.stringify(text)} is not a time`,
    remedy: 'write 2013-03-10, 2013-03-10T05:00 or, with an offset, 2013-03-10T05:00-05:00 or …T10:00Z',
  };
}
