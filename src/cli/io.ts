import type { Screen, Times } from './render/text.js';

/** Where a command writes, and what it was given. Handed in by `main`, so that a command reads no environment of its own. */
export interface Io {
  readonly env: NodeJS.ProcessEnv;
  /** Paths are looked for from here. */
  readonly cwd: () => string;
  readonly out: (text: string) => void;
  /** To stdout as it is, whatever looks like a command in it. */
  readonly raw: (text: string) => void;
  readonly err: (text: string) => void;
  readonly screen: () => Screen;
  /** From here on times are shown by these clocks: the project's, once it is opened. */
  readonly showTimes: (times: Times) => void;
  /** Whether stdout is a terminal that can be redrawn. */
  readonly isTerminal: boolean;
  /** Asks a person; undefined where nobody is there to answer. */
  readonly ask: ((question: string) => Promise<string>) | undefined;
  /** From the first call on, Ctrl-C aborts the signal instead of ending the process; a second Ctrl-C ends it. */
  readonly interruptible: () => AbortSignal;
  readonly now: () => number;
  /** A text or a document as it is printed: its commands say where, see `place.ts`. What goes to `out` and `err` is made so. */
  readonly text: (text: string) => string;
  readonly placed: (document: unknown) => unknown;
}

/** Prints one document: JSON, or lines for people. */
export function print(io: Io, json: boolean, document: unknown, lines: () => readonly string[]): void {
  io.out(json ? `${JSON.stringify(io.placed(document), null, 2)}\n` : `${lines().join('\n')}\n`);
}
