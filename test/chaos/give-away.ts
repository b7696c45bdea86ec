import { Client, Connection } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { Lane } from './servers.js';

/** PENDING_ACTIVITY_STATE_STARTED */
const STARTED = 2;

/**
 * Tells Temporal that the activities of a workflow which are at work have failed: it gives them to another worker within a second. One that is cut off learns of it
 * only by its own clock, ten seconds after its last heartbeat: so there is time to see what it does beside its successor.
 */
export async function giveAway({ stack }: Lane, workflowId: string): Promise<void> {
  const connection = await Connection.connect({ address: stack.dev.info().temporalAddress });
  try {
    const client = new Client({ connection });
    const { raw } = await client.workflow.getHandle(workflowId).describe();
    const started = (raw.pendingActivities ?? []).filter(({ state }) => Number(state) === STARTED);
    await Promise.all(
      started.map(({ activityId }) =>
        client.activity.fail(
          { workflowId, activityId: activityId ?? '' },
          ApplicationFailure.create({ message: 'said to be lost by the chaos harness' }),
        ),
      ),
    );
  } finally {
    await connection.close();
  }
}
