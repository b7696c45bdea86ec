/** Reports of progress that the children of one backfill send together: each costs its history a few of at most 10,000 events. */
export const PROGRESS_REPORTS = 1_000;

/** Reports that each of `children` may send; at least one. */
export function reportBudget(children: number): number {
  return Math.max(1, Math.floor(PROGRESS_REPORTS / Math.max(1, children)));
}

/** Below this, a pause is not reported either: the backfill that gave the order knows of it. */
export const REPORTS_FEW = 4;

/**
 * Whether to report that `done` of `total` partitions are done, where `lastReported` were said to be: at even steps, and at the end.
 * While `done` grows, that is at most `budgetPerChild` times.
 */
export function shouldReport(lastReported: number, done: number, total: number, budgetPerChild: number): boolean {
  const step = Math.max(1, Math.ceil(total / budgetPerChild));
  return done > lastReported && (done - lastReported >= step || done === total);
}
