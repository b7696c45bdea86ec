/** Middle value; the mean of the two middle ones where their number is even. Throws on none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  if (upper === undefined || lower === undefined) throw new Error('no values, no median');
  return (upper + lower) / 2;
}

/** What one run measured, both sides in the same run: only their ratio means something on a shared machine. */
export interface Pair {
  readonly sluice: number;
  readonly baseline: number;
}

/** Median of the ratios run by run, which is not the ratio of the medians. */
export function medianRatio(pairs: readonly Pair[]): number {
  return median(pairs.map(({ sluice, baseline }) => sluice / baseline));
}

/** A Markdown table with padded columns: reads well on a terminal, and goes into docs as it is. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const width = head.map((title, column) => Math.max(title.length, 3, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${width.map((size, column) => (cells[column] ?? '').padEnd(size)).join(' | ')} |`;
  return [line(head), line(width.map((size) => '-'.repeat(size))), ...rows.map(line)].join('\n');
}
