import { sleep } from '@temporalio/activity';
import type { StoredDataset } from '../src/contracts/plan.js';
import { readLimit } from '../src/store/control.js';
import { askSlot, askTurn, giveTurn, nextMoment, type Verdict } from '../src/warehouse/postgres/gate.js';
import type { Publisher } from '../src/warehouse/postgres/publish.js';
import type { SliceDeps } from './deps.js';
import type { Session } from './session.js';

/** A wait this long gives the activity back, so that a queue behind a closed gate does not fill every worker. */
const WAIT_MS = 30_000;
/** Between two asks. A batch aims at 500 ms, so a freed slot stands empty for about 2 % of one. */
const ASK_AGAIN_MS = 20;

/** The turn did not come, or must not: what is left is given back. */
export class YieldError extends Error {
  constructor(readonly kind: Exclude<Verdict['kind'], 'go'>) {
    super(`no turn: ${kind}`);
  }
}

/** Waits for a turn on each database that the next batch touches: the warehouse, then its source. */
export async function takeTurn(
  deps: SliceDeps,
  who: Publisher,
  dataset: StoredDataset,
  session: Session,
): Promise<Verdict> {
  const until = performance.now() + WAIT_MS;
  let momentTaken = false;
  for (;;) {
    const warehouse = await session.warehouse();
    const verdict = await askTurn(warehouse, who, deps.warehouse);
    if (verdict.kind === 'go') {
      if (dataset.spec.kind !== 'extract') return verdict;
      const { connection } = dataset.spec;
      // Read from the warehouse itself: one turn on that database is enough.
      if (connection === deps.warehouse) return verdict;
      const limit = await readLimit(deps.db, who, connection);
      if (limit.rate !== null && !momentTaken) {
        momentTaken = true;
        const ms = await nextMoment(warehouse, who, connection);
        if (ms > 0) {
          await giveTurn(warehouse);
          await sleep(ms);
          continue;
        }
      }
      if (await askSlot(await session.source(connection), limit.slots)) return verdict;
      await giveTurn(warehouse);
    } else if (verdict.kind !== 'full') return verdict;
    if (performance.now() > until) return { ...verdict, kind: 'full' };
    await sleep(ASK_AGAIN_MS * (1 + Math.random()));
  }
}
