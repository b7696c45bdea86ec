import type { Command } from 'commander';
import { RequestError } from '../contracts/errors.js';
import type { BackfillInput } from '../contracts/request.js';
import { plural, formatCount } from '../core/words.js';
import type { Io } from './io.js';
import { sluice } from './render/command.js';
import type { Prepared } from './start.js';

interface Asked {
  readonly yes: boolean;
  readonly json: boolean;
  /** What may be built unasked. */
  readonly partitions: number;
  /** The command as it was typed. */
  readonly command: Command;
}

/**
 * A request without a range means all of time. Where that is more than is usual somebody must say so: at a terminal when asked, elsewhere with
 * `--yes`. Who names a range or a plan has said what he means.
 * @throws RequestError not_confirmed: nothing was started
 */
export async function requireConfirmed(
  io: Io,
  { input, partitions, datasets }: Pick<Prepared, 'input' | 'partitions' | 'datasets'>,
  { yes, json, partitions: usual, command }: Asked,
): Promise<void> {
  if (yes || partitions <= usual || isBounded(input)) return;
  const what = `${plural(partitions, 'partition')} of ${plural(datasets, 'dataset')}`;
  if (io.ask && !json) {
    const answer = await io.ask(`This builds ${what}, and no range was given. Go on? [y/N] `);
    if (/^y(es)?$/i.test(answer.trim())) return;
    throw new RequestError('not_confirmed', 'nothing was started');
  }
  throw new RequestError(
    'not_confirmed',
    `this would build ${what}, and no range was given: more than ${formatCount(usual)} must be confirmed (\`confirm:\` in sluice.yaml)`,
    `to build them: ${typedAgain(command, ['--yes'])}`,
  );
}

function isBounded({ from, to, last, on, plan }: BackfillInput): boolean {
  return [from, to, last, on, plan].some((one) => one !== undefined);
}

/** The same command with more words: where it was typed is put in as in every command that is printed. */
function typedAgain(command: Command, more: readonly string[]): string {
  const options = command.options.flatMap((option) => {
    const name = option.attributeName();
    if (PLACE.has(name) || command.getOptionValueSource(name) !== 'cli') return [];
    const value: unknown = command.getOptionValue(name);
    const flag = option.long ?? '';
    if (typeof value === 'boolean') return [flag];
    // A time to wait is the only one that was read as a number.
    return [value].flat().flatMap((one) => [flag, typeof one === 'number' ? `${Math.ceil(one / 1000)}s` : String(one)]);
  });
  return sluice([command.name(), ...command.args, ...options, ...more]);
}

const PLACE: ReadonlySet<string> = new Set(['project', 'env', 'dataDir']);
