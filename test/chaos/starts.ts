/**
 * Workers are killed at random moments of their start, each just after another was killed; after each the time is taken until the backfill goes on. What
 * they set at the Temporal server as they start is then set by half.
 */
import { ENDED } from '../../src/contracts/status.js';
import { random } from '../support/random.js';
import { eventually } from '../support/eventually.js';
import { openMany, type Many } from './many.js';
import { startServers } from './servers.js';

const LANE_SLOTS = 4;
/** Batches a second, on every second lane: a rate is what a worker sets at the server. */
const RATE = 30;
const GOES_ON_MS = 30_000;
const GIVEN_UP_MS = 300_000;
const ENDS_MS = 600_000;
const LOOK_EVERY_MS = 100;
/** Hours of one backfill, and how many of them are left when the next one is begun. */
const RANGE = { from: '2024-01-01', to: '2024-02-10' };
const PARTITIONS = 40 * 24;
const FEW = 240;
/** What a killed worker had sent may still be committed; another one cannot be there so soon. */
const NOBODY_MS = 300;

interface Course {
  readonly kills: number;
  readonly seed: number;
  readonly lanes: number;
  readonly until: number;
}

export async function killStarts({ kills, seed, lanes, until }: Course, say: (line: string) => void): Promise<boolean> {
  const servers = await startServers();
  const next = random(seed);
  const took: number[] = [];
  const wrong: string[] = [];
  let [left, killed] = [kills, 0];
  const onLane = async (i: number): Promise<void> => {
    const name = `starts_${i}`;
    const lane = await servers.lane();
    const many = await openMany(lane, name, LANE_SLOTS, i % 2 === 0 ? { rate: RATE } : {});
    const ids: string[] = [];
    let startsMs = 3_000;
    while (left > 0 && Date.now() < until) {
      await underWay(many, ids);
      // One killed start, or two in a row: each just after another worker was killed.
      const count = Math.min(left, next() < 0.3 ? 2 : 1);
      left -= count;
      const at = Array.from({ length: count }, () => next() * 1.2 * startsMs);
      const moments = at.map(
        (ms) => () => many.count('SELECT 1 AS n FROM pg_sleep($1)', [ms / 1000]).then(() => undefined),
      );
      const { killedAt, ended } = await many.workers.killAtStart(moments);
      startsMs = Date.now() - killedAt;
      const ms = await goesOn(many, killedAt);
      killed += count;
      took.push(...at.map(() => ms));
      if (ended > 0) wrong.push(`${name}: ${ended} workers ended by themselves as they started`);
      if (ms > GOES_ON_MS) wrong.push(`${name}: it went on after ${(ms / 1000).toFixed(1)} s`);
      const moment = at.map((one) => `${(one / 1000).toFixed(2)} s`).join(', ');
      say(
        `${killed} ${name}: killed after ${moment}; it went on ${(ms / 1000).toFixed(1)} s later, the worker began after ${(startsMs / 1000).toFixed(1)} s`,
      );
    }
    for (const id of ids) wrong.push(...(await ends(many, id)));
    await many.stop();
  };
  try {
    await Promise.all(Array.from({ length: lanes }, (_, i) => onLane(i)));
  } finally {
    await servers.stop();
  }
  took.sort((a, b) => a - b);
  const at = (share: number): string => ((took[Math.ceil(took.length * share) - 1] ?? 0) / 1000).toFixed(1);
  const inTime = took.filter((ms) => ms <= GOES_ON_MS).length;
  say(`${killed} workers killed as they started: the backfill went on within 30 s after ${inTime} of ${took.length}`);
  say(`median ${at(0.5)} s, p95 ${at(0.95)} s, p99 ${at(0.99)} s, at most ${at(1)} s`);
  for (const line of wrong) say(line);
  return wrong.length === 0 && took.length > 0;
}

/** A backfill with enough left to do: the last one, or another. */
async function underWay({ client, count, name }: Many, ids: string[]): Promise<void> {
  const last = ids.at(-1);
  if (last !== undefined && PARTITIONS - (await publishedOf({ count, name }, last)) > FEW) return;
  if (last !== undefined) await eventually(`${last} ends`, () => client.result(last).catch(() => undefined), ENDS_MS);
  const id = `k${ids.length}`;
  ids.push(id);
  await client.start({ ...RANGE, rebuild: 'all' }, { id });
  await eventually(
    `${id} gets on`,
    async () => (await publishedOf({ count, name }, id)) > 0,
    GIVEN_UP_MS,
    LOOK_EVERY_MS,
  );
}

function publishedOf({ count, name }: Pick<Many, 'count' | 'name'>, id: string): Promise<number> {
  return count('SELECT count(*)::float8 AS n FROM audit.published WHERE project = $1 AND backfill_id = $2', [name, id]);
}

/** How long after that moment something was published again, ms. The clock is the warehouse's too. */
async function goesOn({ count, name }: Many, since: number): Promise<number> {
  const first = `SELECT extract(epoch FROM min(at))::float8 * 1000 AS n FROM audit.published
    WHERE project = $1 AND at > to_timestamp($2::float8 / 1000)`;
  const look = async (): Promise<number | false> => {
    const at = await count(first, [name, since + NOBODY_MS]);
    return at > 0 && at - since;
  };
  return eventually(`${name} goes on`, look, GIVEN_UP_MS, LOOK_EVERY_MS).catch(() => Infinity);
}

/** Where it did not come to what it comes to without a kill. */
async function ends({ client, count, name }: Many, id: string): Promise<string[]> {
  const status = await eventually(
    `${id} ends`,
    async () => {
      const now = await client.status(id).catch(() => undefined);
      return now !== undefined && (ENDED.includes(now.state) || now.state === 'held') && now;
    },
    ENDS_MS,
    LOOK_EVERY_MS,
  );
  const published = await publishedOf({ count, name }, id);
  if (status.state === 'completed' && published === PARTITIONS) return [];
  return [`${name}: ${id} is ${status.state}, ${published} of ${PARTITIONS} published: ${status.reason}`];
}
