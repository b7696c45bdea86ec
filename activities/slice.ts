import { Context } from '@temporalio/activity';
import type { CallBegun } from '../src/contracts/call.js';
import { readsItself, type StoredDataset } from '../src/contracts/plan.js';
import { SliceInput, type BatchDone, type SliceFailure, type SliceResult } from '../src/contracts/slice.js';
import { faultOf, sideOf } from '../src/postgres/error.js';
import { inOneFlight } from '../src/postgres/pipeline.js';
import { giveTurn } from '../src/warehouse/postgres/gate.js';
import { dropLease, takeLease } from '../src/warehouse/postgres/lease.js';
import { ledgerOf } from '../src/warehouse/postgres/ledger.js';
import { FencedError } from '../src/warehouse/postgres/publish.js';
import { beginCall } from './call.js';
import { UnansweredError, waitsFor } from './connecting.js';
import type { SliceDeps } from './deps.js';
import { failedInterval, intervalsOf } from './ordinals.js';
import { logOf, runBatch, scopeOf, type Limits, type Outcome, type Slice } from './run-batch.js';
import { openSession } from './session.js';
import { createStager } from './stager.js';
import { YieldError } from './turn.js';

/** How often a running slice tells Temporal that it lives; the proxies' heartbeat time-out is a multiple of it. */
const HEARTBEAT_MS = 1_000;

/** Activities of the rate-limited slice queue: nothing else runs there. */
export function createSliceActivities(deps: SliceDeps): SliceActivities {
  return {
    runSlice: (input) => beating(deps, SliceInput.parse(input), () => runSlice(deps, SliceInput.parse(input))),
    beginCall: (input) => beating(deps, SliceInput.parse(input), () => beginCall(deps, SliceInput.parse(input))),
  };
}

export interface SliceActivities {
  /** Publishes the batches of one slice, one transaction each, and says what became of every one that it began. */
  runSlice: (input: SliceInput) => Promise<SliceResult>;
  /** Takes the turn of a slice that is a call, and says what to call. */
  beginCall: (input: SliceInput) => Promise<CallBegun>;
}

/** Temporal shows the details of a heartbeat among *Pending Activities*: which partitions are at work. */
async function beating<T>(deps: SliceDeps, input: SliceInput, work: () => Promise<T>): Promise<T> {
  const context = Context.current();
  let details: string | undefined;
  deps.planDataset(input.plan, input.dataset).then(
    ({ dataset }) => {
      details = atWork(dataset, input);
      context.heartbeat(details);
    },
    // The work itself says so.
    () => undefined,
  );
  const heartbeat = setInterval(() => {
    context.heartbeat(details);
  }, HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
  }
}

/** `orders_day 2024-03-01T00:00:00Z … 2024-03-05T00:00:00Z`. */
function atWork(dataset: StoredDataset, { batches }: SliceInput): string {
  const span = [Math.min(...batches.map(([lo]) => lo)), Math.max(...batches.map(([, hi]) => hi))] as const;
  const { start, end } = failedInterval(dataset, span);
  return `${dataset.name} ${start} … ${end}`;
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
    const fault = faultOf(error, sideOf(error));
    const rest = input.batches.slice(begun).map((span) => ({ span, ...fault, ...failedInterval(dataset, span) }));
    for (const { class: kind } of rest) slice.deps.metrics.failed(scopeOf(slice), kind);
    return { ...result, failed: [...failed, ...rest], yielded: null };
  }
}
