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
  const code = tokens.filter((token) => token.kind !== 'comment');
  const params: { start: number; end: number; name: 'start' | 'end' }[] = [];
  const mistakes: SqlMistake[] = [];
  const squares: boolean[] = [];
  let bound = text;
  for (const [index, token] of code.entries()) {
    if (token.text === '[' || token.text === '(') squares.push(token.text === '[');
    if (token.text === ']' || token.text === ')') squares.pop();
    if (token.kind === 'param') mistakes.push(unknown(token.start, token.text));
    const next = code[index + 1];
    if (token.text !== ':' || next?.start !== token.end || !isWord(next)) continue;
    if (separates(code[index - 1], squares.at(-1) ?? false)) continue;
    if (next.text !== 'start' && next.text !== 'end') {
      mistakes.push(unknown(token.start, `:${next.text}`));
      bound = replace(bound, token.start, next.end, 'NULL');
      continue;
    }
    // Glued to a word (`AND:start`), `$1` would become a part of it.
    const start = token.start + (/[\w$\u0080-\uffff]/.test(text[token.start - 1] ?? '') ? 1 : 0);
    bound = replace(bound, start, next.end, next.text === 'start' ? '$1' : '$2');
    if (start > token.start) bound = replace(bound, token.start, start, '');
    params.push({ start, end: start + 2, name: next.text });
  }
  return { text: bound, params, mistakes };
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
    remedy: 'the parameters of a statement are :start and :end, in lower case',
  };
}
