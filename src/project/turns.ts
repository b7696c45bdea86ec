import { setImmediate } from 'node:timers/promises';

/** Work is carried on for so long before others of this process have their turn: a worker answers queries beside its planning. */
const TURN_MS = 20;

/**
 * To be awaited between two steps of long work: lets whatever else this process does go on, where that has waited for a turn's time.
 *
 * @example
 * const turn = takeTurns();
 * for (const file of files) {
 *   read(file);
 *   await turn();
 * }
 */
export function takeTurns(): () => Promise<void> {
  let until = performance.now() + TURN_MS;
  return async () => {
    if (performance.now() < until) return;
    await setImmediate();
    until = performance.now() + TURN_MS;
  };
}
