import { readsItself, type StoredDataset } from '../src/contracts/plan.js';
import type { BatchDone, SliceFailure, SliceInput, SliceResult } from '../src/contracts/slice.js';
import { stretchesWithout } from '../src/core/slice/stretches.js';
import type { BatchInLedger } from '../src/warehouse/postgres/ledger.js';
import { FencedError, type Published } from '../src/warehouse/postgres/publish.js';
import type { Yields } from '../src/warehouse/postgres/moves.js';
import { yieldsOf } from './yields.js';
import { publishBatch, type Batch, type BatchStaging } from './batch.js';
import { UnansweredError } from './connecting.js';
import type { SliceDeps } from './deps.js';
import { faultOfBatch, isKeyTaken, keepFailure } from './failure.js';
import { slotsFor } from './load-dataset.js';
import type { MetricScope } from './metrics.js';
import { failedInterval, intervalsOf } from './ordinals.js';
import type { Session } from './session.js';
import { slotsOfPool, takeTurn, YieldError } from './turn.js';

/** An attempt at a slice, with its sessions. */
export interface Slice {
  readonly deps: SliceDeps;
  readonly input: SliceInput;
  readonly who: Batch['who'];
  readonly dataset: StoredDataset;
  readonly overwrite: boolean;
  readonly session: Session;
  /** Where a batch's rows wait that are not read by the batch itself. */
  readonly stagingOf: (span: readonly [number, number]) => Promise<BatchStaging | null>;
}

/** `key_taken`: nothing is published, and the batch must go through the staging table. */
export type Outcome = BatchDone | SliceFailure | 'key_taken';

/** What the gate says of the databases, for the workflow to know. */
export type Limits = Pick<SliceResult, 'rateLimited' | 'slots' | 'instead'>;

/** @returns how long it took, in ms. @throws YieldError */
async function waitForTurn(slice: Slice, limits: Limits): Promise<number> {
  const asked = performance.now();
  const turn = await takeTurn(slice.deps, slice.who, slice.dataset, slice.session, slice.input.held === true);
  const ms = performance.now() - asked;
  slice.deps.metrics.waited(scopeOf(slice), ms / 1000);
  limits.rateLimited = turn.rate !== null;
  const pool = slotsOfPool(slice.deps, slice.dataset);
  limits.slots = slotsFor(slice.dataset, pool === null ? turn.slots : Math.min(pool, turn.slots ?? pool));
  if (turn.kind !== 'go') throw new YieldError(turn.kind, turn.why, turn.restMs);
  return ms;
}

/**
 * Publishes what is left of a batch, each stretch in its turn.
 * @param staged - through the staging table, not straight into the table
 * @throws YieldError, FencedError, UnansweredError; any other failure is its outcome
 */
export async function runBatch(
  slice: Slice,
  span: readonly [number, number],
  { ours, known }: BatchInLedger,
  staged: boolean,
  limits: Limits,
): Promise<Outcome> {
  const { who, dataset, session, deps } = slice;
  const partitions = intervalsOf(dataset, span);
  const log = logOf(slice).child({ start: partitions[0]?.start, end: partitions.at(-1)?.end });
  const rowsOf = (): number => sum(partitions.map(({ start }) => ours.get(start) ?? 0));
  const left = stretchesWithout(ours, partitions);
  if (left.length === 0) {
    log.debug('published before');
    return { span: [...span], rows: rowsOf(), ms: 0, skipped: true };
  }
  let began = performance.now();
  let waited = 0;
  const ms = (): number => Math.round(performance.now() - began - waited);
  try {
    const staging = await slice.stagingOf(span);
    // What was read for all partitions is not what this batch costs.
    if (staging?.shared === true) began = performance.now();
    for (const stretch of left) {
      waited += await waitForTurn(slice, limits);
      const published = await publishStretch(slice, { span, known, staged, staging }, stretch, limits);
      for (const { start, rows } of published) ours.set(start, rows);
      const rows = sum(published.map((one) => one.rows));
      deps.metrics.published(scopeOf(slice), { partitions: published.length, rows, seconds: ms() / 1000 });
      log.debug({ rows, ms: ms() }, 'published');
    }
    return { span: [...span], rows: rowsOf(), ms: ms(), skipped: false };
  } catch (error) {
    if (error instanceof YieldError) throw error;
    session.abandon();
    if (error instanceof FencedError || error instanceof UnansweredError || session.cancelled()) throw error;
    // Partitions that read one another can't wait in the staging table together: as poison they come back one by one.
    const alone = partitions.length === 1 || !readsItself(dataset);
    if (!staged && alone && isKeyTaken(error, dataset)) {
      log.debug('a key is taken: through the staging table');
      return 'key_taken';
    }
    const fault = faultOfBatch(error, dataset, who, partitions);
    if (fault.class === 'fenced') throw new FencedError(fault.message);
    log.warn({ code: fault.code, class: fault.class, ms: ms() }, fault.message);
    deps.metrics.failed(scopeOf(slice), fault.class);
    await keepFailure(deps, who, dataset, partitions, fault, error);
    return { span: [...span], ...fault, ...failedInterval(dataset, span) };
  }
}

/** Publishes adjacent partitions of a batch, with the turn taken. */
async function publishStretch(
  { who, dataset, session, overwrite }: Slice,
  { span, ...batch }: Pick<Batch, 'known' | 'staged' | 'staging'> & { readonly span: readonly [number, number] },
  partitions: Batch['partitions'],
  limits: Limits,
): Promise<readonly Published[]> {
  const warehouse = await session.warehouse();
  const source =
    dataset.spec.kind === 'extract' && !batch.staging ? await session.source(dataset.spec.connection) : null;
  const alternate = source && session.alternate();
  if (alternate) limits.instead = alternate.words;
  const reader = alternate ? { ...who, readFrom: alternate.connection } : who;
  const yields = (client: typeof warehouse): Yields => yieldsOf(dataset, client, session.source);
  return publishBatch(
    { ...batch, who: reader, dataset, lo: span[0], partitions, overwrite, yields },
    warehouse,
    source,
  );
}

export function logOf({ deps, who, dataset }: Slice): SliceDeps['log'] {
  const { backfillId, slice, attempt } = who;
  return deps.log.child({ backfill: backfillId, dataset: dataset.name, slice, attempt });
}

export function scopeOf({ who, dataset }: Slice): MetricScope {
  return { project: who.project, environment: who.environment, dataset: dataset.name };
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
