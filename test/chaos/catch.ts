/** Each planted bug is built with until it is told from the real build. */
import { rmSync } from 'node:fs';
import { compare, onLanes, openCampaign, type Campaign } from './campaign.js';
import { MUTANTS } from './mutants.js';
import { plant, type Mutant } from './plant.js';
import { openTrack } from './run.js';
import type { Lane } from './servers.js';

/** Builds until a bug counts as not caught: its first one without a fault. */
const BUILDS = 5;
/** What never ends is told from what takes 30 s. */
const ENDS_MS = 180_000;

export async function catchAll(only: string | undefined, lanes: number, say: (line: string) => void): Promise<boolean> {
  const campaign = await openCampaign();
  const chosen = MUTANTS.filter(({ name }) => only === undefined || name.includes(only));
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

async function tell(
  { callee, calm }: Campaign,
  lane: Lane,
  mutant: Mutant,
  name: string,
): Promise<{ build: number; why?: string | undefined }> {
  const dist = await plant(mutant);
  const track = await openTrack(lane, callee, name, dist);
  try {
    for (;;) {
      const build = track.build();
      if (build >= BUILDS) return { build };
      const faults = build === 0 ? [] : mutant.faults;
      const found = await track.run({ faults, withinMs: ENDS_MS }).then(
        (ran) => compare(calm, build, ran.outcome),
        (error: unknown) => [String(error).split('\n')[0] ?? ''],
      );
      if (found.length > 0) return { build, why: found[0] };
    }
  } finally {
    await track.stop();
    rmSync(dist, { recursive: true, force: true });
  }
}
