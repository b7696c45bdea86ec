/** `[lo, hi)` of indexes; empty where `lo ≥ hi`. */
export interface Span {
  readonly lo: number;
  readonly hi: number;
}

/** The element at `index`, which must exist: a caller that is wrong about that is a bug. */
export function at(list: ArrayLike<number>, index: number): number {
  const value = list[index];
  if (value === undefined) throw new RangeError(`no element ${index} of ${list.length}`);
  return value;
}

/** Index of the first element of ascending `list` that is `≥ value`; its length if none is. */
export function lowerBound(list: readonly number[] | Float64Array, value: number, from = 0, to = list.length): number {
  let lo = from;
  let hi = to;
  while (lo < hi) {
    const middle = (lo + hi) >>> 1;
    if ((list[middle] ?? Infinity) < value) lo = middle + 1;
    else hi = middle;
  }
  return lo;
}

/** {@link lowerBound}, fast where the answer is near `hint`: who asks partition by partition moves by one or by a day. */
export function seek(list: Float64Array, value: number, hint: number): number {
  let lo = Math.min(Math.max(hint, 0), list.length);
  let hi = lo;
  for (let step = 1; lo > 0 && (list[lo - 1] ?? Infinity) >= value; step *= 2) {
    hi = lo;
    lo = Math.max(0, lo - step);
  }
  for (let step = 1; hi < list.length && (list[hi] ?? Infinity) < value; step *= 2) {
    lo = hi + 1;
    hi = Math.min(list.length, hi + step);
  }
  return lowerBound(list, value, lo, hi);
}

/** The first of ascending `indexes` that lies in `span`. */
export function firstWithin(indexes: readonly number[], { lo, hi }: Span): number | undefined {
  const first = indexes[lowerBound(indexes, lo)];
  return first !== undefined && first < hi ? first : undefined;
}

/** Ascending indexes as spans, successive ones joined. */
export function stretches(indexes: readonly number[]): Span[] {
  const spans: { lo: number; hi: number }[] = [];
  for (const index of indexes) {
    const last = spans.at(-1);
    if (last?.hi === index) last.hi = index + 1;
    else spans.push({ lo: index, hi: index + 1 });
  }
  return spans;
}

/** For sorting indexes. */
export function ascending(a: number, b: number): number {
  return a - b;
}
