import { formatInstant, formatInterval } from '../interval/interval.js';
import { overlapping } from './borders.js';
import { at, lowerBound } from './search.js';
import { completeUntil, Published, Reason } from './track.js';
import type { Track } from './track.js';
import type { Span } from './search.js';
import type { PlanInput, PlanNotice, PlanRange } from './types.js';

/** Sets the partitions that are asked of a dataset: the range rounded out, from its start to its last complete one. */
export function ask(track: Track, range: PlanRange): PlanNotice[] {
  if (track.timeless) {
    track.asked = { lo: 0, hi: 1 };
    return [];
  }
  const { node, borders } = track;
  const { askedAt = Infinity } = range;
  const complete = askedAt === Infinity ? track.complete : lowerBound(borders, completeUntil(node, askedAt));
  const { lo, hi } = inRange(track, range);
  track.asked = { lo, hi: Math.max(lo, Math.min(hi, complete, track.complete)) };
  return askedNotices(track, Math.min(complete, track.complete), range);
}

/** Whether a notice tells no more than how the range lies on a dataset's axis. */
export function isOfRange({ code, message }: Pick<PlanNotice, 'code' | 'message'>): boolean {
  return code === 'rounded_out' || (code === 'not_complete_yet' && message.startsWith(UNTIL));
}

const UNTIL = 'what ends after ';

/** The partitions that a range holds or touches, complete or not. */
export function inRange({ borders }: Track, { from = -Infinity, to = Infinity }: PlanRange): Span {
  return overlapping(borders, { start: from, end: to });
}

function askedNotices({ node, borders, asked }: Track, complete: number, { from, to }: PlanRange): PlanNotice[] {
  const notices: PlanNotice[] = [];
  const say = (code: string, message: string): void => void notices.push({ dataset: node.name, code, message });
  const start = at(borders, 0);
  const until = at(borders, complete);
  const empty = asked.lo === asked.hi;
  if ((from !== undefined && from < start) || (to !== undefined && to <= start)) {
    say('before_start', `what lies before its start, ${formatInstant(start)}, is left out`);
  }
  const beyond = to !== undefined && to > until;
  if (beyond || (empty && (to === undefined || to > start))) {
    say('not_complete_yet', `${UNTIL}${formatInstant(until)} is left out: it is not complete yet`);
  }
  const askedRange = { start: at(borders, asked.lo), end: at(borders, asked.hi) };
  const wider = (from !== undefined && askedRange.start < from) || (to !== undefined && askedRange.end > to);
  if (!empty && wider) say('rounded_out', `rounded out to whole partitions: ${formatInterval(askedRange)}`);
  return notices;
}

/** Why an asked partition is built, by what the ledger says of it; `Reason.none` where it stays as it is. */
export function reasonFor(published: number | undefined, rebuild: PlanInput['rebuild']): number {
  if (published === Published.no) return Reason.missing;
  if (published === Published.unseen) return Reason.unseen;
  if (published === Published.aged) return Reason.aged;
  if (rebuild === 'missing') return Reason.none;
  if (published === Published.definition) return Reason.definition;
  if (published === Published.columns) return Reason.columns;
  if (published === Published.inputs) return Reason.inputs;
  if (published === Published.moved) return Reason.moved;
  return rebuild === 'all' ? Reason.asked : Reason.none;
}

const STALE = new Set<number>([Published.definition, Published.columns, Published.inputs, Published.moved]);

export interface Counts {
  readonly missing: number;
  readonly stale: number;
  readonly upToDate: number;
}

/** The three counts over the asked partitions, or over what is built where nothing was asked. */
export function countsOf({ asked, published, build }: Track): Counts {
  const counts = { missing: 0, stale: 0, upToDate: 0 };
  const add = (verdict: number | undefined): void => {
    if (verdict === Published.fresh) counts.upToDate++;
    else if (verdict !== undefined && STALE.has(verdict)) counts.stale++;
    else counts.missing++;
  };
  if (asked.lo < asked.hi) published.subarray(asked.lo, asked.hi).forEach(add);
  else for (const index of build) add(published[index]);
  return counts;
}
