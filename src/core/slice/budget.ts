/** Reports of progress that the children of one backfill send together: each costs its history a few of at most 10,000 events. */
export const PROGRESS_REPORTS = 1_000;

/** Reports that each of `children` may send; at least one. */
export function reportBudget(children: number): number {
  return Math.max(1, Math.floor(PROGRESS_REPORTS / Math.max(1, children)));
}

const REPORTS_FEW = 4;

/** Whether each of very many has so few reports that it keeps to itself what its backfill knows or assumes: a pause that this ordered, and that it cannot begin yet. */
export function reportsLittle(budgetPerChild: number): boolean {
  return budgetPerChild < REPORTS_FEW;
}

/**
 * Whether to report that `done` of `total` partitions are done, where `lastReported` were said to be: at even steps, and at the end.
 * While `done` grows, that is at most `budgetPerChild` times.
 */
export function shouldReport(lastReported: number, done: number, total: number, budgetPerChild: number): boolean {
  const step = Math.max(1, Math.ceil(total / budgetPerChild));
  return done > lastReported && (done - lastReported >= step || done === total);
}
