import { ActivityFailure, ApplicationFailure, proxyActivities } from '@temporalio/workflow';
import { AdoptRequest, type AdoptInput, type LedgerChange } from '../src/contracts/ledger.js';
import type { AdoptActivities } from '../activities/index.js';
import { scopeOf } from './proxies.js';
import { checkedInput } from './request.js';

/**
 * Takes what is there into the ledger, for clients that have neither the project's files nor its warehouse. Tried once: a second try of one that was done, and
 * whose answer was lost, would say that nothing was left to do.
 */
export async function adopt(input: AdoptInput): Promise<LedgerChange> {
  const request = checkedInput(AdoptRequest, input);
  const { adoptOnly } = proxyActivities<AdoptActivities>({
    taskQueue: `sluice.${scopeOf(request)}`,
    startToCloseTimeout: '1 hour',
    heartbeatTimeout: '10s',
    retry: { maximumAttempts: 1 },
  });
  try {
    return await adoptOnly(request);
  } catch (error) {
    throw error instanceof ActivityFailure && error.cause instanceof ApplicationFailure ? error.cause : error;
  }
}
