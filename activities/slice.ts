import { Context } from '@temporalio/activity';
import type { StoredDataset } from '../src/contracts/plan.js';
import type { CallBegun } from '../src/contracts/call.js';
import { SliceInput, type BatchDone, type SliceFailure, type SliceResult } from '../src/contracts/slice.js';
import { stretchesWithout } from '../src/core/slice/stretches.js';
import { faultOf } from '../src/postgres/error.js';
import { inOneFlight } from '../src/postgres/pipeline.js';
import { giveTurn } from '../src/warehouse/postgres/gate.js';
import { ledgerOf, type BatchInLedger } from '../src/warehouse/postgres/ledger.js';
import { FencedError, type Published } from '../src/warehouse/postgres/publish.js';
import { dropLease, takeLease } from '../src/warehouse/postgres/lease.js';
import { publishBatch, type Batch, type BatchStaging } from './batch.js';
import { beginCall } from './call.js';
import { UnansweredError, waitsFor } from './connecting.js';
import type { SliceDeps } from './deps.js';
import { slotsFor } from './load-dataset.js';
import { faultOfBatch, isKeyTaken, keepFailure } from './failure.js';
import type { MetricScope } from './metrics.js';
import { failedInterval, intervalsOf } from './ordinals.js';
import { openSession, type Session } from './session.js';
import { createStager } from './stager.js';
import { slotsOfPool, takeTurn, YieldError } from './turn.js';

/** How often a running slice tells Temporal that it lives; the proxies' heartbeat time-out is a multiple of it. */
const HEARTBEAT_MS = 1_000;

/** Activities of the rate-limited slice queue: nothing else runs there. */
export function createSliceActivities(deps: SliceDeps): SliceActivities {
  return {
    runSlice: (input) => beating(() => runSlice(deps, SliceInput.parse(input))),
    beginCall: (input) => beating(() => beginCall(deps, SliceInput.parse(input))),
  };
}

export interface SliceActivities {
  /** Publishes the batches of one slice, one transaction each, and says what became of every one that it began. */
  runSlice: (input: SliceInput) => Promise<SliceResult>;
  /** Takes the turn of a slice that is a call, and says what to call. */
  beginCall: (input: SliceInput) => Promise<CallBegun>;
}

async function beating<T>(work: () => Promise<T>): Promise<T> {
  const context = Context.current();
  const heartbeat = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
  }
}

async function runSlice(deps: SliceDeps, input: SliceInput): Promise<SliceResult> {
  const began = Date.now();
  const waitedMs = Math.max(0, began - Context.current().info.currentAttemptScheduledTimestampMs);
  const none = { done: [], failed: [], rateLimited: false, slots: null };
  const result = await inSession(deps, input).catch((error: unknown) => {
    if (error instanceof UnansweredError) return { ...none, ...waitsFor(error) };
    throw error;
  });
  return { ...result, waitedMs, ranMs: Date.now() - began };
}

type Outcomes = Omit<SliceResult, 'waitedMs' | 'ranMs'>;

async function inSession(deps: SliceDeps, input: SliceInput): Promise<Outcomes> {
  const { info, cancellationSignal: signal } = Context.current();
  const { head, dataset } = await deps.planDataset(input.plan, input.dataset);
  const who = { ...input, attempt: info.attempt };
  const session = openSession(deps, who, dataset, signal);
  try {
    const stagingOf = createStager({ deps, who, dataset, session, batches: input.batches, signal });
    return await carryOut({ deps, input, who, dataset, overwrite: head.overwrite, session, stagingOf });
  } finally {
    await session.close();
  }
}

interface Slice {
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
type Outcome = BatchDone | SliceFailure | 'key_taken';

async function carryOut(slice: Slice): Promise<Outcomes> {
  const { who, dataset, input, session } = slice;
  const done: BatchDone[] = [];
  const failed: SliceFailure[] = [];
  const result: Limits & Pick<SliceResult, 'done' | 'failed'> = { done, failed, rateLimited: false, slots: null };
  let begun = 0;
  try {
    await takeLease(await session.warehouse(), who, dataset.name, input.batches);
    // With the lease taken, nobody else adds to what this execution has published.
    const partitions = input.batches.flatMap((span) => intervalsOf(dataset, span));
    const ledger = await ledgerOf(await session.warehouse(), who, dataset, partitions);
    for (const span of input.batches) {
      let outcome: Outcome = 'key_taken';
      // The quick way first: straight into the table. It fails where another partition holds a key, and its connections with it.
      for (const staged of dataset.publish === 'merge' || dataset.enforcesKey ? [true] : [false, true]) {
        if (outcome !== 'key_taken') break;
        if (session.cancelled()) return { ...result, yielded: 'cancelled' };
        outcome = await runBatch(slice, span, ledger, staged, result);
      }
      begun++;
      if (outcome === 'key_taken') throw new Error('a staged batch cannot find its keys taken');
      if (!('code' in outcome)) done.push(outcome);
      else {
        failed.push(outcome);
        // What follows reads what failed.
        if (readsItself(dataset)) break;
      }
    }
    const warehouse = await session.warehouse();
    // Whoever waits for the turn need not wait for the rest of our farewell.
    await inOneFlight(warehouse, [() => giveTurn(warehouse), () => dropLease(warehouse, who, dataset.name)]);
    return { ...result, yielded: null };
  } catch (error) {
    if (error instanceof YieldError) {
      if (error.kind === 'fenced') logOf(slice).info('fenced: the backfill has ended');
      const held = error.why === null ? {} : { held: error.why };
      const rest = error.restMs === undefined ? {} : { restMs: error.restMs };
      return { ...result, ...held, ...rest, yielded: error.kind === 'full' ? 'gate' : error.kind };
    }
    // Whatever was held goes with the connections: a turn must not go back into the pool with one of them.
    session.abandon();
    if (error instanceof UnansweredError) return { ...result, ...waitsFor(error) };
    if (error instanceof FencedError) {
      logOf(slice).info(`fenced: ${error.message}`);
      return { ...result, yielded: 'fenced' };
    }
    if (session.cancelled()) return { ...result, yielded: 'cancelled' };
    // No connection, no lease, no turn: the batches that were not begun fail together, and the workflow decides what next.
    const fault = faultOf(error, 'warehouse');
    const rest = input.batches.slice(begun).map((span) => ({ span, ...fault, ...failedInterval(dataset, span) }));
    for (const { class: kind } of rest) slice.deps.metrics.failed(scopeOf(slice), kind);
    return { ...result, failed: [...failed, ...rest], yielded: null };
  }
}

/** What the gate says of the databases, for the workflow to know. */
type Limits = Pick<SliceResult, 'rateLimited' | 'slots' | 'instead'>;

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

async function runBatch(
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
    const fault = faultOfBatch(error, dataset);
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
  return publishBatch({ ...batch, who: reader, dataset, lo: span[0], partitions, overwrite }, warehouse, source);
}

function readsItself({ name, edges }: StoredDataset): boolean {
  return edges.some(({ upstream }) => upstream === name);
}

function logOf({ deps, who, dataset }: Slice): SliceDeps['log'] {
  const { backfillId, slice, attempt } = who;
  return deps.log.child({ backfill: backfillId, dataset: dataset.name, slice, attempt });
}

function scopeOf({ who, dataset }: Slice): MetricScope {
  return { project: who.project, environment: who.environment, dataset: dataset.name };
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
