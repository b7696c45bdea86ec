#!/usr/bin/env node
import { run } from './run.js';

/** Asks on the terminal. */
async function ask(question: string): Promise<string> {
  const { createInterface } = await import('node:readline/promises');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  // Without an answer, as at the end of the input, it is none.
  const ended = new Promise<string>((done) => lines.once('close', () => done('')));
  try {
    return await Promise.race([lines.question(question), ended]);
  } finally {
    lines.close();
  }
}

const interrupted = new AbortController();
let isInterruptible = false;
// Whoever read our output is gone (`| head -1`): what follows a backfill lets go of it as at Ctrl-C, the rest ends as it would.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  interrupted.abort();
});
process.exitCode = await run(process.argv.slice(2), {
  env: process.env,
  cwd: () => process.cwd(),
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  screen: () => ({
    width: process.stdout.columns || 100,
    height: process.stdout.rows || 40,
    now: Date.now(),
    color: process.stdout.isTTY && process.env['NO_COLOR'] === undefined,
  }),
  isTerminal: process.stdout.isTTY,
  ask: process.stdin.isTTY && process.stderr.isTTY ? ask : undefined,
  colorsErrors: process.stderr.isTTY,
  interruptible: () => {
    // Not once: the live display's library would find that nobody listens, and end the process before a word is said.
    if (!isInterruptible)
      process.on('SIGINT', () => {
        if (interrupted.signal.aborted) process.exit(130);
        interrupted.abort();
      });
    isInterruptible = true;
    return interrupted.signal;
  },
  now: () => Date.now(),
});
// Connections that are still closing must not keep a command alive that has answered; what it wrote is flushed first.
process.stdout.write('', () => process.stderr.write('', () => process.exit()));
