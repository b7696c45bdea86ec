/**
 * Spans in messages and in what continue-as-new carries. Few are written as they are, so that a person can read them in a history. Where every second partition
 * failed, 10,000 spans would be 140 KB of JSON, and a message may have 100: then each is the gap before it and its length, in base 32 with the lowest digit
 * first, whose last digit is in lower case. That makes 20 KB of them.
 */
import type { Span } from './spans.js';

export type Packed = readonly Span[] | string;

/** With so many spans a message is still 14 KB. */
const READABLE_MAX = 1_000;

const MORE = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const LAST = 'abcdefghijklmnopqrstuvwxyz!$%&*+';
const BASE = 32;

/** Ascending spans, for a message. */
export function packSpans(spans: readonly Span[]): Packed {
  if (spans.length <= READABLE_MAX) return spans;
  let end = 0;
  return spans
    .map(([lo, hi]) => {
      const text = digits(lo - end) + digits(hi - lo);
      end = hi;
      return text;
    })
    .join('');
}

/** What {@link packSpans} packed. @throws RangeError for what it never wrote */
export function unpackSpans(packed: Packed): readonly Span[] {
  if (typeof packed !== 'string') return packed;
  const spans: Span[] = [];
  let [end, lo, value, weight]: [number, number | null, number, number] = [0, null, 0, 1];
  for (const digit of packed) {
    const [more, last] = [MORE.indexOf(digit), LAST.indexOf(digit)];
    if (more < 0 && last < 0) throw new RangeError(`${JSON.stringify(digit)} is no digit of packed spans`);
    value += Math.max(more, last) * weight;
    weight *= BASE;
    if (last < 0) continue;
    end += value;
    if (lo === null) lo = end;
    else {
      spans.push([lo, end]);
      lo = null;
    }
    [value, weight] = [0, 1];
  }
  if (lo !== null || weight > 1) throw new RangeError('packed spans are cut off');
  return spans;
}

function digits(value: number): string {
  let [text, rest] = ['', value];
  for (; rest >= BASE; rest = Math.floor(rest / BASE)) text += MORE.charAt(rest % BASE);
  return text + LAST.charAt(rest);
}
