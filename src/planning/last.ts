import { LAST_MEANS, type PlanWarning } from '../contracts/status.js';
import type { Instant, Interval } from '../core/interval/interval.js';
import type { PlannedDataset } from '../core/plan/types.js';
import { floorTo, nextBorder, type Axis } from '../core/time/axis.js';
import { localAt } from '../core/time/zone.js';
import type { Dataset } from '../project/project.js';

/** More days than these are named by the first and the last. */
const DAYS_MAX = 7;
const GROUPS_MAX = 3;

/**
 * What a `--last` comes to, in one sentence: `--last 3d means 27, 28, 29 November; today is not complete`. It is the normal case of a nightly
 * run, and a warning or two for each dataset would hide those that matter.
 */
export function lastMeans(
  last: string | undefined,
  planned: readonly Pick<PlannedDataset, 'name' | 'asked'>[],
  datasets: ReadonlyMap<string, Pick<Dataset, 'axis'>>,
  now: Instant,
): PlanWarning[] {
  if (last === undefined) return [];
  const groups = new Map<string, { dataset: string; axis: Axis; asked: Interval }>();
  for (const { name, asked } of planned) {
    const axis = datasets.get(name)?.axis;
    if (axis === undefined || axis.grain === 'none' || asked === null) continue;
    const key = [axis.grain, axis.zone, asked.start, asked.end].join(' ');
    if (!groups.has(key)) groups.set(key, { dataset: name, axis, asked });
  }
  const [first, ...others] = [...groups.values()];
  if (!first) return [];
  const alone = others.length === 0;
  const parts = [first, ...others]
    .slice(0, GROUPS_MAX)
    .map(({ axis, asked }) => `${spanOf(axis, asked)}${alone ? '' : ` by ${axis.grain}`}`);
  const more =
    others.length >= GROUPS_MAX ? `, and other spans for ${others.length + 1 - GROUPS_MAX} more kinds of datasets` : '';
  const open = alone ? openOf(first.axis, first.asked, now) : '; what has not ended yet is not complete';
  return [
    { dataset: first.dataset, code: LAST_MEANS, message: `--last ${last} means ${parts.join(', ')}${more}${open}` },
  ];
}

function openOf(axis: Axis, { end }: Interval, now: Instant): string {
  const current = floorTo(axis, now);
  if (end > current) return '';
  const what = axis.grain === 'day' ? 'today' : `the current ${axis.grain}`;
  return end === current ? `; ${what} is not complete` : '; what is later is not complete';
}

const MONTHS = 'January February March April May June July August September October November December'.split(' ');

function spanOf(axis: Axis, { start, end }: Interval): string {
  const { grain, zone } = axis;
  if (grain !== 'day') return `${clockOf(zone, start)} to ${clockOf(zone, end)}`;
  const days: { day: number; month: string }[] = [];
  for (let at = start; at < end; at = nextBorder(axis, at)) {
    const local = new Date(localAt(zone, at));
    days.push({ day: local.getUTCDate(), month: MONTHS[local.getUTCMonth()] ?? '' });
  }
  const [first, last] = [days[0], days.at(-1)];
  if (!first || !last) return 'nothing';
  if (days.length > DAYS_MAX) return `${first.day} ${first.month} to ${last.day} ${last.month}`;
  return days.map(({ day, month }, i) => (days[i + 1]?.month === month ? String(day) : `${day} ${month}`)).join(', ');
}

/** In the dataset's zone: `2013-03-10 05:00`, a date alone at midnight. */
function clockOf(zone: string, at: Instant): string {
  const local = new Date(localAt(zone, at)).toISOString();
  return local.slice(11, 16) === '00:00' ? local.slice(0, 10) : `${local.slice(0, 10)} ${local.slice(11, 16)}`;
}
