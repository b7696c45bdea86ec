import type { CallEnd } from '../src/contracts/call.js';
import { sqlInstant } from '../src/store/ledger.js';
import { loadPlanDataset } from '../src/store/plans.js';
import { snapshotOf } from '../src/warehouse/postgres/call.js';
import { dropLease } from '../src/warehouse/postgres/lease.js';
import { ledgerOf, writeLedger } from '../src/warehouse/postgres/ledger.js';
import { BEGIN, FencedError, requireHeld, ServerMovedError } from '../src/warehouse/postgres/publish.js';
import type { ControlDeps } from './deps.js';
import { keepFailure } from './failure.js';
import { intervalOf } from './ordinals.js';

/**
 * The second half of a call: its ledger row, under the same fence as a slice's; or its failure, kept. Either way its turn goes, with the
 * lease. On the control queue: what has happened is written down also while a rate of 0 keeps more from happening.
 */
export async function endCall(deps: ControlDeps, end: CallEnd): Promise<{ fenced: boolean }> {
  const { head, dataset } = await loadPlanDataset(deps.db, end.plan, end.dataset);
  const [lo = 0] = end.batches[0] ?? [];
  const { start, end: until } = intervalOf(dataset, lo);
  const partition = { start: sqlInstant(start), end: sqlInstant(until) };
  const { outcome } = end;
  if (outcome.kind === 'failed') await keepFailure(deps, end, dataset, [partition], outcome, undefined);
  return deps.pool(head.warehouse).use(async (client) => {
    if (outcome.kind !== 'done') {
      await dropLease(client, end, dataset.name);
      return { fenced: false };
    }
    await client.query(BEGIN);
    try {
      // An attempt before this one, whose answer was lost, dropped the lease as it committed.
      const { ours } = await ledgerOf(client, end, dataset, [partition]);
      if (ours.size === 0) {
        await requireHeld(client, end, dataset.name, lo);
        const row = { ...partition, rows: 0, digest: outcome.digest };
        await writeLedger(client, end, dataset, [row], await snapshotOf(client, end, dataset.name, lo));
        await dropLease(client, end, dataset.name);
      }
      await client.query('COMMIT');
      return { fenced: false };
    } catch (error) {
      await client.query('ROLLBACK');
      if (error instanceof FencedError || error instanceof ServerMovedError) return { fenced: true };
      throw error;
    }
  });
}
