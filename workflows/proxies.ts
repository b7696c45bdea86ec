import type { Duration, Priority } from '@temporalio/common';
import { ActivityCancellationType, proxyActivities, scheduleActivity } from '@temporalio/workflow';
import type { ControlActivities, SliceActivities } from '../activities/index.js';
import type { CallOrder } from '../src/contracts/call.js';
import { scopeName } from '../src/contracts/scope.js';

/** `<project>`, or `<project>@<environment>`: what queues and ids are divided by. */
export function scopeOf(ref: { project: string; environment: string }): string {
  return scopeName(ref.project, ref.environment);
}

/**
 * Control that a person waits for: planning prepares every statement of a project, which for a thousand datasets takes minutes. Temporal
 * retries what is not the request's fault for about a minute; then the person is told.
 */
export function controlOf(ref: { project: string; environment: string }, takenUpWithin?: Duration): ControlActivities {
  return controlProxy(ref, { maximumAttempts: 8 }, takenUpWithin);
}

/** Control that nobody waits for, and without which a backfill cannot go on or end: tried until somebody has mended what is in the way. */
export function lastingControlOf(
  ref: { project: string; environment: string },
  takenUpWithin?: Duration,
): ControlActivities {
  return controlProxy(ref, {}, takenUpWithin);
}

function controlProxy(
  ref: { project: string; environment: string },
  retry: { maximumAttempts?: number },
  takenUpWithin?: Duration,
): ControlActivities {
  return proxyActivities<ControlActivities>({
    taskQueue: `sluice.${scopeOf(ref)}`,
    startToCloseTimeout: '10 minutes',
    heartbeatTimeout: '10s',
    ...(takenUpWithin === undefined ? {} : { scheduleToStartTimeout: takenUpWithin }),
    retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '30s', ...retry },
  });
}

/**
 * Slices. Lost workers are Temporal's to retry (3 attempts), failed work is the dataset workflow's. A heartbeat each second,
 * 10 s of silence mean that the worker is gone: ten missed ones, so that a busy machine is not taken for a dead one. A slice
 * is sized to 4 s at most, but a first batch may be anything, so its end is bounded by its statements (1 h each), not here.
 */
export function sliceOf(
  ref: { project: string; environment: string },
  warehouse: string,
  priority: Priority,
): ReturnType<typeof proxyActivities<SliceActivities>> {
  return proxyActivities<SliceActivities>({
    taskQueue: `sluice.${scopeOf(ref)}.${warehouse}`,
    priority,
    scheduleToStartTimeout: '10 days',
    startToCloseTimeout: '24 hours',
    heartbeatTimeout: '10s',
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '5s', maximumAttempts: 3 },
  });
}

/**
 * A user's activity, on the user's own queue. One try: the next one is the dataset workflow's, which asks the gate again and counts it. It waits
 * half a minute for a worker (`TAKEN_WITHIN_MS` of the turn that it holds), then is given back. A cancellation is waited for
 * where a heartbeat can carry it; an activity without one never hears of it.
 */
export function callOf(
  { activity, taskQueue, timeoutMs, heartbeatMs, input }: CallOrder,
  summary: string,
  priority: Priority,
): Promise<unknown> {
  return scheduleActivity<unknown>(activity, [input], {
    taskQueue,
    summary,
    priority,
    scheduleToStartTimeout: '30s',
    startToCloseTimeout: timeoutMs,
    ...(heartbeatMs === undefined
      ? { cancellationType: ActivityCancellationType.TRY_CANCEL }
      : { heartbeatTimeout: heartbeatMs, cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED }),
    retry: { maximumAttempts: 1 },
  });
}
