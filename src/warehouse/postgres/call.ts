import type { PgClient } from '../../postgres/pool.js';
import type { Verdict } from './gate.js';
import { FencedError, type Publisher } from './publish.js';

const KEY = 'epoch = $1 AND dataset = $2 AND slice = $3 AND attempt = $4 AND lo = $5';

function keyOf({ epoch, slice, attempt }: Publisher, dataset: string, lo: number): (string | number)[] {
  return [epoch, dataset, slice, attempt, lo];
}

/**
 * Makes the turn that this connection has been given last beyond it, as a row beside the lease, for a call runs in nobody's session. The row
 * is there before the connection gives its locks back: who asks finds one or the other. With it goes the snapshot from before
 * the call, by which the ledger tells what the call cannot have seen.
 *
 * @returns false where another call has this very turn: it was made a row, and its lock given back, between the look at the rows and the
 * lock by which this connection was given it. While that lock is held a second look misses none.
 */
export async function holdTurn(
  client: PgClient,
  who: Publisher,
  dataset: string,
  lo: number,
  { slot, own }: Pick<Verdict, 'slot' | 'own'>,
  forMs: number,
): Promise<boolean> {
  const { rowCount } = await client.query(
    `INSERT INTO sluice.calls (epoch, dataset, slice, attempt, lo, slot, own, until, snapshot)
     SELECT $1, $2, $3, $4, $5, $6, $7, clock_timestamp() + make_interval(secs => $8), sluice.current_snapshot()
     WHERE NOT EXISTS (SELECT 1 FROM sluice.calls
       WHERE until > clock_timestamp() AND (slot = $6::int OR (epoch = $1::bigint AND own = $7::int)))`,
    [...keyOf(who, dataset, lo), slot, own, forMs / 1000],
  );
  return rowCount === 1;
}

/** What could be seen as the call began. */
export async function snapshotOf(client: PgClient, who: Publisher, dataset: string, lo: number): Promise<string> {
  const { rows } = await client.query<{ snapshot: string }>(
    `SELECT snapshot::text AS snapshot FROM sluice.calls WHERE ${KEY}`,
    keyOf(who, dataset, lo),
  );
  const [row] = rows;
  if (!row) throw new FencedError('the call was taken over');
  return row.snapshot;
}
