/**
 * A worker that lacks what others have, a password or a name server, would fail slice after slice that they pass, and fast: it would have most of
 * them. So it leaves slices to others as long as there are others; the last one goes on, and fails as all would.
 */

/** A worker that asked a queue for work: when it last did, in ms since the epoch. */
export interface Asked {
  readonly identity: string;
  readonly polledAt: number;
}

/** A poll lasts a minute at most, and counts from its beginning: a worker that asked longer ago than this is gone. */
export const LATELY_MS = 75_000;

/** Those beside `me` that carry slices out: they asked for some lately, and have not stood aside since. */
export function carryingOn(
  me: string,
  slices: readonly Asked[],
  aside: readonly Asked[],
  now: number,
): readonly string[] {
  const left = lastOf(aside);
  return [...lastOf(slices)]
    .filter(([identity, at]) => identity !== me && now - at < LATELY_MS && at > (left.get(identity) ?? -Infinity))
    .map(([identity]) => identity);
}

/** Those that stand aside: they said so lately, and have not asked for slices since. */
export function standingAside(slices: readonly Asked[], aside: readonly Asked[], now: number): readonly string[] {
  const back = lastOf(slices);
  return [...lastOf(aside)]
    .filter(([identity, at]) => now - at < LATELY_MS && at >= (back.get(identity) ?? -Infinity))
    .map(([identity]) => identity);
}

function lastOf(asked: readonly Asked[]): Map<string, number> {
  const last = new Map<string, number>();
  for (const { identity, polledAt } of asked) last.set(identity, Math.max(polledAt, last.get(identity) ?? -Infinity));
  return last;
}
