import { faultOf } from '../src/postgres/error.js';
import type { PgClient } from '../src/postgres/pool.js';
import { NoReplicaError, requireReplica } from '../src/source/postgres/replica.js';
import { knownDatabase, record } from '../src/store/control.js';
import type { Publisher } from '../src/warehouse/postgres/publish.js';
import { UnansweredError } from './connecting.js';
import type { SliceDeps } from './deps.js';

export interface Alternate<T> {
  readonly opened: T;
  readonly connection: string;
  /** For a person: why it is read. */
  readonly words: string;
}

type Deps = Pick<SliceDeps, 'alternates' | 'connecting' | 'db' | 'log' | 'metrics'>;

/**
 * Opens the first alternate of a source that may be read in its place, once it is sure that the source does not answer.
 * @throws UnansweredError the source's own, with what speaks against each of its alternates
 */
export async function openAlternate<T extends { readonly client: PgClient }>(
  deps: Deps,
  who: Publisher,
  connection: string,
  unanswered: UnansweredError,
  open: (connection: string) => Promise<T>,
): Promise<Alternate<T>> {
  const { since } = unanswered;
  const alternates = since === null ? [] : deps.alternates(connection);
  if (since === null || alternates.length === 0) throw unanswered;
  const identity = await knownDatabase(deps.db, who, connection);
  const against: string[] = [];
  for (const name of alternates) {
    try {
      const opened = await deps.connecting.connect(name, () => open(name), true);
      await requireReplica(opened.client, identity, since).catch((error: unknown) => {
        opened.client.release(true);
        throw error;
      });
      const words = `${unanswered.message}; meanwhile ${name} is read`;
      await tell(deps, who, name, words, since);
      return { opened, connection: name, words };
    } catch (error) {
      // A replica that refuses us must not hold what its primary would have done.
      if (error instanceof UnansweredError) against.push(error.message);
      else
        against.push(
          `${name} is not read: ${error instanceof NoReplicaError ? error.message : faultOf(error, 'source').code}`,
        );
    }
  }
  throw new UnansweredError([unanswered.message, ...against].join('; '), unanswered.restMs, since);
}

/** Outages that this worker has told of, by alternate: each is in the journal once for each worker that reads there. */
const told = new WeakMap<object, Map<string, number>>();

async function tell(deps: Deps, who: Publisher, connection: string, words: string, since: number): Promise<void> {
  deps.metrics.alternate(who, connection);
  const known = told.get(deps.connecting) ?? new Map<string, number>();
  told.set(deps.connecting, known);
  if (known.get(connection) === since) return;
  known.set(connection, since);
  deps.log.warn({ connection }, words);
  await record(deps.db, who, { backfillId: who.backfillId, actor: 'sluice', action: 'alternate read', reason: words });
}

/** A partition that is read in chunks waits for its source: asked for again this often. */
const CHUNKS_REST_MS = 15_000;

/** Readers of chunks share a snapshot, and what an attempt before has read: of one server. @throws UnansweredError */
export function requirePrimary(alternate: Pick<Alternate<unknown>, 'words'> | null): void {
  if (alternate === null) return;
  throw new UnansweredError(`${alternate.words}, but not what is read in chunks`, CHUNKS_REST_MS, null);
}
