import { setTimeout as wait } from 'node:timers/promises';

/** Asks again until `look` answers something other than undefined or false; fails after `withinMs`. The one place where a test may wait. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  withinMs = 30_000,
  everyMs = 25,
): Promise<T> {
  const until = Date.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > until) throw new Error(`not within ${withinMs} ms: ${what}`);
    await wait(everyMs);
  }
}
