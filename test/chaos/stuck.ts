import type { Judge } from './proxy.js';
import { isBegin, isCommitted } from './wire.js';

/**
 * Stalls slices where they begin a batch.
 * @param name - how the names of their connections end: of any attempt, or of one
 * @param batches - how many each has published by then
 * @param stuck - the names of those that are stuck, as they come
 */
export function stallAtBegin(name: string, batches: number, stuck: Set<string>): Judge {
  const commits = new Map<string, number>();
  return ({ slice, from, message }) => {
    if (slice?.endsWith(name) !== true) return 'pass';
    const done = commits.get(slice) ?? 0;
    if (from === 'server' && isCommitted(message)) commits.set(slice, done + 1);
    // The first was of its lease.
    if (from !== 'worker' || done < 1 + batches || !isBegin(message)) return 'pass';
    stuck.add(slice);
    return 'stall';
  };
}
