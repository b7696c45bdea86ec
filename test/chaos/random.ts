/** The random campaign: runs with faults chosen by seeds, on lanes beside one another. */
import { compare, describe, faultsOf, onLanes, openCampaign } from './campaign.js';
import { PARTS, type Part } from './project.js';
import { openTrack, type Ran, type Track } from './run.js';
import { add, WANTED } from './sightings.js';
import type { Lane } from './servers.js';

const PART_NAMES = Object.keys(PARTS) as Part[];

/** Faults that end, or freeze, a process, a session or a connection; the others are waits, limits and full disks. */
const KILLS = /kill -9|PostgreSQL stops|cut|lost|sleeps|sessions are ended/;
/** Runs between two lines that say how far it is. */
const SAID_EVERY = 25;

/** Builds of one project, before the next run begins a new one. */
const BUILDS = 12;

export interface Long {
  readonly runs: number;
  readonly seed: number;
  readonly lanes: number;
  /** No run begins after this instant. */
  readonly until: number;
}

export async function randomly({ runs, seed, lanes, until }: Long, say: (line: string) => void): Promise<boolean> {
  const campaign = await openCampaign();
  const { callee, calm, lane } = campaign;
  try {
    for (const [i, { published, seconds }] of calm.entries())
      say(`without faults, build ${i}: ${published} partitions in ${seconds.toFixed(1)} s`);
    if (!lane.disk) say('no disk can be mounted here: none is ever full');
    const total: Record<string, number> = {};
    const kinds: Record<string, number> = {};
    let [done, wrong] = [0, 0];
    const sum = (): string => {
      const faults = Object.values(kinds).reduce((all, count) => all + count, 0);
      const kills = Object.entries(kinds).reduce((all, [name, count]) => all + (KILLS.test(name) ? count : 0), 0);
      return `${done} runs, ${wrong} different; ${faults} faults, ${kills} of them kills: ${JSON.stringify(kinds)}\ncame to: ${JSON.stringify(total)}`;
    };
    const tracks = new Map<Lane, Track>();
    const parts = new Map<Lane, Part>();
    const again = async (one: Lane): Promise<void> => {
      await tracks.get(one)?.stop();
      tracks.delete(one);
    };
    const work = async (one: Lane, number: number): Promise<void> => {
      const build = tracks.get(one)?.build() ?? 0;
      if (build === 0) parts.set(one, PART_NAMES[number % PART_NAMES.length] ?? 'all');
      const part = parts.get(one) ?? 'all';
      const partitions = (calm[1]?.published ?? 0) / (part === 'all' ? 1 : 4);
      const { faults, next } = faultsOf(number, Math.floor(partitions));
      const carryOut = async (): Promise<Ran> => {
        const track = tracks.get(one) ?? (await openTrack(one, callee, { name: `chaos_${number}`, part }));
        tracks.set(one, track);
        return track.run({ faults, next });
      };
      const ran = await carryOut().catch(String);
      const found = typeof ran === 'string' ? [ran] : compare(calm, build, ran.outcome, part);
      done++;
      if (found.length > 0) wrong++;
      if (typeof ran !== 'string') add(total, ran.seen);
      add(kinds, countOf(typeof ran === 'string' ? faults.map(({ fault }) => fault) : ran.happened));
      say(
        `${number}, build ${build} of ${part}: ${found.length === 0 ? 'identical' : 'DIFFERENT'}${secondsOf(ran)} (${describe(faults)})`,
      );
      for (const line of found) say(`    ${line}`);
      if (found.length > 0 && typeof ran !== 'string' && process.env['CHAOS_LOG']) say(ran.said);
      // What is wrong now would be wrong in the next, too.
      if (found.length > 0 || build + 1 >= BUILDS) await again(one);
      if (done % SAID_EVERY === 0) say(sum());
    };
    const seeds = function* (): Generator<number> {
      for (let i = 0; i < runs && Date.now() < until; i++) yield seed + i;
    };
    await onLanes(campaign, lanes, seeds(), work);
    for (const one of [...tracks.keys()]) await again(one);
    say(sum());
    const never = WANTED.filter((name) => (total[name] ?? 0) === 0);
    if (never.length > 0) say(`never came to: ${never.join(', ')}: more runs are needed`);
    return wrong === 0 && never.length === 0;
  } finally {
    await campaign.stop();
  }
}

function countOf(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function secondsOf(ran: Ran | string): string {
  return typeof ran === 'string' ? '' : ` ${ran.seconds.toFixed(1)} s`;
}
