import type { DatasetStatus, Failure } from '../contracts/status.js';
import { typedIn } from '../contracts/typed.js';
import { parseInstant, type Interval } from '../core/interval/interval.js';
import { contains } from '../core/interval/set.js';
import type { Cause, HeldInterval, Verdict } from './why-types.js';
import type { WhyDataset } from './why-inputs.js';
import { sentence, spaced } from './why-words.js';

/** How a partition stands that a running backfill holds: by that backfill's own status, and by what it reads. */
export function heldVerdict(
  dataset: WhyDataset,
  partition: Interval,
  holder: HeldInterval,
  reads: string,
  inputs: readonly Cause[],
  { environment, failedAt }: { readonly environment: string; readonly failedAt: string | undefined },
): Verdict {
  const { backfillId, status } = holder;
  const typed = (verb: string, more = ''): string => typedIn(environment, `sluice ${verb} ${backfillId}${more}`);
  if (!status) {
    return {
      state: 'waiting',
      cause: `Backfill ${backfillId} holds it, and nobody says how that stands: Temporal or its workers do not answer.${spaced(reads)}`,
      next: typed('status'),
      inputs,
    };
  }
  const own = status.datasets.find(({ name }) => name === dataset.name);
  const failed = failedVerdict(dataset, partition, holder, failedAt, environment);
  if (failed) return { ...failed, inputs };
  if (inputs.some(({ state }) => state === 'failed' || state === 'blocked'))
    return { state: 'blocked', cause: `In backfill ${backfillId} it cannot go on.${spaced(reads)}`, inputs };
  if (status.state === 'paused')
    return {
      state: 'paused',
      cause: `Backfill ${backfillId} is paused: ${sentence(status.reason)}${spaced(reads)}`,
      next: typed('resume'),
      inputs,
    };
  if (status.state === 'held')
    return {
      state: 'held',
      cause: `Backfill ${backfillId} is held: ${sentence(status.reason)}${spaced(reads)}`,
      next: typed('retry'),
      inputs,
    };
  if (reads !== '')
    return { state: 'waiting', cause: `In backfill ${backfillId} it waits for its inputs. ${reads}`, inputs };
  return {
    state: own !== undefined && own.running > 0 ? 'running' : 'waiting',
    cause: `Its inputs are there; in backfill ${backfillId} ${progress(dataset.name, own)}`,
    next: typed('watch'),
    inputs,
  };
}

/** A failure that a backfill which goes on, or is held, has had here; undefined where it has none. */
export function failedVerdict(
  { name }: Pick<WhyDataset, 'name'>,
  partition: Interval,
  { backfillId, status }: HeldInterval,
  failedAt: string | undefined,
  environment: string,
): Omit<Verdict, 'inputs'> | undefined {
  const own = status?.datasets.find((one) => one.name === name);
  const failure = own?.failures.find((one) => contains([intervalOf(one)], partition));
  if (!status || !failure) return undefined;
  const attempts = failure.attempts === 1 ? '1 attempt' : `${failure.attempts} attempts`;
  const since = failedAt === undefined ? '' : ` at ${failedAt.slice(0, 19)}Z`;
  const held =
    status.state === 'held'
      ? ` The backfill is held${status.waiting ? ` since ${status.waiting.since.slice(0, 19)}Z` : ''}.`
      : '';
  return {
    state: 'failed',
    cause: `It failed in backfill ${backfillId}${since} after ${attempts}: ${failure.code}: ${sentence(failure.message)}${held}`,
    next: typedIn(environment, `sluice retry ${backfillId} ${name}`),
  };
}

function progress(name: string, own: DatasetStatus | undefined): string {
  if (!own) return 'its turn has not come.';
  const counts = `${own.done} of ${own.total} partitions of ${name} are done`;
  return own.running > 0
    ? `it is at work or next: ${counts}.`
    : `its turn has not come: ${counts}${own.waitingFor === undefined ? '' : `, ${name} waits for ${own.waitingFor}`}.`;
}

function intervalOf({ start, end }: Failure): Interval {
  return { start: parseInstant(start), end: parseInstant(end) };
}
