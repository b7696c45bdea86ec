import type { Io } from '../../../src/cli/io.js';

/** A terminal of nobody's: what verbs print goes to `out`, and the clock stands. */
export function silentIo(out: (text: string) => void = () => undefined, now = 0): Io {
  return {
    env: {},
    cwd: () => '/',
    out,
    raw: out,
    err: () => undefined,
    screen: () => ({ width: 100, height: 40, now: 0, color: false }),
    showTimes: () => undefined,
    isTerminal: false,
    ask: undefined,
    interruptible: () => new AbortController().signal,
    now: () => now,
    text: (text) => text,
    placed: (document) => document,
  };
}
