import type { Statement } from '../project.js';
import type { SqlMistake } from '../text.js';
import type { Token } from './parser.js';

export interface Bound {
  readonly text: string;
  readonly params: Statement['params'];
  readonly mistakes: readonly SqlMistake[];
}

/**
 * `:start` becomes `$1`, `:end` becomes `$2`, padded with blanks to the same length: every offset, line and column of the text
 * stays what its author sees. Strings, quoted names, comments and `::` are safe because PostgreSQL's scanner cut the tokens.
 */
export function bindParameters(text: string, tokens: readonly Token[]): Bound {
  const params: { start: number; end: number; name: 'start' | 'end' }[] = [];
  const mistakes: SqlMistake[] = [];
  for (const { kind, start, text: number } of tokens) if (kind === 'param') mistakes.push(unknown(start, number));
  let bound = text;
  for (const { start: colon, end, name } of namedParameters(tokens)) {
    if (name !== 'start' && name !== 'end') {
      mistakes.push(unknown(colon, `:${name}`));
      bound = replace(bound, colon, end, 'NULL');
      continue;
    }
    // Glued to a word (`AND:start`), `$1` would become a part of it.
    const start = colon + (/[\w$\u0080-\uffff]/.test(text[colon - 1] ?? '') ? 1 : 0);
    bound = replace(bound, start, end, name === 'start' ? '$1' : '$2');
    if (start > colon) bound = replace(bound, colon, start, '');
    params.push({ start, end: start + 2, name });
  }
  return { text: bound, params, mistakes };
}

/** Every `:name` that stands for a value, from its colon to its end. */
export function namedParameters(tokens: readonly Token[]): { start: number; end: number; name: string }[] {
  const code = tokens.filter((token) => token.kind !== 'comment');
  const squares: boolean[] = [];
  return code.flatMap((token, index) => {
    if (token.text === '[' || token.text === '(') squares.push(token.text === '[');
    if (token.text === ']' || token.text === ')') squares.pop();
    const next = code[index + 1];
    if (token.text !== ':' || next?.start !== token.end || !isWord(next)) return [];
    if (separates(code[index - 1], squares.at(-1) ?? false)) return [];
    return [{ start: token.start, end: next.end, name: next.text }];
  });
}

function isWord(token: Token): boolean {
  return token.kind === 'word' || token.kind === 'keyword';
}

/** Whether a `:` after `previous` parts an array slice (`a[1:n]`) or a JSON key from its value: no value can stand there. */
function separates(previous: Token | undefined, inSquare: boolean): boolean {
  if (previous === undefined) return false;
  if (['word', 'constant', 'param'].includes(previous.kind)) return true;
  return inSquare && (/^[\])]$/.test(previous.text) || (previous.kind === 'keyword' && !previous.reserved));
}

function replace(text: string, start: number, end: number, value: string): string {
  return text.slice(0, start) + value.slice(0, end - start).padEnd(end - start) + text.slice(end);
}

function unknown(offset: number, name: string): SqlMistake {
  return {
    offset,
    code: 'unknown_parameter',
    message: `unknown parameter ${name}`,
    remedy: 'the parameters of a statement are :start, :end and :flag_<name>, in lower case',
  };
}
