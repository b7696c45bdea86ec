import { ActivityFailure, ApplicationFailure, proxyActivities } from '@temporalio/workflow';
import type { PlanDocument } from '../src/contracts/plan.js';
import type { BackfillInput } from '../src/contracts/request.js';
import type { PlanActivities } from '../activities/index.js';
import { scopeOf } from './proxies.js';
import { requestOf } from './request.js';

/** Answers a request with its plan and carries nothing out: for clients that have neither the project's files nor its warehouse. */
export async function plan(input: BackfillInput): Promise<PlanDocument> {
  const request = requestOf(input);
  const { planOnly } = proxyActivities<PlanActivities>({
    taskQueue: `sluice.${scopeOf(request)}`,
    startToCloseTimeout: '10 minutes',
    retry: { maximumAttempts: 3 },
  });
  try {
    return await planOnly(request);
  } catch (error) {
    // As `backfill` does: the workflow fails with the request's own code and remedy, not with "activity task failed".
    throw error instanceof ActivityFailure && error.cause instanceof ApplicationFailure ? error.cause : error;
  }
}
