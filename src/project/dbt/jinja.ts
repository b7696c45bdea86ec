/** A part of a model as its author wrote it; of expressions and blocks what stands between the braces. Comments are left out. */
export interface Piece {
  readonly kind: 'text' | 'expression' | 'block';
  readonly text: string;
}

const CLOSINGS = { '{{': '}}', '{%': '%}' } as const;

/** Cuts a template at its braces, as Jinja does: strings and nested brackets are passed over. */
export function piecesOf(raw: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  while (at < raw.length) {
    const next = raw.slice(at).search(/\{[{%#]/);
    const open = next < 0 ? raw.length : at + next;
    if (open > at) pieces.push({ kind: 'text', text: raw.slice(at, open) });
    const mark = raw.slice(open, open + 2);
    if (mark === '{#') {
      const end = raw.indexOf('#}', open);
      at = end < 0 ? raw.length : end + 2;
    } else if (mark === '{{' || mark === '{%') {
      const end = endOf(raw, open + 2, CLOSINGS[mark]);
      const text = raw
        .slice(open + 2, end)
        .replace(/^[-+]/, '')
        .replace(/[-+]$/, '')
        .trim();
      at = end + 2;
      if (text === 'raw') {
        const verbatim = /\{%[-+]?\s*endraw\s*[-+]?%\}/.exec(raw.slice(at));
        pieces.push({ kind: 'text', text: raw.slice(at, verbatim ? at + verbatim.index : raw.length) });
        at = verbatim ? at + verbatim.index + verbatim[0].length : raw.length;
      } else pieces.push({ kind: mark === '{{' ? 'expression' : 'block', text });
    } else at = raw.length;
  }
  return pieces;
}

function endOf(raw: string, from: number, closing: string): number {
  let depth = 0;
  for (let at = from; at < raw.length; at++) {
    const character = raw[at] ?? '';
    if (depth === 0 && raw.startsWith(closing, at)) return at;
    if (character === "'" || character === '"') at = endOfText(raw, at);
    else if ('([{'.includes(character)) depth++;
    else if (')]}'.includes(character)) depth--;
  }
  return raw.length;
}

function endOfText(raw: string, from: number): number {
  for (let at = from + 1; at < raw.length; at++) {
    if (raw[at] === '\\') at++;
    else if (raw[at] === raw[from]) return at;
  }
  return raw.length;
}

/** The code of an expression or block, without the strings in it. */
export function codeOf({ kind, text }: Piece): string {
  if (kind === 'text' || isConfig(text)) return '';
  return text.replace(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"/gs, "''");
}

/** `config(…)` renders nothing; its values are in the manifest. */
export function isConfig(code: string): boolean {
  return /^config\s*\(/.test(code) && endOf(code, code.indexOf('(') + 1, ')') === code.length - 1;
}

/** `ref('x')` or `source('s', 'x')`, and nothing else. */
export interface Mention {
  readonly of: 'ref' | 'source';
  readonly names: readonly string[];
  readonly version?: string;
  /** With `.render()`: dbt does not limit it to a batch. */
  readonly rendered: boolean;
}

export function mentionOf({ kind, text }: Piece): Mention | undefined {
  const [, of, inside, render] = /^(ref|source)\s*\(([^()]*)\)\s*(\.\s*render\s*\(\s*\))?$/s.exec(text) ?? [];
  if (kind !== 'expression' || inside === undefined) return undefined;
  const names: string[] = [];
  let version: string | undefined;
  for (const argument of inside.split(',')) {
    const [, key, single, double, number] =
      /^\s*(?:(v|version)\s*=\s*)?(?:'([^'\\]*)'|"([^"\\]*)"|([\d.]+))\s*$/.exec(argument) ?? [];
    const value = single ?? double ?? number;
    if (value === undefined || (key === undefined && number !== undefined)) return undefined;
    if (key === undefined) names.push(value);
    else version = value;
  }
  return {
    of: of === 'ref' ? 'ref' : 'source',
    names,
    rendered: render !== undefined,
    ...(version === undefined ? {} : { version }),
  };
}
