/**
 * Spans in messages and in what continue-as-new carries. Few are written as they are, so that a person can read them in a history. Where every second partition
 * failed, 10,000 spans would be 140 KB of JSON, and a message may have 100: then each is the gap before it and its length, in base 32 with the lowest digit
 * first, whose last digit is in lower case. That makes 20 KB of them.
 */
import type { Span } from './spans.js';

export type Packed = readonly Span[] | string;

/** So many are read at a glance: two screens, and 1.4 KB of a message. */
const READABLE_MAX = 100;

const MORE = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const LAST = 'abcdefghijklmnopqrstuvwxyz!$%&*+';
const BASE = 32;
/** By code of a character: its value, and {@link BASE} more where it is the last digit; -1 where it is none. */
const DIGITS = Int8Array.from({ length: 128 }, (_, code) => (MORE + LAST).indexOf(String.fromCharCode(code)));

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
  let [end, lo, value, weight] = [0, -1, 0, 1];
  for (let i = 0; i < packed.length; i++) {
    const digit = DIGITS[packed.charCodeAt(i)] ?? -1;
    if (digit < 0) throw new RangeError(`${JSON.stringify(packed[i])} is no digit of packed spans`);
    value += (digit % BASE) * weight;
    weight *= BASE;
    if (digit < BASE) continue;
    end += value;
    if (lo < 0) lo = end;
    else {
      spans.push([lo, end]);
      lo = -1;
    }
    value = 0;
    weight = 1;
  }
  if (lo >= 0 || weight > 1) throw new RangeError('packed spans are cut off');
  return spans;
}

/**
 * What came in a message, if it is spans. By hand: as an array of tuples for zod, the news of 10,000 failures took two thirds of what it
 * costs to replay a dataset that hears of them.
 * @throws RangeError for what {@link packSpans} never wrote
 */
export function readSpans(told: unknown): readonly Span[] {
  if (typeof told === 'string') return unpackSpans(told);
  if (!Array.isArray(told) || !told.every(isSpan)) throw new RangeError('no list of spans');
  return told;
}

function isSpan(told: unknown): told is Span {
  if (!Array.isArray(told) || told.length !== 2) return false;
  const [lo, hi] = told as readonly unknown[];
  return Number.isSafeInteger(lo) && Number.isSafeInteger(hi) && Number(lo) >= 0 && Number(hi) >= Number(lo);
}

function digits(value: number): string {
  let [text, rest] = ['', value];
  for (; rest >= BASE; rest = Math.floor(rest / BASE)) text += MORE.charAt(rest % BASE);
  return text + LAST.charAt(rest);
}
