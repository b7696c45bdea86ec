import type { FaultClass } from './fault.js';

/** First pause: a deadlock or a dropped connection is over by then. */
export const BACKOFF_BASE_MS = 1_000;
/** Longest pause: a warehouse that came back is used again within a minute. */
export const BACKOFF_CAP_MS = 60_000;
/**
 * Attempts at one piece of work before its fault stands. Their four pauses are 17 s on average, 30 s at most: longer than a
 * failover or a restart of PostgreSQL takes, short enough that a real failure is seen.
 */
export const ATTEMPTS_MAX = 5;

/**
 * Pause after attempt number `attempt` (from 1) failed, in ms: anywhere between the base and `base · 2^attempt`, the latter
 * capped. The whole stretch is drawn from ("full jitter"), so that what failed together does not come back together.
 *
 * @param random - from [0, 1); the caller's, so that a replay draws the same.
 */
export function backoffMs(attempt: number, random: number): number {
  const most = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** attempt);
  return Math.round(BACKOFF_BASE_MS + random * (most - BACKOFF_BASE_MS));
}

/** Whether the same work, tried again after a pause, may succeed. (`key_moved` waits for another partition, not for time.) */
export function retryable(fault: FaultClass): boolean {
  return fault === 'transient' || fault === 'load';
}
