import type { Command } from 'commander';
import type { Io } from '../io.js';

/** One verb. `interrupt` lets `dev`, `worker` and waiting commands take Ctrl-C themselves. */
export interface Verb {
  readonly make: (io: Io, exit: (code: number) => void, interrupt: AbortController) => Command;
}
