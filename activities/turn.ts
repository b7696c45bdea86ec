import { sleep } from '@temporalio/activity';
import type { StoredDataset } from '../src/contracts/plan.js';
import { readLimit } from '../src/store/control.js';
import { askPool, askTurn, giveTurn, nextMoment, type Verdict } from '../src/warehouse/postgres/gate.js';
import { askSlot, endZombies } from '../src/warehouse/postgres/slot.js';
import { atSource } from '../src/postgres/error.js';
import type { PgClient } from '../src/postgres/pool.js';
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

/** Who waits for a pool must not keep a worker from what is in none: it gives it back for twice as long. */
const POOL_WAIT_MS = 1_000;
const POOL_REST_MS = 2_000;

/** Who waits for a source's slot for so long looks whether one is kept for nobody, and again after as long. A batch of others takes less. */
const ZOMBIES_AFTER_MS = 3_000;

/** What became of the wait. */
export interface Turn extends Verdict {
  /** All slots of the dataset's pool are taken: it is not to ask again for so long. */
  readonly restMs?: number;
}

/** The turn did not come, or must not: what is left is given back. */
export class YieldError extends Error {
  constructor(
    readonly kind: Exclude<Verdict['kind'], 'go'>,
    /** Why nobody passes; null where there was no free slot. */
    readonly why: string | null,
    /** Not to be asked for again before that. */
    readonly restMs?: number,
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
): Promise<Turn> {
  const until = performance.now() + WAIT_MS;
  let tellAt = Infinity;
  let zombiesAt = performance.now() + ZOMBIES_AFTER_MS;
  let momentTaken = false;
  let poolUntil: number | undefined;
  for (;;) {
    const warehouse = await session.warehouse();
    const verdict = await askTurn(warehouse, who, deps.warehouse);
    let { why } = verdict;
    let inPool = true;
    if (verdict.kind === 'go') inPool = await hasPool(deps, who, dataset, warehouse);
    if (!inPool) {
      await giveTurn(warehouse);
      poolUntil ??= performance.now() + POOL_WAIT_MS;
      if (performance.now() > poolUntil)
        return { ...verdict, kind: 'full', why: null, restMs: POOL_REST_MS * (1 + Math.random()) };
    } else if (verdict.kind === 'go') {
      if (dataset.spec.kind !== 'extract') return verdict;
      const { connection } = dataset.spec;
      // Read from the warehouse itself: one turn on that database is enough.
      if (connection === deps.warehouse) return verdict;
      const source = await session.source(connection);
      const read = session.alternate()?.connection ?? connection;
      const limit = await readLimit(deps.db, who, read);
      if (limit.rate !== null && !momentTaken) {
        momentTaken = true;
        const ms = await nextMoment(warehouse, who, read);
        if (ms > 0) {
          await giveTurn(warehouse);
          await sleep(ms);
          continue;
        }
      }
      if (await atSource(askSlot(source, warehouse, limit.slots, verdict.slot))) return verdict;
      await giveTurn(warehouse);
      if (performance.now() > zombiesAt) {
        zombiesAt = performance.now() + ZOMBIES_AFTER_MS;
        const ended = await endZombies(source, warehouse);
        if (ended > 0)
          deps.log.warn({ connection: read, ended }, 'sessions kept a slot of a source for nobody, and were ended');
      }
      why = limit.why === null ? null : wordsFor(read, limit.why);
    } else if (verdict.kind !== 'full') return verdict;
    else if (why !== null) why = wordsFor(deps.warehouse, why);
    const now = performance.now();
    if (why === null) tellAt = Infinity;
    else if (!told) tellAt = Math.min(tellAt, now + TELL_HELD_MS);
    if (now > until || now > tellAt) return { ...verdict, kind: 'full', why };
    await sleep((why === null ? ASK_AGAIN_MS : ASK_HELD_MS) * (1 + Math.random()));
  }
}

/** Slots of the pool that a dataset is in; null where it is in none. */
export function slotsOfPool({ poolSlots }: SliceDeps, { pool }: StoredDataset): number | null {
  return pool === undefined ? null : poolSlots(pool);
}

/** A dataset of a pool takes one of its slots too, on the same connection. */
async function hasPool(deps: SliceDeps, who: Publisher, dataset: StoredDataset, on: PgClient): Promise<boolean> {
  const slots = slotsOfPool(deps, dataset);
  return dataset.pool === undefined || slots === null || askPool(on, who, dataset.pool, slots);
}

/** What a status can hold of it: a person's reason may be long. */
const WORDS_MAX = 300;

function wordsFor(connection: string, why: string): string {
  return `connection ${connection}: ${why}`.slice(0, WORDS_MAX);
}
