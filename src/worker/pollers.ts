import type { NativeConnection } from '@temporalio/worker';
import { ACTIVITY_QUEUE } from './limits.js';

/** A poll lasts a minute at most, and counts from its beginning: a worker that asked longer ago than this is gone. */
const LATELY_MS = 75_000;

/**
 * Whether a worker has asked for activities of a task queue lately. One that was killed a moment ago still counts. Where Temporal does not
 * say (a role without the right to ask), it counts as polled: the call itself will tell.
 */
export async function isPolled(connection: NativeConnection, namespace: string, taskQueue: string): Promise<boolean> {
  const now = Date.now();
  try {
    const { pollers } = await connection.workflowService.describeTaskQueue({
      namespace,
      taskQueue: { name: taskQueue },
      // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- as in limits.ts
      taskQueueType: ACTIVITY_QUEUE,
    });
    return pollers.some(({ lastAccessTime }) => now - Number(lastAccessTime?.seconds ?? 0) * 1000 < LATELY_MS);
  } catch {
    return true;
  }
}
