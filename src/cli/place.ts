import type { Command } from 'commander';
import { shellWord } from './render/command.js';

/** How a command was told where its project is: what it prints to be typed next must say so too. */
export interface Place {
  /** `-p DIR` and `--data-dir DIR`, where they were given. */
  readonly words: readonly string[];
  readonly environment: string;
  /** `SLUICE_ENV` is set: a command without `-e` would go to another environment than this. */
  readonly ambient: string | undefined;
  readonly verbs: readonly string[];
}

/** Before a verb was read: nothing was said. */
export const NOWHERE: Place = { words: [], environment: 'default', ambient: undefined, verbs: [] };

/** The options that a verb was given. */
export function placeOf(verb: Command, env: NodeJS.ProcessEnv, verbs: readonly string[]): Place {
  const given = (name: string): string[] => {
    const value: unknown = verb.getOptionValue(name);
    return verb.getOptionValueSource(name) === 'cli' && typeof value === 'string' ? [value] : [];
  };
  const environment: unknown = verb.getOptionValue('env');
  return {
    words: [
      ...given('project').flatMap((dir) => ['-p', dir]),
      ...given('dataDir').flatMap((dir) => ['--data-dir', dir]),
    ],
    environment: typeof environment === 'string' ? environment : 'default',
    ambient: env['SLUICE_ENV'],
    verbs,
  };
}

/**
 * A text in which every command of ours says where. Commands are made in many places, some of them in a workflow or kept in the warehouse by somebody
 * else, who was in another folder: so this is done once, at the edge. The words stand right behind the verb, for where a command in a sentence ends, nobody knows.
 */
export function placed(text: string, { words, environment, ambient, verbs }: Place): string {
  const named = environment === (ambient ?? 'default') ? [] : ['-e', environment];
  if (verbs.length === 0 || (words.length === 0 && named.length === 0)) return text;
  const pattern = new RegExp(
    `(?<![\\w/.@-])((?:\\u001b\\[\\d+m)?sluice )(${verbs.join('|')})(?![\\w-])([^\\n\`;]*)`,
    'gu',
  );
  return text.replaceAll(pattern, (_, head: string, verb: string, rest: string) => {
    const where = / (?:-e|--env) /.test(`${rest} `) || ELSEWHERE.has(verb) ? words : [...words, ...named];
    const dir = verb === 'init' ? [] : where;
    return `${[head + verb, ...dir.map(shellWord)].join(' ')}${placed(rest, { words, environment, ambient, verbs })}`;
  });
}

/** Verbs for which the environment does not matter. */
const ELSEWHERE: ReadonlySet<string> = new Set(['init', 'completion', 'dev']);

/** Keys of our documents whose texts hold commands; a person's own words are in others. */
const COMMANDS: ReadonlySet<string> = new Set([
  'next',
  'command',
  'remedy',
  'message',
  'cause',
  'notes',
  'hints',
  'for',
]);

/** A document in which every command says where. */
export function placedDocument(document: unknown, place: Place): unknown {
  const walk = (value: unknown, holds: boolean): unknown => {
    if (typeof value === 'string') return holds ? placed(value, place) : value;
    if (Array.isArray(value)) return value.map((one) => walk(one, holds));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, walk(one, COMMANDS.has(key))]));
  };
  return walk(document, false);
}
