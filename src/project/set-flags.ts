import { RequestError } from '../contracts/errors.js';
import { FlagsYaml, INEXACT, INEXACT_REMEDY, isExact, type FlagValue } from '../contracts/project.js';
import { unknownFlag } from './sql/flags.js';
import type { Flags } from './text.js';

/**
 * Where the values stand that one backfill gives to flags: one more file of its definition, which no folder can have. So they are registered,
 * hashed and loaded as all else that a definition says.
 */
export const SET_FILE = '.set.json';

export function readSet(text: string | undefined): Flags {
  return new Map(text === undefined ? [] : Object.entries(FlagsYaml.parse(JSON.parse(text))));
}

/**
 * The definition's files with other values of its flags; a value in text, as a command line has it, is read as what the flag is.
 *
 * @throws RequestError unknown_flag, bad_flag
 */
export function setFlags(
  files: Readonly<Record<string, string>>,
  flags: Flags,
  set: Readonly<Record<string, FlagValue>>,
): Record<string, string> {
  const values = new Map(readSet(files[SET_FILE]));
  for (const [name, value] of Object.entries(set)) values.set(name, readAs(flags, name, value));
  return { ...files, [SET_FILE]: JSON.stringify(Object.fromEntries([...values].sort())) };
}

function exactly(name: string, text: string): number {
  const value = Number(text);
  if (isExact(value)) return value;
  throw new RequestError('bad_flag', `flag ${name}: ${text} ${INEXACT}`, INEXACT_REMEDY);
}

function readAs(flags: Flags, name: string, value: FlagValue): FlagValue {
  const known = flags.get(name);
  if (known === undefined) {
    const { code, message, remedy } = unknownFlag(name, flags);
    throw new RequestError(code, message, remedy);
  }
  if (typeof value === typeof known) return value;
  if (typeof value === 'string') {
    if (typeof known === 'number' && /^-?\d+(\.\d+)?$/.test(value)) return exactly(name, value);
    if (typeof known === 'boolean' && (value === 'true' || value === 'false')) return value === 'true';
  }
  const what = { number: 'a number', boolean: 'true or false', string: 'a text' }[
    typeof known as 'number' | 'boolean' | 'string'
  ];
  throw new RequestError(
    'bad_flag',
    `flag ${name}: ${JSON.stringify(value)} is not ${what}`,
    `sluice.yaml has ${name}: ${JSON.stringify(known)}`,
  );
}
