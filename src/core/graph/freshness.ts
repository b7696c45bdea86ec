import type { Instant } from '../interval/interval.js';
import { addDuration, type Duration } from '../time/duration.js';

/** The first rank of all: nobody's own word puts a dataset before one that is about to be late. */
export const AT_RISK = 1;
/** Part of the freshness that may go by before a dataset counts as about to be late: what is built first still has to be built. */
const SPENT = 0.8;

export interface Fresh {
  /** How late its data may be. */
  readonly freshness: Duration;
  readonly zone: string;
  /** Where what is published ends. */
  readonly until: Instant;
  /** Where it will end when the plan is carried out. */
  readonly planned: Instant;
}

/** Whether a dataset is late, or about to be, and the plan is what would bring it up to date. */
export function isAtRisk({ freshness, zone, until, planned }: Fresh, now: Instant): boolean {
  if (planned <= until) return false;
  const due = addDuration(until, freshness, zone, 1);
  return now >= until + SPENT * (due - until);
}
