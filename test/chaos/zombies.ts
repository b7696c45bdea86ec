/**
 * Zombies, many at once: slices of a worker that is cut off from Temporal while they are in the middle, and that wake up when others have their
 * work; or when their backfill is over and another one has built it again. Before their worker's own clock tells them, which
 * it does some seconds after their last heartbeat: whoever was told is no zombie.
 */
import { eventually } from '../support/eventually.js';
import { giveAway } from './give-away.js';
import { openMany, RANGE, SLOTS, SPARE_SLOTS, type Many } from './many.js';
import { startServers, type Lane } from './servers.js';
import { stallAtBegin } from './stuck.js';
import { withTemporal } from './temporal.js';

const SOON_MS = 180_000;
const ALL = { ...RANGE, rebuild: 'all', maxParallel: SLOTS } as const;
/** A backfill that follows an ended one builds its first days: all of them would take longer than a worker needs to learn that it is cut off. */
const AGAIN_TO = '2024-01-03';
/** What is waited for once Temporal has given their work away. */
export const TAKEN = 'others have their leases';

export async function zombies(rounds: number, say: (line: string) => void): Promise<boolean> {
  const servers = await startServers();
  const sum = { zombies: 0, fenced: 0, wrong: 0 };
  try {
    const lane = await servers.lane();
    const many = await openMany(lane, 'zombies', SPARE_SLOTS);
    for (let round = 0; round < rounds; round++) {
      const isOver = round % 2 === 1;
      const { zombies: woken, fenced, wrong } = await wake(lane, many, `z${round}`, isOver);
      const when = isOver ? 'their backfill was over, and built again by another' : 'their successors had their work';
      say(`${woken} woke when ${when}: ${fenced} fenced; ${wrong} partitions twice, missing or not the last one's`);
      sum.zombies += woken;
      sum.fenced += fenced;
      sum.wrong += wrong;
    }
    await many.stop();
    say(`${sum.fenced} of ${sum.zombies} zombies fenced, ${sum.wrong} partitions wrong`);
    return sum.fenced === sum.zombies && sum.wrong === 0 && sum.zombies > 0;
  } finally {
    await servers.stop();
  }
}

/** What became of slices that woke too late. */
export interface Woken {
  readonly zombies: number;
  readonly fenced: number;
  /** Partitions that are published twice, are missing, or are not of the backfill that came last. */
  readonly wrong: number;
}

export async function wake(
  lane: Lane,
  { name, client, workers, count }: Many,
  id: string,
  isOver: boolean,
): Promise<Woken> {
  const from = workers.said().length;
  const stuck = new Set<string>();
  // In their first batch: what they find out in it is to leave them another one.
  const judge = stallAtBegin('/1/ticks', 0, stuck);
  lane.proxy.judges.add(judge);
  await client.start(ALL, { id });
  await eventually('slices are stuck, as many as there are slots', () => stuck.size >= SLOTS, SOON_MS);
  const zombies = new Set(stuck);
  const heal = await workers.cutOff();
  lane.proxy.judges.delete(judge);
  const last = isOver ? `${id}-again` : id;
  if (isOver) {
    await withTemporal(lane, ({ workflow }) => workflow.getHandle(client.workflowId(id)).terminate());
    await client.start({ ...ALL, to: AGAIN_TO }, { id: last });
    await client.result(last);
  } else {
    await giveAway(lane, `${client.workflowId(id)}/ticks`);
    const taken =
      'SELECT count(DISTINCT slice)::float8 AS n FROM audit.leases WHERE attempt > 1 AND epoch = (SELECT max(epoch) FROM audit.leases)';
    await eventually(TAKEN, async () => (await count(taken)) >= zombies.size, SOON_MS);
  }
  // What is stuck finds its connections dead, and goes on with its next batch on others.
  lane.proxy.heal(judge);
  const fenced = (): number => {
    const lines = workers.said().slice(from).split('\n');
    const slices = lines.flatMap((line) => /"slice":(\d+),"attempt":1,"msg":"fenced/.exec(line)?.[1] ?? []);
    return new Set(slices).size;
  };
  await eventually('all of them are fenced', () => fenced() >= zombies.size, 60_000).catch(() => undefined);
  await client.result(last);
  heal();
  await workers.endLeft();
  if (fenced() < zombies.size && process.env['CHAOS_LOG']) process.stdout.write(workers.said().slice(from));
  const wrong = await count(
    `SELECT ((SELECT count(*) FROM sluice.partitions WHERE project = $3 AND backfill_id <> $1 AND starts_at < $4)
       + (SELECT count(*) FROM (SELECT FROM audit.published WHERE project = $3 AND backfill_id IN ($1, $2)
            GROUP BY starts_at, epoch HAVING count(*) > 1) x)
       + (SELECT abs(312 - count(DISTINCT at)) + count(*) - count(DISTINCT at) FROM ${name}.ticks))::float8 AS n`,
    [last, id, name, isOver ? AGAIN_TO : RANGE.to],
  );
  return { zombies: zombies.size, fenced: fenced(), wrong };
}
