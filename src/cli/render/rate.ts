/**
 * How fast a backfill goes and how long it may take, from the statuses seen so far. A `RateMeter` is a value: each new status
 * gives a new one. It forgets all when the backfill stops running, so that a pause does not count as slowness.
 */
import type { BackfillStatus } from '../../contracts/status.js';
import { formatDuration } from './format.js';

interface Sample {
  readonly atMs: number;
  /** Partitions with which nothing is left to do. */
  readonly settled: number;
  readonly done: number;
  readonly doneBy: ReadonlyMap<string, number>;
}

export interface RateMeter {
  /** Ascending by time: one a second for the last minute, before it one each 10 s, for 20 minutes: at most 60 + 120. */
  readonly samples: readonly Sample[];
}

export const NO_RATE: RateMeter = { samples: [] };

const FINE_MS = 60_000;
const COARSE_STEP_MS = 10_000;
const KEPT_MS = 20 * 60_000;
/** A rate looks back this long, or further until it has seen enough partitions to mean something. */
const WINDOW_MS = 15_000;
const WINDOW_PARTITIONS = 5;
/** Before this the time left is not known. */
const ETA_MS = 10_000;
const ETA_PARTITIONS = 10;

/** The meter after one more status; one that is older than the last is ignored. */
export function metered(meter: RateMeter, status: BackfillStatus, atMs: number): RateMeter {
  const sample = sampleOf(status, atMs);
  const last = meter.samples.at(-1);
  if (last === undefined || status.state !== 'running' || sample.settled < last.settled) return { samples: [sample] };
  if (atMs <= last.atMs) return meter;
  const lastButOne = meter.samples.at(-2);
  const replaces = lastButOne !== undefined && last.atMs - lastButOne.atMs < 1000;
  return { samples: thinned([...(replaces ? meter.samples.slice(0, -1) : meter.samples), sample], atMs) };
}

function sampleOf({ partitions, datasets }: BackfillStatus, atMs: number): Sample {
  const { done, failed, blocked, skipped } = partitions;
  return {
    atMs,
    done,
    settled: done + failed + blocked + skipped,
    doneBy: new Map(datasets.map((one) => [one.name, one.done])),
  };
}

function thinned(samples: readonly Sample[], now: number): Sample[] {
  const step = (sample: Sample): number => Math.floor(sample.atMs / COARSE_STEP_MS);
  return samples.filter((sample, index) => {
    const age = now - sample.atMs;
    const previous = samples[index - 1];
    return age <= FINE_MS || (age <= KEPT_MS && (previous === undefined || step(previous) !== step(sample)));
  });
}

/** Partitions done per second lately, of one dataset or of all; undefined until two statuses a second apart were seen. */
export function rateOf({ samples }: RateMeter, dataset?: string): number | undefined {
  const last = samples.at(-1);
  if (last === undefined) return undefined;
  const doneAt = (sample: Sample): number | undefined =>
    dataset === undefined ? sample.done : sample.doneBy.get(dataset);
  const done = doneAt(last);
  if (done === undefined) return undefined;
  const enough = samples.findLast(
    (sample) => last.atMs - sample.atMs >= WINDOW_MS && done - (doneAt(sample) ?? 0) >= WINDOW_PARTITIONS,
  );
  const first = enough ?? samples.find((sample) => doneAt(sample) !== undefined);
  if (first === undefined || last.atMs - first.atMs < 1000) return undefined;
  return (1000 * Math.max(0, done - (doneAt(first) ?? 0))) / (last.atMs - first.atMs);
}

export interface TimeLeft {
  readonly lowMs: number;
  /** Undefined: it stood still for part of the time, no upper end can be told. */
  readonly highMs?: number;
}

/**
 * How long the rest may take: by the fastest and by the slowest quarter of what was seen, and at least a tenth to each side.
 * Undefined while too little was seen, and when it does not run.
 */
export function timeLeft({ samples }: RateMeter, { state, partitions }: BackfillStatus): TimeLeft | undefined {
  const [first, last] = [samples[0], samples.at(-1)];
  if (state !== 'running' || first === undefined || last === undefined) return undefined;
  const left = partitions.total - last.settled;
  const [seenMs, seen] = [last.atMs - first.atMs, last.settled - first.settled];
  if (left <= 0 || seenMs < ETA_MS || seen < ETA_PARTITIONS) return undefined;
  const rates = quarterRates(samples, first, seenMs);
  const meanMs = (left * seenMs) / seen;
  const lowMs = Math.min(0.9 * meanMs, left / Math.max(...rates));
  const slowest = Math.min(...rates);
  return slowest > 0 ? { lowMs, highMs: Math.max(1.1 * meanMs, left / slowest) } : { lowMs };
}

/** Partitions per ms in each quarter of the time seen; fewer quarters where there are too few samples. */
function quarterRates(samples: readonly Sample[], first: Sample, seenMs: number): number[] {
  const corners = [0, 0.25, 0.5, 0.75, 1].map(
    (part) => samples.findLast(({ atMs }) => atMs <= first.atMs + part * seenMs) ?? first,
  );
  return corners.slice(1).flatMap((to, index) => {
    const from = corners[index] ?? first;
    return to.atMs > from.atMs ? [(to.settled - from.settled) / (to.atMs - from.atMs)] : [];
  });
}

/** `about 2m to 3m left`, `at least 40s left`, `time left not known yet`. */
export function formatTimeLeft(left: TimeLeft | undefined): string {
  if (left === undefined) return 'time left not known yet';
  const low = rounded(left.lowMs);
  if (left.highMs === undefined) return `at least ${low} left`;
  const high = rounded(left.highMs);
  return low === high ? `about ${low} left` : `about ${low} to ${high} left`;
}

/** A guess does not deserve seconds: to 5 s below a minute, to minutes below an hour, then to 10 minutes. */
function rounded(ms: number): string {
  const step = ms < 60_000 ? 5_000 : ms < 3_600_000 ? 60_000 : 600_000;
  return formatDuration(Math.max(step, Math.round(ms / step) * step)).replace(/ 00[smh]$/, '');
}
