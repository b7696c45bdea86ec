import { formatInstant, type Instant, type Interval } from '../core/interval/interval.js';
import type { Run } from '../core/interval/runs.js';
import { completeUntil } from '../core/plan/track.js';
import { floorTo, partitionsIn } from '../core/time/axis.js';
import type { Dataset } from '../project/project.js';

/** Partitions that may be taken into the ledger, and what of the range they leave out. */
export interface Adoptable {
  readonly runs: readonly Run[];
  readonly notes: readonly string[];
}

/** The partitions of `asked` (whole ones, as `askedInterval` gives it) between the dataset's start and its last complete one. */
export function adoptablePartitions(
  dataset: Pick<Dataset, 'axis' | 'start' | 'readyAfter' | 'name' | 'needs' | 'refresh'>,
  asked: Interval,
  now: Instant,
): Adoptable {
  const { axis } = dataset;
  if (axis.grain === 'none') return { runs: partitionsIn(axis, asked), notes: [] };
  const first = floorTo(axis, dataset.start);
  const last = completeUntil(dataset, now);
  const start = Math.max(first, asked.start);
  const end = Math.min(last, asked.end);
  const notes = [
    ...(asked.start < first && Number.isFinite(asked.start)
      ? [`what lies before its start, ${formatInstant(first)}, is left out`]
      : []),
    ...(asked.end > last && Number.isFinite(asked.end)
      ? [`what ends after ${formatInstant(last)} is left out: it is not complete yet`]
      : []),
  ];
  return { runs: start < end ? partitionsIn(axis, { start, end }) : [], notes };
}
