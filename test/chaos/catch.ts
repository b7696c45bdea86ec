/** Each planted bug is built with until it is told from the real build. */
import { rmSync } from 'node:fs';
import { compare, onLanes, openCampaign, type Campaign } from './campaign.js';
import type { Planned } from './faults.js';
import { openMany, SPARE_SLOTS } from './many.js';
import { MUTANTS } from './mutants.js';
import { plant, type Mutant } from './plant.js';
import { openTrack, type TrackOf } from './run.js';
import type { Lane } from './servers.js';
import { TAKEN, wake } from './zombies.js';

/** Builds until a bug counts as not caught. */
const BUILDS = 5;
const ENDS_MS = 180_000;
/** Of those that did not end by then. */
const TRIES = 3;

export async function catchAll(only: string | undefined, lanes: number, say: (line: string) => void): Promise<boolean> {
  const campaign = await openCampaign();
  // Those that show by themselves first.
  const chosen = MUTANTS.filter(
    ({ name }) => only === undefined || only.split('|').some((part) => name.includes(part)),
  ).sort((a, b) => weightOf(a) - weightOf(b));
  let caught = 0;
  try {
    await onLanes(campaign, lanes, chosen.entries(), async (lane, [i, mutant]) => {
      const { build, why } = await tell(campaign, lane, mutant, `mutant_${i}`);
      if (why !== undefined) caught++;
      say(
        `${why === undefined ? 'NOT CAUGHT' : `caught in build ${build + 1}`}: ${mutant.name}: ${why?.slice(0, 300) ?? ''}`,
      );
    });
    say(`${caught} of ${chosen.length} planted bugs caught`);
    return caught === chosen.length;
  } finally {
    await campaign.stop();
  }
}

const weightOf = ({ faults }: Mutant): number => (typeof faults === 'string' ? 99 : faults.length);

interface Verdict {
  /** How often it was built before. */
  readonly build: number;
  readonly why?: string;
}

async function tell(campaign: Campaign, lane: Lane, mutant: Mutant, name: string): Promise<Verdict> {
  const dist = await plant(mutant);
  try {
    for (let i = 0; i < TRIES; i++) {
      const of = { name: `${name}_${i}`, part: mutant.part, dist };
      const { faults } = mutant;
      const telling =
        typeof faults === 'string' ? wakes(lane, of, faults !== 'zombies') : watch(campaign, lane, faults, of);
      const told = await telling.catch(() => 'late' as const);
      if (told !== 'late') return told;
    }
    return { build: BUILDS };
  } finally {
    rmSync(dist, { recursive: true, force: true });
  }
}

/** Told by what is there, not by the time that it took: a busy machine is no bug. */
async function watch(
  { callee, calm }: Campaign,
  lane: Lane,
  faults: readonly Planned[],
  of: TrackOf,
): Promise<Verdict | 'late'> {
  const track = await openTrack(lane, callee, of);
  try {
    for (let build = 0; build < BUILDS; build = track.build()) {
      const [why] = await track.run({ faults, withinMs: ENDS_MS }).then(
        (ran) => compare(calm, build, ran.outcome, of.part),
        (error: unknown) => [String(error).split('\n')[0] ?? ''],
      );
      if (why?.includes('not within') === true) return 'late';
      if (why !== undefined) return { build, why };
    }
    return { build: BUILDS };
  } finally {
    await track.stop();
  }
}

/** Whether all that wake too late are fenced, and nothing is wrong. */
async function wakes(lane: Lane, { name, dist }: TrackOf, isOver: boolean): Promise<Verdict> {
  const many = await openMany(lane, name, SPARE_SLOTS, { dist });
  try {
    const { zombies, fenced, wrong } = await wake(lane, many, 'late', isOver);
    return fenced < zombies || wrong > 0
      ? { build: 0, why: `${fenced} of ${zombies} zombies fenced, ${wrong} partitions wrong` }
      : { build: 1 };
  } catch (error) {
    const [why = ''] = String(error).split('\n');
    if (!why.includes(TAKEN)) throw error;
    return { build: 0, why };
  } finally {
    await many.stop();
  }
}
