import { readInterval } from '../core/graph/mapping.js';
import type { Instant, Interval } from '../core/interval/interval.js';
import { partitionsOf } from '../core/interval/runs.js';
import { completeUntil } from '../core/plan/track.js';
import type { PlanNode } from '../core/plan/types.js';
import { floorTo, partitionsIn } from '../core/time/axis.js';

/** What `why` needs to know of a dataset; `project.Dataset` has this shape. */
export interface WhyDataset extends PlanNode {
  readonly version: string;
}

/** The partitions of one input that a partition reads. */
export interface InputPartitions {
  readonly dataset: WhyDataset;
  readonly partitions: readonly Interval[];
}

interface World {
  readonly now: Instant;
  readonly datasets: ReadonlyMap<string, WhyDataset>;
}

/**
 * What a partition reads, input by input, itself left out. Time before an input's start has no partitions. A `grain: none` dataset
 * reads what there is up to the first gap, so the first partition of an input is all that it cannot do without.
 */
export function inputsOf(dataset: WhyDataset, partition: Interval, { now, datasets }: World): InputPartitions[] {
  return dataset.needs.flatMap((need) => {
    const input = datasets.get(need.dataset);
    if (!input || need.dataset === dataset.name) return [];
    const read = readInterval(need, dataset.axis, partition);
    const clipped = {
      start: Math.max(read.start, floorTo(input.axis, input.start)),
      end: Math.min(read.end, dataset.axis.grain === 'none' ? completeUntil(input, now) : Infinity),
    };
    if (input.axis.grain === 'none') return [{ dataset: input, partitions: [{ start: -Infinity, end: Infinity }] }];
    if (clipped.start >= clipped.end) return [];
    const partitions = [...partitionsOf(partitionsIn(input.axis, clipped))];
    return [{ dataset: input, partitions: dataset.axis.grain === 'none' ? partitions.slice(0, 1) : partitions }];
  });
}

/**
 * For a dataset and all that it reads, directly or not: time that holds every partition which explaining `partition` may ask about.
 *
 * `datasets` in topological order.
 */
export function hullsOf(
  datasets: ReadonlyMap<string, WhyDataset>,
  dataset: string,
  partition: Interval,
  now: Instant,
): ReadonlyMap<string, Interval> {
  const hulls = new Map<string, Interval>([[dataset, partition]]);
  for (const reader of [...datasets.values()].reverse()) {
    const hull = hulls.get(reader.name);
    if (!hull) continue;
    for (const { dataset: input, partitions } of inputsOf(reader, hull, { now, datasets })) {
      const [first, last] = [partitions[0], partitions.at(-1)];
      if (!first || !last) continue;
      const known = hulls.get(input.name) ?? first;
      hulls.set(input.name, { start: Math.min(known.start, first.start), end: Math.max(known.end, last.end) });
    }
  }
  return hulls;
}
