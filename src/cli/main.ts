#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { RequestError, SluiceError } from '../contracts/errors.js';
import type { Io } from './io.js';
import { NOWHERE, placed, placedDocument, placeOf } from './place.js';
import { errorDocument, errorLines } from './render/errors.js';
import type { Times } from './render/text.js';
import { local, zoneLine } from './render/times.js';
import { COMMANDS } from './commands/index.js';
import { packageVersion } from '../worker/version.js';

/**
 * The `sluice` command. Each verb loads what it needs when it runs: Temporal's client alone takes 0.7 s to load, and
 * `plan` does without.
 */
async function main(): Promise<number> {
  const interrupted = new AbortController();
  let isInterruptible = false;
  const json = process.argv.includes('--json');
  let place = NOWHERE;
  let times: Times | undefined;
  const text = (shown: string): string => placed(times ? local(shown, times) : shown, place);
  const io: Io = {
    env: process.env,
    out: (shown) => process.stdout.write(json ? shown : text(shown)),
    err: (shown) => process.stderr.write(text(shown)),
    screen: () => ({
      width: process.stdout.columns || 100,
      height: process.stdout.rows || 40,
      now: Date.now(),
      color: process.stdout.isTTY && process.env['NO_COLOR'] === undefined,
      times,
    }),
    showTimes: (given) => (times = given),
    isTerminal: process.stdout.isTTY,
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
    text,
    placed: (document) => placedDocument(document, place),
  };
  // Whoever read our output is gone (`| head -1`): what follows a backfill lets go of it as at Ctrl-C, the rest ends as it would.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    interrupted.abort();
  });
  const program = new Command('sluice')
    .description('A durable backfill engine for data warehouses, on Temporal')
    .version(packageVersion())
    .showSuggestionAfterError()
    // What follows a verb is the verb's: `warehouse hold` has options of the names that `warehouse` has.
    .enablePositionalOptions()
    .exitOverride();
  program.hook('preAction', (_, verb) => {
    place = placeOf(
      verb,
      process.env,
      program.commands.map((one) => one.name()),
    );
  });
  let exitCode = 0;
  for (const { make } of COMMANDS) {
    const command = make(io, (code) => (exitCode = code));
    command.exitOverride();
    program.addCommand(command);
  }
  try {
    requireFolder();
    await program.parseAsync(process.argv);
    return exitCode;
  } catch (error) {
    return report(io, error);
  }
}

/** Every path is looked for from here. @throws RequestError no_folder */
function requireFolder(): void {
  try {
    process.cwd();
  } catch (cause) {
    throw new RequestError(
      'no_folder',
      'the folder that this was started in is no longer there',
      'change to one that is',
      { cause },
    );
  }
}

function report(io: Io, error: unknown): number {
  if (error instanceof CommanderError) return reportUsage(io, error);
  if (process.argv.includes('--json')) io.out(`${JSON.stringify(io.placed(errorDocument(error)))}\n`);
  else {
    const screen = io.screen();
    const lines = errorLines(error, { color: process.stderr.isTTY }).join('\n');
    const zone =
      screen.times && local(lines, screen.times) !== lines ? `  ${zoneLine({ ...screen, color: false })}\n` : '';
    io.err(`${lines}\n${zone}`);
  }
  if (process.env['SLUICE_DEBUG'] !== undefined && error instanceof Error) io.err(`${error.stack ?? ''}\n`);
  return error instanceof SluiceError ? error.exitCode : 1;
}

/** What commander refuses it has said on stderr already; a program that asked for JSON gets its document as well. */
function reportUsage(io: Io, { exitCode, code, message }: CommanderError): number {
  if (exitCode === 0) return 0;
  const said = code === 'commander.help' ? 'no verb was given' : message.replace(/^error: /, '');
  const refused = new RequestError(
    'usage',
    said,
    '`sluice --help` lists the verbs, `sluice <verb> --help` their options',
  );
  if (process.argv.includes('--json')) io.out(`${JSON.stringify(errorDocument(refused))}\n`);
  else if (code !== 'commander.help') io.err(`  ${refused.remedy ?? ''}\n`);
  return refused.exitCode;
}

process.exitCode = await main();
// Connections that are still closing must not keep a command alive that has answered; what it wrote is flushed first.
process.stdout.write('', () => process.stderr.write('', () => process.exit()));
