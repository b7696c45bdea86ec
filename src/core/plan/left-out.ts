import { formatInterval } from '../interval/interval.js';
import { readSpan } from './reading.js';
import { ascending, at, firstWithin } from './search.js';
import { Obstacle } from './track.js';
import type { Track } from './track.js';
import type { PlanNotice } from './types.js';

/** Code and sentence for every obstacle that lies upstream. What is itself incomplete or excluded is said elsewhere. */
const SAID: Readonly<Record<number, { readonly code: string; readonly because: (upstream: string) => string }>> = {
  [Obstacle.inputIncomplete]: {
    code: 'not_complete_yet',
    because: (upstream) => `reads ${upstream}, which is not complete yet`,
  },
  [Obstacle.inputExcluded]: {
    code: 'input_excluded',
    because: (upstream) => `reads ${upstream}, which is not there and not part of this plan`,
  },
  // Wanted by `retry --upstream` alone.
  [Obstacle.outside]: { code: 'input_outside', because: () => 'outside of the range, which --only keeps as it is' },
  [Obstacle.inputOutside]: {
    code: 'input_outside',
    because: (upstream) =>
      `reads ${upstream} outside of the range, where it is not there; without --only that is built too`,
  },
  [Obstacle.inputUnread]: {
    code: 'nothing_to_read',
    because: (upstream) => `reads ${upstream}, which has nothing to read yet`,
  },
  [Obstacle.unread]: {
    code: 'nothing_to_read',
    because: () => 'reads from the start of its upstreams to their first gap, and a gap is at the start',
  },
};

/** Says which partitions were wanted and can't be built, one notice for each cause. */
export function leftOutNotices(track: Track): PlanNotice[] {
  const groups = new Map<string, { code: string; because: string; indexes: number[] }>();
  for (const index of [...track.leftOut].sort(ascending)) {
    const said = SAID[at(track.obstacle, index)];
    if (said === undefined) continue;
    const because = said.because(culpritOf(track, index));
    const group = groups.get(because) ?? { code: said.code, because, indexes: [] };
    groups.set(because, group);
    group.indexes.push(index);
  }
  return [...groups.values()].map(({ code, because, indexes }) => {
    const start = at(track.borders, at(indexes, 0));
    const end = at(track.borders, at(indexes, indexes.length - 1) + 1);
    const what = indexes.length === 1 ? '' : `${indexes.length} partitions in `;
    return { dataset: track.node.name, code, message: `${what}${formatInterval({ start, end })} left out: ${because}` };
  });
}

function culpritOf(track: Track, index: number): string {
  const culprit = track.inputs.find(
    (input) => firstWithin(input.upstream.unavailable, readSpan(track, input, index)) !== undefined,
  );
  return culprit?.upstream.node.name ?? '';
}
