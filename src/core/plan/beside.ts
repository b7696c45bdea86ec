import { at } from './search.js';
import { Reason, type Track } from './track.js';
import type { Outside, PlannedDataset } from './types.js';
import { STALE_WHY } from './why.js';

/** What is built of a dataset beside what was asked of it: an asked partition that is stale may be built for another reason too. */
export function outsideOf({ asked, build, reason }: Track): Outside {
  let [readers, inputs] = [0, 0];
  for (const index of build) {
    if (index >= asked.lo && index < asked.hi) continue;
    if (reason[index] === Reason.needed) inputs++;
    else readers++;
  }
  return { readers, inputs };
}

/** What was asked of a dataset, is stale, and stays so: by why it is stale. */
export function notAskedOf({ asked, published, reason }: Track): PlannedDataset['notAsked'] {
  const counts = new Map<string, number>();
  for (let index = asked.lo; index < asked.hi; index++) {
    const why = STALE_WHY[at(published, index)];
    if (why !== undefined && !reason[index]) counts.set(why, (counts.get(why) ?? 0) + 1);
  }
  return [...counts].map(([why, partitions]) => ({ why, partitions }));
}
