/** Commands to type, as a shell takes them. */
import { environmentWords } from '../../contracts/typed.js';
import { setWords } from '../../planning/words.js';

/** A word as a POSIX shell reads it back: bare where it can be, else in single quotes. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./~^-]+$/u.test(word) && !word.startsWith('~') ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** `sluice why flights_raw 2013-03-10T00:00:00Z -e prod`; the environment only where it is not `default`. */
export function sluice(words: readonly string[], environment = 'default'): string {
  return ['sluice', ...words, ...environmentWords(environment)].map(shellWord).join(' ');
}

const FLAGS: readonly (readonly [key: string, flag: string])[] = [
  ['from', '--from'],
  ['to', '--to'],
  ['last', '--last'],
  ['on', '--on'],
  ['exclude', '--exclude'],
  ['rebuild', '--rebuild'],
];

/** The words after `sluice backfill` that ask for the same again; defaults are left out. */
export function requestWords(request: Readonly<Record<string, unknown>>): string[] {
  const flags = FLAGS.flatMap(([key, flag]) =>
    stringsOf(request[key])
      .filter((value) => !(key === 'rebuild' && value === 'missing'))
      .flatMap((value) => [flag, value]),
  );
  const bare = (['only', 'overwrite'] as const).flatMap((key) => (request[key] === true ? [`--${key}`] : []));
  return [...stringsOf(request['select']), ...flags, ...setWords(request['set']), ...bare];
}

function stringsOf(value: unknown): string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  return values.filter((one) => typeof one === 'string');
}

/** A command over several lines of at most `width` columns, joined by `\` so that all of it can be pasted; a word is never broken. */
export function commandLines(command: string, width: number): string[] {
  const words = command.match(/(?:'[^']*'|\\.|[^\s'])+/gu) ?? [];
  const lines: string[] = [];
  let current = '';
  for (const word of words) {
    if (current === '') current = word;
    else if (current.length + 1 + word.length <= width - 2) current += ` ${word}`;
    else {
      lines.push(`${current} \\`);
      current = `  ${word}`;
    }
  }
  if (current !== '') lines.push(current);
  return lines;
}
