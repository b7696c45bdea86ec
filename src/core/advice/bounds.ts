/**
 * How long the rest of a backfill takes at least, from each thing that can hold it back. The longest of these bounds is what limits it now, and
 * a change is worth as much as it lowers the longest: T / T′. So what is not in the way is never recommended, and a change that meets the next
 * bound promises no more than that.
 *
 *     slots         W / (slots − others)      W: slot seconds that are left
 *     max_parallel  W / maxParallel
 *     cpu           W · c / (cores − busy)    c: part of a slot's time that is spent on a CPU
 *     rate          batches left / rate
 *     workers       W / slots at work         while slots stand empty and slices wait for a worker
 *     in order      W of a dataset whose batches follow one another, and the gaps between them
 *     pool          W of a pool's datasets / its slots
 *
 * Where the cores of the database are not known, it has one, or as many as are seen busy: what only more of them would give is not promised.
 */
import type { DatasetFacts, Facts, LimitCode } from './types.js';

export interface Bound {
  readonly code: LimitCode;
  readonly dataset?: string;
  readonly seconds: number;
}

/** Slots are empty below this part of them; between two batches each stands empty for a moment. */
export const FULL = 0.75;
/** Slices that wait for a worker, in the mean; below it they are just being handed over. */
const WAITING = 0.5;

/** Of datasets that were never measured, a partition counts as the mean of the others. */
export function slotSeconds(datasets: readonly DatasetFacts[]): ReadonlyMap<string, number> {
  const measured = datasets.filter(({ partitionMs }) => partitionMs !== null);
  const usual = measured.reduce((sum, { partitionMs }) => sum + (partitionMs ?? 0), 0) / Math.max(1, measured.length);
  return new Map(
    datasets.map(({ name, remaining, partitionMs }) => [name, (remaining * (partitionMs ?? usual)) / 1000]),
  );
}

/** What can hold it back, the longest first. */
export function boundsOf(facts: Facts): Bound[] {
  const left = slotSeconds(facts.datasets);
  const work = [...left.values()].reduce((sum, one) => sum + one, 0);
  const { slots, maxParallel, rate, atWork, batchesPerSecond, cpu } = facts;
  const cores = facts.cores ?? Math.max(1, cpu.ours + cpu.others);
  const bounds: Bound[] = [
    ...(slots === null ? [] : [{ code: 'slots' as const, seconds: work / Math.max(1, slots - facts.others) }]),
    ...(maxParallel === null ? [] : [{ code: 'max_parallel' as const, seconds: work / maxParallel }]),
    ...(atWork === 0
      ? []
      : [{ code: 'cpu' as const, seconds: (work * cpu.ours) / atWork / Math.max(0.5, cores - cpu.others) }]),
    ...(rate === null || rate === 0 || atWork === 0
      ? []
      : [{ code: 'rate' as const, seconds: (work * batchesPerSecond) / atWork / rate }]),
    ...(lacksWorkers(facts) ? [{ code: 'workers' as const, seconds: work / atWork }] : []),
    ...facts.datasets
      .filter(({ inOrder }) => inOrder !== null)
      .map(({ name, remaining, gapMs }) => {
        const seconds = (left.get(name) ?? 0) + (remaining * gapMs) / 1000;
        return { code: 'in_order' as const, dataset: name, seconds };
      }),
    ...poolBounds(facts.datasets, left),
  ];
  return bounds.sort((a, b) => b.seconds - a.seconds);
}

/** A rate makes slices wait by design. */
function lacksWorkers({ queued, atWork, others, slots, maxParallel, rate }: Facts): boolean {
  const may = Math.min(slots ?? Infinity, (maxParallel ?? Infinity) + others);
  return rate === null && queued > WAITING && atWork > 0 && atWork + others < FULL * may;
}

function poolBounds(datasets: readonly DatasetFacts[], left: ReadonlyMap<string, number>): Bound[] {
  const pools = new Map<string, { seconds: number; dataset: string }>();
  for (const { name, pool } of datasets) {
    if (!pool || pool.slots === 0) continue;
    const before = pools.get(pool.name);
    const seconds = (before?.seconds ?? 0) + (left.get(name) ?? 0) / pool.slots;
    pools.set(pool.name, { seconds, dataset: before?.dataset ?? name });
  }
  return [...pools.values()].map(({ seconds, dataset }) => ({ code: 'pool', dataset, seconds }));
}
