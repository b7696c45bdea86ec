import { proxyActivities } from '@temporalio/workflow';
import type { PlanDocument } from '../src/contracts/plan.js';
import { BackfillRequest, type BackfillInput } from '../src/contracts/request.js';
import type { PlanActivities } from '../activities/index.js';
import { scopeOf } from './proxies.js';

/** Answers a request with its plan and carries nothing out: for clients that have neither the project's files nor its warehouse. */
export async function plan(input: BackfillInput): Promise<PlanDocument> {
  const request = BackfillRequest.parse(input);
  const { planOnly } = proxyActivities<PlanActivities>({
    taskQueue: `sluice.${scopeOf(request)}`,
    startToCloseTimeout: '10 minutes',
    retry: { maximumAttempts: 3 },
  });
  return planOnly(request);
}
