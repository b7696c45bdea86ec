import { Command, CommanderError } from 'commander';
import { RequestError, SluiceError } from '../contracts/errors.js';
import { packageVersion } from '../worker/version.js';
import { COMMANDS } from './commands/index.js';
import type { Io } from './io.js';
import { NOWHERE, placed, placedDocument, placeOf } from './place.js';
import type { Times } from './render/text.js';
import { local, zoneLine } from './render/times.js';
import { errorDocument, errorLines } from './render/errors.js';

/** All that a command has of its process: whoever calls {@link run} may have many at once. */
export interface Surroundings extends Omit<Io, 'raw' | 'showTimes' | 'text' | 'placed'> {
  readonly colorsErrors: boolean;
}

/**
 * Runs one command to its end, as `sluice` does; answers its exit code. Each verb loads what it needs when it runs: Temporal's client alone takes
 * 0.7 s to load, and `plan` does without.
 * @param args - without the program: `['plan', '--json']`
 */
export async function run(args: readonly string[], around: Surroundings): Promise<number> {
  const json = args.includes('--json');
  let place = NOWHERE;
  let times: Times | undefined;
  const text = (shown: string): string => placed(times ? local(shown, times) : shown, place);
  const io: Io = {
    ...around,
    out: (shown) => {
      around.out(json ? shown : text(shown));
    },
    raw: around.out,
    err: (shown) => {
      around.err(text(shown));
    },
    screen: () => ({ ...around.screen(), times }),
    showTimes: (given) => (times = given),
    text,
    placed: (document) => placedDocument(document, place),
  };
  const program = new Command('sluice')
    .description('A durable backfill engine for data warehouses, on Temporal')
    .version(packageVersion())
    .showSuggestionAfterError()
    // What follows a verb is the verb's: `warehouse hold` has options of the names that `warehouse` has.
    .enablePositionalOptions();
  contain(program, around);
  program.hook('preAction', (_, verb) => {
    readVariables(verb, around.env);
    place = placeOf(
      verb,
      around.env,
      program.commands.map((one) => one.name()),
    );
  });
  let exitCode = 0;
  for (const { make } of COMMANDS) {
    const command = make(io, (code) => (exitCode = code));
    contain(command, around);
    program.addCommand(command);
  }
  try {
    requireFolder(around.cwd);
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    return report(io, error, { json, colored: around.colorsErrors });
  }
}

/** A command and its subcommands print where we say, and throw instead of ending the process. */
function contain(command: Command, { out, err }: Pick<Surroundings, 'out' | 'err'>): void {
  command.configureOutput({ writeOut: out, writeErr: err }).exitOverride();
  for (const one of command.commands) contain(one, { out, err });
}

/** Options that a variable stands for: commander reads those of the process. */
function readVariables(verb: Command, env: NodeJS.ProcessEnv): void {
  for (const option of verb.options) {
    const name = option.attributeName();
    if (option.envVar === undefined || verb.getOptionValueSource(name) === 'cli') continue;
    const value = env[option.envVar];
    verb.setOptionValueWithSource(name, value ?? option.defaultValue, value === undefined ? 'default' : 'env');
  }
}

/** @throws RequestError no_folder */
function requireFolder(cwd: () => string): void {
  try {
    cwd();
  } catch (cause) {
    throw new RequestError(
      'no_folder',
      'the folder that this was started in is no longer there',
      'change to one that is',
      { cause },
    );
  }
}

/** How errors are shown. */
interface Shown {
  readonly json: boolean;
  readonly colored: boolean;
}

function report(io: Io, error: unknown, { json, colored }: Shown): number {
  if (error instanceof CommanderError) return reportUsage(io, error, json);
  if (json) io.out(`${JSON.stringify(io.placed(errorDocument(error)))}\n`);
  else {
    const { times } = io.screen();
    const lines = errorLines(error, { color: colored }).join('\n');
    const zone = times && local(lines, times) !== lines ? `  ${zoneLine({ ...io.screen(), color: false })}\n` : '';
    io.err(`${lines}\n${zone}`);
  }
  if (io.env['SLUICE_DEBUG'] !== undefined && error instanceof Error) io.err(`${error.stack ?? ''}\n`);
  return error instanceof SluiceError ? error.exitCode : 1;
}

/** What commander refuses it has said on stderr already; a program that asked for JSON gets its document as well. */
function reportUsage(io: Io, { exitCode, code, message }: CommanderError, json: boolean): number {
  if (exitCode === 0) return 0;
  const said = code === 'commander.help' ? 'no verb was given' : message.replace(/^error: /, '');
  const refused = new RequestError(
    'usage',
    said,
    '`sluice --help` lists the verbs, `sluice <verb> --help` their options',
  );
  if (json) io.out(`${JSON.stringify(errorDocument(refused))}\n`);
  else if (code !== 'commander.help') io.err(`  ${refused.remedy ?? ''}\n`);
  return refused.exitCode;
}
