import type { AdoptRequest, LedgerChange } from '../src/contracts/ledger.js';
import { adoptInterval } from '../src/planning/adopt.js';
import { adoptStale } from '../src/planning/adopt-stale.js';
import { askedInterval, namedDataset, requireRange } from '../src/planning/asked.js';
import { clockOf } from '../src/store/clock.js';
import type { ControlDeps } from './deps.js';

/** By the definition that the workers deploy. */
export async function adoptOnly(deps: ControlDeps, request: AdoptRequest): Promise<LedgerChange> {
  const project = await deps.project(undefined);
  const { from, to, last, on, stale, reason, requestedBy = 'unknown' } = request;
  const range = {
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(last === undefined ? {} : { last }),
    ...(on === undefined ? {} : { on }),
  };
  const dataset = namedDataset(project, request.dataset);
  requireRange(dataset, range, 'adopt');
  const asked = askedInterval(project, dataset, range, await clockOf(deps.db));
  const asker = { actor: requestedBy, ...(reason === undefined ? {} : { reason }) };
  return (stale ? adoptStale : adoptInterval)({ project, db: deps.db, pool: deps.pool }, dataset, asked, asker);
}
