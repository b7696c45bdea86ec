import type { Priority } from '@temporalio/common';
import { ActivityFailure, ApplicationFailure, CancellationScope, TimeoutFailure } from '@temporalio/workflow';
import type { CallBegun, CallEnd, CallOrder } from '../src/contracts/call.js';
import type { SliceInput, SliceResult } from '../src/contracts/slice.js';
import { MESSAGE_MAX } from '../src/core/fault.js';
import type { DatasetInput } from './carry.js';
import { callOf, lastingControlOf, sliceOf } from './proxies.js';
import { lackWorker } from './lacks.js';
import type { DatasetState } from './state.js';

/**
 * A slice that is a call: asks for its turn, has the user's activity run, and writes down what came of it. What the activity returns is
 * ignored. A call that was made is written down also when all of it is being cancelled: it has happened.
 */
export async function runCall(
  input: DatasetInput,
  state: DatasetState,
  order: SliceInput,
  { summary, priority }: { readonly summary: string; readonly priority: Priority },
): Promise<SliceResult> {
  const begun = await sliceOf(input.ref, input.warehouse, priority).beginCall.executeWithOptions({ summary }, [order]);
  const { call } = begun;
  lackWorker(state, begun.lacks);
  if (!call) return begun;
  const began = Date.now();
  const outcome = await outcomeOf(call, () => callOf(call, summary, priority));
  if (outcome.kind === 'unbegun') lackWorker(state, call);
  const end: CallEnd = { ...order, attempt: call.attempt, outcome };
  const { fenced } = await CancellationScope.nonCancellable(() => lastingControlOf(input.ref).endCall(end));
  return { ...resultOf(order, begun, outcome, Date.now() - began), ...(fenced ? { yielded: 'fenced' as const } : {}) };
}

function resultOf({ batches }: SliceInput, begun: CallBegun, outcome: CallEnd['outcome'], ranMs: number): SliceResult {
  const result = { ...begun, ranMs };
  switch (outcome.kind) {
    case 'done':
      return { ...result, done: batches.map((span) => ({ span, rows: 0, ms: ranMs, skipped: false })) };
    case 'unbegun':
      return { ...result, yielded: 'no_worker' };
    case 'failed': {
      const { code, class: kind, message } = outcome;
      return { ...result, failed: batches.map((span) => ({ span, code, class: kind, message, start: '', end: '' })) };
    }
  }
}

/** @throws what cancelled it: then nobody knows how far it came, and it counts as not made */
async function outcomeOf(call: CallOrder, make: () => Promise<unknown>): Promise<CallEnd['outcome']> {
  try {
    await make();
    return { kind: 'done', digest: call.input.idempotencyKey };
  } catch (error) {
    if (!(error instanceof ActivityFailure) || CancellationScope.current().consideredCancelled) throw error;
    const { cause } = error;
    if (cause instanceof TimeoutFailure) return timedOut(cause.timeoutType, call);
    const known = cause instanceof ApplicationFailure ? cause : undefined;
    return {
      kind: 'failed',
      code: (known?.type ?? 'call_failed').slice(0, 100),
      class: known?.nonRetryable === true ? 'poison' : 'transient',
      message: (cause?.message ?? error.message).slice(0, MESSAGE_MAX),
    };
  }
}

function timedOut(
  type: TimeoutFailure['timeoutType'],
  { activity, timeoutMs, heartbeatMs = 0 }: CallOrder,
): CallEnd['outcome'] {
  if (type === 'SCHEDULE_TO_START') return { kind: 'unbegun' };
  const silent = type === 'HEARTBEAT';
  return {
    kind: 'failed',
    code: silent ? 'worker_lost' : 'call_timeout',
    class: 'transient',
    message: silent
      ? `${activity} was silent for ${heartbeatMs / 1000} s: its worker is gone, or it does not heartbeat`
      : `${activity} did not end within ${timeoutMs / 1000} s`,
  };
}
