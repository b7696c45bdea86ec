import type { Instant, Interval } from '../interval/interval.js';
import type { Axis } from '../time/axis.js';
import { formatDuration } from '../time/duration.js';
import { localAt } from '../time/zone.js';
import type { Built } from './edges.js';
import { touchedSpan } from './reading.js';
import { at, firstWithin } from './search.js';
import { Published, Reason } from './track.js';
import type { Track } from './track.js';
import type { PlanNode } from './types.js';

type Reasoned = Interval & { readonly why: string };

/** A partition's reason. `read`: the first rebuilt partition that it reads, for a ripple. */
interface Cause {
  readonly text: string;
  readonly read: number | undefined;
  readonly upstream: Track | undefined;
}

/**
 * Adjacent partitions with one reason, joined. Ripples from one upstream are joined even where the partitions that they read
 * differ, as `reads X from 2013-03-10`: one by one, ten rebuilt years of hours would be 87,600 reasons.
 */
export function intervalsOf(track: Track, tracks: readonly Track[], built: (track: Track) => Built): Reasoned[] {
  const joined: { cause: Cause; several: boolean; lo: number; hi: number }[] = [];
  for (const index of built(track).indexes) {
    const cause = causeOf(track, index, tracks, built);
    const last = joined.at(-1);
    if (last?.hi === index && last.cause.text === cause.text) {
      last.hi = index + 1;
      last.several ||= last.cause.read !== cause.read;
    } else {
      joined.push({ cause, several: false, lo: index, hi: index + 1 });
    }
  }
  return joined.map(({ cause, several, lo, hi }) => ({
    start: at(track.borders, lo),
    end: at(track.borders, hi),
    why: cause.text + dateOf(cause, several),
  }));
}

function causeOf(track: Track, index: number, tracks: readonly Track[], built: (track: Track) => Built): Cause {
  const reason = at(track.reason, index);
  if (reason === Reason.ripple) return rippleOf(track, index, built);
  const reader = tracks[at(track.neededBy, index)]?.node.name ?? '';
  const text =
    reason === Reason.needed
      ? `needed by ${reader}`
      : reason === Reason.aged
        ? agedText(track.node.refresh)
        : (TEXT[reason] ?? '');
  return { text, read: undefined, upstream: undefined };
}

/** Why partitions are stale, by their verdict in the ledger; the words of a plan for them. */
export const STALE_WHY: Readonly<Record<number, string>> = {
  [Published.definition]: 'definition changed',
  [Published.columns]: 'the source has more columns',
  [Published.inputs]: 'inputs changed',
  [Published.moved]: 'rows moved to another partition',
};

const TEXT: Readonly<Record<number, string>> = {
  [Reason.missing]: 'missing',
  [Reason.definition]: `stale: ${STALE_WHY[Published.definition]}`,
  [Reason.columns]: `stale: ${STALE_WHY[Published.columns]}`,
  [Reason.inputs]: `stale: ${STALE_WHY[Published.inputs]}`,
  [Reason.moved]: `stale: ${STALE_WHY[Published.moved]}`,
  [Reason.asked]: 'asked for',
  [Reason.again]: 'read again: its source was mended',
  [Reason.unseen]: 'missing: has inputs that it never read',
};

function agedText(refresh: PlanNode['refresh']): string {
  return typeof refresh === 'string' ? `refresh: ${refresh}` : `refresh: older than ${formatDuration(refresh)}`;
}

function rippleOf(track: Track, index: number, built: (track: Track) => Built): Cause {
  for (const input of track.inputs) {
    if (input.need.stale === 'ignore') continue;
    const read = firstWithin(built(input.upstream).indexes, touchedSpan(track, input, index));
    if (read !== undefined) return { text: `reads ${input.upstream.node.name}`, read, upstream: input.upstream };
  }
  throw new Error(`${track.node.name} is rebuilt by a ripple, but reads nothing that is rebuilt`);
}

function dateOf({ read, upstream }: Cause, several: boolean): string {
  if (read === undefined || upstream === undefined || upstream.timeless) return '';
  return ` ${several ? 'from ' : ''}${formatDate(upstream.node.axis, at(upstream.borders, read))}`;
}

/** `2013-03-10` in the zone for day and longer, `2013-03-10T05:00Z` for shorter grains. */
function formatDate({ grain, zone }: Axis, start: Instant): string {
  const clock = grain === 'hour' || grain === '15m' || grain === '5m';
  return clock ? `${isoOf(start).slice(0, 16)}Z` : isoOf(localAt(zone, start)).slice(0, 10);
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
