/** Adjacent ordinals, half-open: `[lo, hi)`. A list of them is ascending, without overlap and without touching neighbours. */
export type Span = readonly [lo: number, hi: number];

/** The element at `index`. Throws RangeError off the ends, where a bare read would give `undefined`. */
export function at(array: Uint8Array | Int32Array, index: number): number {
  const value = array[index];
  if (value === undefined) throw new RangeError(`index ${index} is outside [0, ${array.length})`);
  return value;
}

/** The ordinals of `[lo, hi)` that satisfy `holds`, as spans. */
export function spansWhere(lo: number, hi: number, holds: (ordinal: number) => boolean): Span[] {
  const spans: Span[] = [];
  let start = -1;
  for (let ordinal = lo; ordinal < hi; ordinal++) {
    if (holds(ordinal)) {
      if (start < 0) start = ordinal;
    } else if (start >= 0) {
      spans.push([start, ordinal]);
      start = -1;
    }
  }
  if (start >= 0) spans.push([start, hi]);
  return spans;
}

/** The indices at which `codes` holds `code`, as spans. */
export function spansOf(codes: Uint8Array, code: number): Span[] {
  return spansWhere(0, codes.length, (index) => codes[index] === code);
}

/** Writes `value` at every ordinal of `spans`. Throws RangeError for a span that is reversed or off the ends. */
export function fillSpans(codes: Uint8Array, spans: readonly Span[], value: number): void {
  for (const span of spans) {
    checkSpan(span, codes.length);
    codes.fill(value, span[0], span[1]);
  }
}

/** Throws RangeError unless `0 ≤ lo ≤ hi ≤ length`, all whole numbers. */
export function checkSpan([lo, hi]: Span, length: number): void {
  if (!(Number.isInteger(lo) && Number.isInteger(hi) && lo >= 0 && lo <= hi && hi <= length)) {
    throw new RangeError(`[${lo}, ${hi}) is no span of the ordinals [0, ${length})`);
  }
}

/** The union of spans given in any order, overlapping or not. */
export function mergeSpans(spans: readonly Span[]): Span[] {
  const merged: Span[] = [];
  for (const [lo, hi] of [...spans].sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (lo >= hi) continue;
    if (last && lo <= last[1]) merged[merged.length - 1] = [last[0], Math.max(last[1], hi)];
    else merged.push([lo, hi]);
  }
  return merged;
}

/** Ordinals in all. The spans must not overlap: see {@link mergeSpans}. */
export function countSpans(spans: readonly Span[]): number {
  return spans.reduce((sum, [lo, hi]) => sum + hi - lo, 0);
}

/** Every ordinal, in the order of the spans. */
export function* ordinalsOf(spans: readonly Span[]): Generator<number> {
  for (const [lo, hi] of spans) for (let ordinal = lo; ordinal < hi; ordinal++) yield ordinal;
}
