import { ApplicationFailure } from '@temporalio/common';
import type { Lane } from './servers.js';
import { withTemporal } from './temporal.js';

/** PENDING_ACTIVITY_STATE_STARTED */
const STARTED = 2;

/**
 * Tells Temporal that the activities of a workflow which are at work have failed: it gives them to another worker within a second. One that is cut off learns of it
 * only by its own clock, ten seconds after its last heartbeat: so there is time to see what it does beside its successor.
 */
export async function giveAway(lane: Lane, workflowId: string): Promise<void> {
  await withTemporal(lane, async ({ workflow, activity }) => {
    const { raw } = await workflow.getHandle(workflowId).describe();
    const started = (raw.pendingActivities ?? []).filter(({ state }) => Number(state) === STARTED);
    const lost = ApplicationFailure.create({ message: 'said to be lost by the chaos harness' });
    await Promise.all(
      started.map(({ activityId }) => activity.fail({ workflowId, activityId: activityId ?? '' }, lost)),
    );
  });
}
