import type { Command } from 'commander';
import type { Io } from './io.js';

/** One verb of the command line. */
export interface Verb {
  /** `exit` sets the exit code; without it, 0. */
  readonly make: (io: Io, exit: (code: number) => void) => Command;
}
