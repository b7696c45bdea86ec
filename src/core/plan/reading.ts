import { readInterval, readIntervalOfSelf, readersInterval, readersIntervalOfSelf } from '../graph/mapping.js';
import type { Interval } from '../interval/interval.js';
import { intervalAt, overlapping } from './borders.js';
import { at, firstWithin, stretches } from './search.js';
import type { Span } from './search.js';
import type { Input, Track } from './track.js';

/**
 * The partitions of `input.upstream` that partition `index` of `reader` reads. A `grain: none` reader takes what is covered,
 * up to the first gap: so nothing in its span is ever missing, and it widens nothing.
 */
export function readSpan(reader: Track, input: Input, index: number): Span {
  const { upstream, need } = input;
  if (upstream.timeless) return { lo: 0, hi: 1 };
  if (!reader.timeless) {
    const read = upstream === reader ? readIntervalOfSelf : readInterval;
    const interval = read(need, reader.node.axis, intervalAt(reader.borders, index));
    if (interval === undefined) return { lo: 0, hi: 0 };
    return (input.near = overlapping(upstream.borders, interval, input.near));
  }
  const window = windowOf(reader);
  return window === undefined ? { lo: 0, hi: 0 } : { lo: 0, hi: overlapping(upstream.borders, window).hi };
}

/**
 * The same of what may change the partition: SQL that does not stop at `:end` in an upstream also reads what is published there beyond the first gap, so
 * it waits for that, and is built again with it.
 */
export function touchedSpan(reader: Track, input: Input, index: number): Span {
  const { upstream } = input;
  const all = reader.timeless && !upstream.timeless && reader.node.unbounded?.includes(upstream.node.name) === true;
  return all ? { lo: 0, hi: upstream.count } : readSpan(reader, input, index);
}

/**
 * What a `grain: none` dataset reads: from its upstreams' start to the first gap in what the ledger and the plan cover. It
 * grows with the plan. Undefined where that is nothing, and where no upstream has a time axis.
 */
export function windowOf(reader: Track): Interval | undefined {
  let start = Infinity;
  let end = Infinity;
  for (const { upstream } of reader.inputs) {
    if (upstream.timeless) continue;
    start = Math.min(start, at(upstream.borders, 0));
    end = Math.min(end, at(upstream.borders, firstGap(upstream)));
  }
  return start < end ? { start, end } : undefined;
}

/** Whether it reads anything that has a time axis. */
export function readsTime(reader: Track): boolean {
  return reader.inputs.some(({ upstream }) => !upstream.timeless);
}

function firstGap(track: Track): number {
  while (track.covered < track.count && (track.published[track.covered] || track.reason[track.covered]))
    track.covered++;
  return track.covered;
}

/**
 * Visits, ascending and once each, every partition of `reader` that reads one of the upstream's partitions `indexes`
 * (ascending), with the first of them that it reads. `open` says, cheaply, which partitions matter, `spanOf` what counts as read.
 */
export function forEachReader(
  reader: Track,
  input: Input,
  indexes: readonly number[],
  open: (index: number) => boolean,
  visit: (index: number, read: number) => void,
  spanOf: typeof readSpan = touchedSpan,
): void {
  for (const { lo, hi } of candidates(reader, input, indexes)) {
    for (let index = lo; index < hi; index++) {
      if (!open(index)) continue;
      const read = firstWithin(indexes, spanOf(reader, input, index));
      if (read !== undefined) visit(index, read);
    }
  }
}

/** Spans of the reader, ascending and disjoint, that hold all who read one of `indexes`, and perhaps others near by. */
function candidates(reader: Track, { need, upstream }: Input, indexes: readonly number[]): Span[] {
  if (indexes.length === 0) return [];
  if (reader.timeless || upstream.timeless) return [{ lo: 0, hi: reader.count }];
  const spans: Span[] = [];
  let done = 0;
  for (const { lo, hi } of stretches(indexes)) {
    const changed = { start: at(upstream.borders, lo), end: at(upstream.borders, hi) };
    const readers = upstream === reader ? readersIntervalOfSelf : readersInterval;
    const interval = readers(need, reader.node.axis, changed);
    if (interval === undefined) continue;
    const span = overlapping(reader.borders, interval);
    if (span.hi > done) spans.push({ lo: Math.max(done, span.lo), hi: span.hi });
    done = Math.max(done, span.hi);
  }
  return spans;
}
