import type { Instant, Interval } from '../interval/interval.js';
import { FOREVER } from '../interval/interval.js';
import type { Run } from '../interval/runs.js';
import { appendRun, runsOf } from '../interval/runs.js';
import { DAY_MS, HOUR_MS, MINUTE_MS, monthOf, startOfMonth } from './calendar.js';
import { firstAt, localAt, segmentAt } from './zone.js';

export const GRAINS = ['5m', '15m', 'hour', 'day', 'week', 'month', 'quarter', 'year', 'none'] as const;
export type Grain = (typeof GRAINS)[number];

/**
 * A dataset's time axis: how long its partitions are and where their borders lie.
 *
 * - `5m`, `15m`, `hour`: wherever the wall clock of the zone shows a whole multiple. Physical time: when clocks go back,
 *   both hours called 01:00 are partitions; where they move by half an hour (Lord Howe) one partition lasts 1.5 h, so that
 *   PostgreSQL's `date_trunc('hour', …)` stays inside it.
 * - `day` and longer: the first instant of the local day, ISO week (Monday), month, quarter, year. Days last 23 or 25 h
 *   when clocks move; a day that a zone left out (Apia, 2011-12-30) has no partition.
 * - `none`: one partition, all of time; its borders are ±Infinity.
 */
export interface Axis {
  readonly grain: Grain;
  /** IANA name. */
  readonly zone: string;
}

/** Numbers the calendar units of a grain along local time. */
interface Units {
  /** Number of the unit that holds `local`. */
  readonly at: (local: number) => number;
  /** Local time at which unit number `unit` starts. */
  readonly start: (unit: number) => number;
}

const days = (length: number, phase: number): Units => ({
  at: (local) => Math.floor((local - phase) / (length * DAY_MS)),
  start: (unit) => unit * length * DAY_MS + phase,
});
const months = (length: number): Units => ({
  at: (local) => Math.floor(monthOf(local) / length),
  start: (unit) => startOfMonth(unit * length),
});

/** 1970-01-01 was a Thursday, the Monday of its week three days before. */
const MONDAY = -3 * DAY_MS;
const LAW: Record<Exclude<Grain, 'none'>, number | Units> = {
  '5m': 5 * MINUTE_MS,
  '15m': 15 * MINUTE_MS,
  hour: HOUR_MS,
  day: days(1, 0),
  week: days(7, MONDAY),
  month: months(1),
  quarter: months(3),
  year: months(12),
};

/** The last border at or before `t`: the start of the partition that holds `t`. */
export function floorTo({ grain, zone }: Axis, t: Instant): Instant {
  if (!Number.isFinite(t)) return t;
  if (grain === 'none') return -Infinity;
  const law = LAW[grain];
  return typeof law === 'number' ? floorStep(law, zone, t) : firstAt(zone, law.start(unitAt(law, zone, t)));
}

/** The first border at or after `t`. */
export function ceilTo(axis: Axis, t: Instant): Instant {
  return floorTo(axis, t) === t ? t : nextBorder(axis, t);
}

/** The first border after `t`; where `t` is a border, the end of the partition that starts there. Infinity stays. */
export function nextBorder({ grain, zone }: Axis, t: Instant): Instant {
  if (grain === 'none' || !Number.isFinite(t)) return Infinity;
  const law = LAW[grain];
  return typeof law === 'number' ? nextStep(law, zone, t) : nextUnit(law, zone, unitAt(law, zone, t), t).border;
}

/** The partition that holds `t`. */
export function partitionOf(axis: Axis, t: Instant): Interval {
  return axis.grain === 'none' ? FOREVER : { start: floorTo(axis, t), end: nextBorder(axis, t) };
}

/**
 * The whole partitions that cover `interval`, rounded outwards, as runs. The interval must be finite unless the grain is
 * `none`, else RangeError: clip what `window: all` reads to the upstream's `start` first.
 */
export function partitionsIn(axis: Axis, interval: Interval): Run[] {
  if (axis.grain === 'none') return [{ start: -Infinity, step: Infinity, count: 1 }];
  if (!Number.isFinite(interval.start) || !Number.isFinite(interval.end)) {
    throw new RangeError(`partitions of an endless interval, grain ${axis.grain}`);
  }
  const law = LAW[axis.grain];
  return typeof law === 'number' ? stepRuns(law, axis.zone, interval) : runsOf(unitsIn(law, axis.zone, interval));
}

/** How far the wall clock is past a multiple of `step`. */
function past(step: number, local: number): number {
  return local - Math.floor(local / step) * step;
}

function floorStep(step: number, zone: string, t: Instant): Instant {
  for (let at = t; ;) {
    const segment = segmentAt(zone, at);
    const border = at - past(step, at + segment.offset);
    if (border >= segment.start) return border;
    at = segment.start - 1;
  }
}

function nextStep(step: number, zone: string, t: Instant): Instant {
  for (let at = t + 1; ;) {
    const segment = segmentAt(zone, at);
    const border = at + past(step, -(at + segment.offset));
    if (border < segment.end) return border;
    at = segment.end;
  }
}

/** Whole stretches of one offset at a time: ten years of hours are 40 runs and never listed one by one. */
function stepRuns(step: number, zone: string, { start, end }: Interval): Run[] {
  const runs: Run[] = [];
  let at = floorStep(step, zone, start);
  while (at < end) {
    // Only borders before the end of the stretch: the clock may show no whole multiple where it moves.
    const stop = Math.min(segmentAt(zone, at).end - 1, end);
    const count = Math.floor((stop - at) / step);
    if (count > 0) appendRun(runs, { start: at, step, count });
    at += count * step;
    if (at >= end) break;
    const border = nextStep(step, zone, at);
    appendRun(runs, { start: at, step: border - at, count: 1 });
    at = border;
  }
  return runs;
}

/** Number of the unit whose partition holds `t`: not always the one on the wall clock, which may have gone back over midnight. */
function unitAt(units: Units, zone: string, t: Instant): number {
  let unit = units.at(localAt(zone, t));
  while (firstAt(zone, units.start(unit + 1)) <= t) unit++;
  return unit;
}

function nextUnit(units: Units, zone: string, unit: number, t: Instant): { unit: number; border: Instant } {
  for (let next = unit + 1; ; next++) {
    const border = firstAt(zone, units.start(next));
    if (border > t) return { unit: next, border };
  }
}

function* unitsIn(units: Units, zone: string, { start, end }: Interval): Generator<Interval> {
  let unit = unitAt(units, zone, start);
  let at = firstAt(zone, units.start(unit));
  while (at < end) {
    const next = nextUnit(units, zone, unit, at);
    yield { start: at, end: next.border };
    ({ unit, border: at } = next);
  }
}
