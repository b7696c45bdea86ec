import { RequestError } from '../contracts/errors.js';
import { FOREVER, type Instant, type Interval } from '../core/interval/interval.js';
import { ceilTo, floorTo, partitionOf } from '../core/time/axis.js';
import type { RangeOptions } from '../core/time/range.js';
import { readTime } from '../core/time/text.js';
import { rangeOfRequest } from './range.js';
import { didYouMean } from '../project/nearest.js';
import type { Dataset, Project } from '../project/project.js';

/** The one dataset of that name. @throws RequestError unknown_dataset, with the nearest name */
export function namedDataset({ datasets }: Pick<Project, 'datasets'>, name: string): Dataset {
  const dataset = datasets.get(name);
  if (dataset) return dataset;
  throw new RequestError(
    'unknown_dataset',
    `there is no dataset ${JSON.stringify(name)}`,
    didYouMean(name, datasets.keys(), 'sluice graph shows them all'),
  );
}

/**
 * A range that was asked of one dataset, rounded out to whole partitions where it has an axis; an open end is infinite.
 * @throws RequestError for times that cannot be read and ranges that are empty
 */
export function askedInterval(
  { timezone }: Pick<Project, 'timezone'>,
  { axis }: Partial<Pick<Dataset, 'axis'>>,
  options: RangeOptions,
  now: Instant,
): Interval {
  const { from = -Infinity, to = Infinity } = rangeOfRequest({ timezone }, options, now);
  return axis === undefined ? { start: from, end: to } : { start: floorTo(axis, from), end: ceilTo(axis, to) };
}

/**
 * The partition that holds a time; of `grain: none` there is one.
 * @throws RequestError time_missing, bad_time
 */
export function askedPartition(
  { timezone }: Pick<Project, 'timezone'>,
  { name, axis }: Pick<Dataset, 'name' | 'axis'>,
  text: string | undefined,
  verb: string,
): Interval {
  if (axis.grain === 'none') return FOREVER;
  const time = text === undefined ? undefined : readTime(text, timezone);
  if (time) return partitionOf(axis, time.start);
  throw new RequestError(
    text === undefined ? 'time_missing' : 'bad_time',
    text === undefined ? `${verb} ${name} needs a time` : `${JSON.stringify(text)} is not a time`,
    `name any time in the partition, as ISO 8601: sluice ${verb} ${name} 2013-03-10`,
  );
}

/** Refuses a verb without a range: what it does to a whole dataset must be typed. `grain: none` has one partition only. */
export function requireRange(
  { name, axis }: Pick<Dataset, 'name' | 'axis'>,
  options: RangeOptions,
  verb: string,
): void {
  const { from, to, last, on } = options;
  if (axis.grain === 'none' || [from, to, last, on].some((one) => one !== undefined)) return;
  throw new RequestError(
    'range_missing',
    `${verb} ${name} needs a range`,
    `say which partitions: sluice ${verb} ${name} --from 2013-01-01 --to 2014-01-01 (--to is exclusive)`,
  );
}
