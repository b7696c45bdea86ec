/**
 * The partitions that are left to publish, in stretches without a gap. A batch whose answer was lost comes back in batches of other borders: what it had
 * published is in some of them beside what nobody has.
 */
export function stretchesWithout<Partition extends { readonly start: string }>(
  published: ReadonlyMap<string, unknown>,
  partitions: readonly Partition[],
): Partition[][] {
  const stretches: Partition[][] = [[]];
  for (const partition of partitions) {
    if (!published.has(partition.start)) stretches.at(-1)?.push(partition);
    else if (stretches.at(-1)?.length !== 0) stretches.push([]);
  }
  return stretches.filter(({ length }) => length > 0);
}
