import { didYouMean } from '../nearest.js';
import type { Flags, Mistake, SqlMistake } from '../text.js';
import { namedParameters } from './params.js';
import type { Token } from './parser.js';

export interface Flagged {
  /** Every `:flag_x` written as the literal of its value. */
  readonly text: string;
  /** From an offset of `text` to that of what its author wrote. */
  readonly original: (offset: number) => number;
  readonly mistakes: readonly SqlMistake[];
}

const PREFIX = 'flag_';

/**
 * Writes the values of the project's flags into a statement, as literals: so they are in its parse tree, by which the definition version goes,
 * and all that judges a statement sees a constant. A flag that is not known becomes NULL, so that the rest can still be checked.
 */
export function writeFlags(text: string, tokens: readonly Token[], flags: Flags): Flagged {
  const mistakes: SqlMistake[] = [];
  const moved: { readonly from: number; readonly to: number; readonly length: number }[] = [];
  let written = '';
  let at = 0;
  for (const { start, end, name } of namedParameters(tokens)) {
    if (!name.startsWith(PREFIX)) continue;
    const flag = name.slice(PREFIX.length);
    const value = flags.get(flag);
    if (value === undefined) mistakes.push({ offset: start, ...unknownFlag(flag, flags) });
    // Blanks: a literal beside a word or another literal would be read as one with it.
    const literal = ` ${value === undefined ? 'NULL' : literalOf(value)} `;
    written += text.slice(at, start);
    moved.push({ from: written.length, to: start, length: literal.length });
    written += literal;
    at = end;
  }
  return { text: written + text.slice(at), original: originalOf(moved, text.length - at, text.length), mistakes };
}

function originalOf(
  moved: readonly { readonly from: number; readonly to: number; readonly length: number }[],
  rest: number,
  length: number,
): Flagged['original'] {
  const last = moved.at(-1);
  if (!last) return (offset) => offset;
  const end = last.from + last.length;
  return (offset) => {
    if (offset >= end) return length - rest + (offset - end);
    const next = moved.findIndex(({ from, length: long }) => offset < from + long);
    const here = moved[next];
    if (!here) return offset;
    // Inside a literal: where the flag is named. Before it: as far from it as it was.
    return offset >= here.from ? here.to : here.to - (here.from - offset);
  };
}

/** E'…' has one meaning whatever `standard_conforming_strings` is; without line breaks, every line stays where it is. */
function literalOf(value: string | number | boolean): string {
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return value < 0 ? `(${value})` : String(value);
  const escaped = value.replace(/[\\']/g, '\\$&').replace(/\n/g, '\\n').replace(/\r/g, '\\r');
  return escaped === value ? `'${value}'` : `E'${escaped}'`;
}

/** What is said of a flag that the project does not have. */
export function unknownFlag(flag: string, flags: Flags): Required<Omit<Mistake, 'write'>> {
  const known = [...flags.keys()];
  return {
    code: 'unknown_flag',
    message: `there is no flag ${flag}`,
    remedy: didYouMean(
      flag,
      known,
      known.length === 0 ? `declare it in sluice.yaml: flags: { ${flag}: … }` : `flags: ${known.join(', ')}`,
    ),
  };
}
