/** How long it takes from a worker's death to its work going on elsewhere, and how much of it is done again. */
import { startServers } from './servers.js';
import { eventually } from '../support/eventually.js';
import { openMany, RANGE, type Many } from './many.js';

/** The slices of a kill are spread over lanes: each waits ten seconds for a heartbeat. */
const LANE_SLOTS = 6;
const SOON_MS = 180_000;
const HEARTBEAT_TIMEOUT_MS = 10_000;

interface Death {
  /** Slices that another attempt went on with, and how long each took, ms. */
  readonly waited: readonly number[];
  /** Partitions that were begun more than once, and those of the largest batch. */
  readonly again: number;
  readonly batch: number;
}

export async function recover(kills: number, lanes: number, say: (line: string) => void): Promise<boolean> {
  const servers = await startServers();
  try {
    const deaths: Death[] = [];
    let left = kills;
    await Promise.all(
      Array.from({ length: lanes }, async (_, i) => {
        const lane = await servers.lane();
        const name = `recovery_${i}`;
        const many = await openMany(lane, name, LANE_SLOTS);
        while (left-- > 0) deaths.push(await die(many, name, `k${left}`));
        await many.stop();
      }),
    );
    const waited = deaths.flatMap((death) => death.waited).sort((a, b) => a - b);
    const at = (share: number): number => (waited[Math.ceil(waited.length * share) - 1] ?? 0) / 1000;
    say(
      `${deaths.length} kills, ${waited.length} slices went on elsewhere after ${at(0.5).toFixed(1)} s (median), ` +
        `${at(0.95).toFixed(1)} s (p95), ${at(1).toFixed(1)} s at most`,
    );
    const more = deaths.filter(({ again, batch }) => again > LANE_SLOTS * batch).length;
    const again = deaths.reduce((sum, death) => sum + death.again, 0);
    const slices = waited.length;
    say(
      `${again} partitions were begun again, ${(again / Math.max(1, slices)).toFixed(1)} for each of these slices, where a batch has up to ` +
        `${Math.max(...deaths.map(({ batch }) => batch))}; more than one batch per slot in ${more} kills`,
    );
    return more === 0 && slices > 0 && at(0.95) * 1000 <= HEARTBEAT_TIMEOUT_MS + 5_000;
  } finally {
    await servers.stop();
  }
}

async function die({ client, workers, count, on }: Many, project: string, id: string): Promise<Death> {
  const before = await count('SELECT last_value::float8 AS n FROM public.begun');
  await client.start({ ...RANGE, rebuild: 'all' }, { id });
  const published = (): Promise<number> =>
    count('SELECT count(*)::float8 AS n FROM audit.published WHERE project = $1 AND backfill_id = $2', [project, id]);
  await eventually('it gets on', async () => (await published()) >= 60, SOON_MS, 50);
  // The clock is the warehouse's too. One that a session of its own asks is up to 0.7 s early.
  const killedAt = new Date();
  await workers.kill();
  await client.result(id);
  const { rows } = await on((warehouse) =>
    warehouse.query<{ ms: number }>(
      `SELECT extract(epoch FROM min(l.at) - $1::timestamptz)::float8 * 1000 AS ms FROM audit.leases l
       JOIN (SELECT DISTINCT epoch FROM audit.published WHERE project = $2 AND backfill_id = $3) e USING (epoch)
       WHERE l.attempt > 1 GROUP BY l.slice`,
      [killedAt, project, id],
    ),
  );
  const batch = await count(
    'SELECT max(c)::float8 AS n FROM (SELECT count(*) AS c FROM sluice.partitions WHERE project = $1 GROUP BY xid) x',
    [project],
  );
  const again = (await count('SELECT last_value::float8 AS n FROM public.begun')) - before - (await published());
  return { waited: rows.map(({ ms }) => ms), again, batch };
}
