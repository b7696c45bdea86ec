import type { Instant } from '../interval/interval.js';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../time/calendar.js';
import type { Grain } from '../time/axis.js';
import type { PlanNode } from './types.js';

/** Partitions of a dataset from its start to now: 5 minutes for 38 years, hours for 456. Planning takes memory for each. */
export const DATASET_PARTITIONS_MAX = 4_000_000;
/** The same of all datasets of a project: a thousand of hours for seventeen years. */
export const PROJECT_PARTITIONS_MAX = 150_000_000;

const LENGTH_MS: Readonly<Record<Grain, number>> = {
  '5m': 5 * MINUTE_MS,
  '15m': 15 * MINUTE_MS,
  hour: HOUR_MS,
  day: DAY_MS,
  week: 7 * DAY_MS,
  month: 30 * DAY_MS,
  quarter: 91 * DAY_MS,
  year: 365 * DAY_MS,
  none: Infinity,
};

type Ranged = Pick<PlanNode, 'axis' | 'start'>;

/** About how many partitions a dataset has until `now`, never fewer but by those that clocks add; nothing is listed for it. */
export function partitionsUntil({ axis, start }: Ranged, now: Instant): number {
  return axis.grain === 'none' ? 1 : Math.max(0, Math.ceil((now - start) / LENGTH_MS[axis.grain]));
}

/** The earliest start, about, that a dataset of a grain may have. */
export function earliestStart({ axis }: Ranged, now: Instant): Instant {
  return now - DATASET_PARTITIONS_MAX * LENGTH_MS[axis.grain];
}
