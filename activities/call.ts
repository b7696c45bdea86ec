import { createHash } from 'node:crypto';
import { Context } from '@temporalio/activity';
import type { CallBegun, CallInput, CallOrder } from '../src/contracts/call.js';
import type { CallSpec, StoredDataset } from '../src/contracts/plan.js';
import type { SliceInput, SliceResult } from '../src/contracts/slice.js';
import { faultOf } from '../src/postgres/error.js';
import { sqlInstant } from '../src/store/ledger.js';
import { holdTurn } from '../src/warehouse/postgres/call.js';
import { takeLease } from '../src/warehouse/postgres/lease.js';
import { ledgerOf } from '../src/warehouse/postgres/ledger.js';
import { FencedError, type Publisher } from '../src/warehouse/postgres/publish.js';
import type { SliceDeps } from './deps.js';
import { failedInterval, intervalOf } from './ordinals.js';
import { openSession, type Session } from './session.js';
import { takeTurn } from './turn.js';

/** How long a call may wait for a worker to take it; then it is given back, and said. */
export const TAKEN_WITHIN_MS = 30_000;
/** For what comes between the end of a call and its ledger row. */
const GRACE_MS = 60_000;

/**
 * The first half of a call: lease, ledger and gate, as for a slice. The turn outlives this activity and its connection, so it is a row
 * (`sluice.calls`), which goes with the lease, and counts no longer than the call can last.
 */
export async function beginCall(deps: SliceDeps, input: SliceInput): Promise<CallBegun> {
  const { info, cancellationSignal } = Context.current();
  const { dataset } = await deps.planDataset(input.plan, input.dataset);
  const { spec } = dataset;
  if (spec.kind !== 'call') throw new Error(`${dataset.name} is no call`);
  const began = Date.now();
  const waitedMs = Math.max(0, began - info.currentAttemptScheduledTimestampMs);
  const rest = { done: [], failed: [], yielded: null, rateLimited: false, slots: null, waitedMs, ranMs: 0 };
  const none = { ...rest, call: null, lacks: null };
  if (!(await deps.isPolled(spec.taskQueue)))
    return { ...none, yielded: 'no_worker', lacks: { activity: spec.activity, taskQueue: spec.taskQueue } };
  const who = { ...input, attempt: info.attempt };
  const session = openSession(deps, who, dataset, cancellationSignal);
  try {
    return { ...none, ...(await askFor(deps, { input, who, dataset, spec, session })) };
  } catch (error) {
    session.abandon();
    if (error instanceof FencedError) return { ...none, yielded: 'fenced' };
    if (session.cancelled()) return { ...none, yielded: 'cancelled' };
    const fault = faultOf(error, 'warehouse');
    const failed = input.batches.map((span) => ({ span, ...fault, ...failedInterval(dataset, span) }));
    return { ...none, failed };
  } finally {
    await session.close();
  }
}

interface Asked {
  readonly input: SliceInput;
  readonly who: Publisher;
  readonly dataset: StoredDataset;
  readonly spec: CallSpec;
  readonly session: Session;
}

async function askFor(
  deps: SliceDeps,
  { input, who, dataset, spec, session }: Asked,
): Promise<Partial<SliceResult> & { call?: CallOrder }> {
  const [span, ...others] = input.batches;
  if (!span || others.length > 0 || span[1] - span[0] !== 1)
    throw new Error(`a call of ${dataset.name} is for one partition`);
  const client = await session.warehouse();
  await takeLease(client, who, dataset.name, [span]);
  const { start, end } = intervalOf(dataset, span[0]);
  const { ours } = await ledgerOf(client, who, dataset, [{ start: sqlInstant(start), end: sqlInstant(end) }]);
  if (ours.size > 0) return { done: [{ span, rows: 0, ms: 0, skipped: true }] };
  const turn = await takeTurn(deps, who, dataset, session, input.held === true);
  const limits = { slots: turn.slots, rateLimited: turn.rate !== null };
  if (turn.kind !== 'go') {
    const held = turn.why === null ? {} : { held: turn.why };
    return { ...limits, ...held, yielded: turn.kind === 'full' ? 'gate' : turn.kind };
  }
  const untilMs = TAKEN_WITHIN_MS + spec.timeoutMs + GRACE_MS;
  if (!(await holdTurn(client, who, dataset.name, span[0], turn, untilMs))) return { ...limits, yielded: 'gate' };
  const { activity, taskQueue, timeoutMs, heartbeatMs } = spec;
  const call: CallOrder = {
    activity,
    taskQueue,
    timeoutMs,
    ...(heartbeatMs === undefined ? {} : { heartbeatMs }),
    attempt: who.attempt,
    input: inputOf(input, dataset, spec, { start: sqlInstant(start), end: sqlInstant(end) }),
  };
  return { ...limits, call };
}

function inputOf(
  { project, environment, backfillId }: SliceInput,
  { name, version }: StoredDataset,
  { window }: CallSpec,
  partition: { readonly start: string; readonly end: string },
): CallInput {
  const { start, end } = window ?? partition;
  const names = [project, environment, name, partition.start, partition.end, version, backfillId];
  return {
    dataset: name,
    interval: { start: start.replace('.000Z', 'Z'), end: end.replace('.000Z', 'Z') },
    environment,
    backfill: backfillId,
    version,
    idempotencyKey: createHash('sha256').update(JSON.stringify(names)).digest('hex').slice(0, 32),
  };
}
