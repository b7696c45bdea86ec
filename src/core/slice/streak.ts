/**
 * The breaker of a dataset: where one partition after another fails alike and none succeeds, the next ones are not tried. Each would
 * cost its statement, and a joined batch of them twice as many again to be cut up. It half-opens by one partition, when a person says so.
 */
export interface Streak {
  /** Of the last partitions that failed, with no other code and no success in between. */
  readonly code: string;
  readonly count: number;
  /** A person asked for another try: one partition goes ahead, alone. */
  readonly probing: boolean;
}

/** That many failures alike are no bad rows any more; few enough that a year of hours does not fail one by one. */
export const STREAK_MAX = 20;

export const NO_STREAK: Streak = { code: '', count: 0, probing: false };

/** Partitions failed for good. */
export function lengthen(streak: Streak, code: string, partitions: number): Streak {
  if (partitions === 0) return streak;
  return { ...streak, code, count: (code === streak.code ? streak.count : 0) + partitions };
}

/** Whether the dataset is to be held for it. */
export function isTooLong({ count, probing }: Streak): boolean {
  return count >= (probing ? 1 : STREAK_MAX);
}

/** What a person's `retry` makes of it. */
export function tryAgain(streak: Streak): Streak {
  return isTooLong(streak) ? { ...NO_STREAK, probing: true } : NO_STREAK;
}

/** Why it is held, before the words of the last failure. */
export function streakWords({ code, count, probing }: Streak): string {
  const what = code.replaceAll('_', ' ');
  return probing
    ? `held again: the partition that was tried failed too (${what})`
    : `held: ${count} partitions failed alike (${what}) and none succeeded in between; retry tries one first`;
}
