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

/** The same where nobody passes: it ends when a person or the governor says so, once a second at most. */
const ASK_HELD_MS = 250;
/** That nobody passes is told after this long, for what follows is a status that says so: a governor wakes within a second. */
const TELL_HELD_MS = 2_500;

/** The turn did not come, or must not: what is left is given back. */
export class YieldError extends Error {
  constructor(
    readonly kind: Exclude<Verdict['kind'], 'go'>,
    /** Why nobody passes; null where there was no free slot. */
    readonly why: string | null,
  ) {
    super(`no turn: ${kind}`);
  }
}

/**
 * Waits for a turn on each database that the next batch touches: the warehouse, then its source.
 * @param told - whether it is known that nobody passes: then there is no hurry to say so
 */
export async function takeTurn(
  deps: SliceDeps,
  who: Publisher,
  dataset: StoredDataset,
  session: Session,
  told: boolean,
): Promise<Verdict> {
  const until = performance.now() + WAIT_MS;
  let tellAt = Infinity;
  let momentTaken = false;
  for (;;) {
    const warehouse = await session.warehouse();
    const verdict = await askTurn(warehouse, who, deps.warehouse);
    let { why } = verdict;
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
      why = limit.why === null ? null : wordsFor(connection, limit.why);
    } else if (verdict.kind !== 'full') return verdict;
    else if (why !== null) why = wordsFor(deps.warehouse, why);
    const now = performance.now();
    if (why === null) tellAt = Infinity;
    else if (!told) tellAt = Math.min(tellAt, now + TELL_HELD_MS);
    if (now > until || now > tellAt) return { ...verdict, kind: 'full', why };
    await sleep((why === null ? ASK_AGAIN_MS : ASK_HELD_MS) * (1 + Math.random()));
  }
}

/** What a status can hold of it: a person's reason may be long. */
const WORDS_MAX = 300;

function wordsFor(connection: string, why: string): string {
  return `connection ${connection}: ${why}`.slice(0, WORDS_MAX);
}
