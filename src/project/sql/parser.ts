import { loadModule, parseSync, scanSync } from 'libpg-query';
import type { ScanToken } from 'libpg-query';
import { byteOffsets, characterOffset } from '../text.js';
import type { Mistake, SqlMistake } from '../text.js';

// PostgreSQL's own parser as WebAssembly: 50 ms, once. From here on everything is synchronous.
await loadModule();

/** A token, offsets in UTF-16 units. */
export interface Token {
  readonly start: number;
  readonly end: number;
  /** As written. */
  readonly text: string;
  readonly kind: 'word' | 'keyword' | 'constant' | 'param' | 'comment' | 'symbol';
  /** Unreserved keywords may be column names. */
  readonly reserved: boolean;
}

/** A node of the parse tree: plain JSON, so that it can be walked and compared without knowing every type. */
export type Node = Readonly<Record<string, unknown>>;

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function nodesOf(value: unknown): Node[] {
  return Array.isArray(value) ? value.filter(isNode) : [];
}

export interface Tree {
  /** One per statement, as `{ SelectStmt: … }`, with where it starts. */
  readonly statements: readonly { readonly node: Node; readonly start: number }[];
  /** UTF-16 offset of a location in this tree. */
  readonly offsetOf: (location: unknown) => number;
}

const TOKEN_KINDS = new Map<number, Token['kind']>([
  [258, 'word'],
  [259, 'word'],
  [260, 'constant'],
  [261, 'constant'],
  [262, 'constant'],
  [263, 'constant'],
  [264, 'constant'],
  [266, 'constant'],
  [267, 'param'],
  [275, 'comment'],
  [276, 'comment'],
]);

/** The tokens of `text` by PostgreSQL's scanner; undefined where it cannot be scanned: {@link parseTree} then says why. */
export function scanTokens(text: string): Token[] | undefined {
  const offsetOf = byteOffsets(text);
  let tokens: readonly ScanToken[];
  try {
    tokens = scanSync(scannable(text)).tokens;
  } catch {
    return undefined;
  }
  return tokens.map((token) => {
    const [start, end] = [offsetOf(token.start), offsetOf(token.end)];
    const kind = token.keywordKind !== 0 ? 'keyword' : (TOKEN_KINDS.get(token.tokenType) ?? 'symbol');
    return { start, end, text: text.slice(start, end), kind, reserved: token.keywordKind === 4 };
  });
}

/** The scanner answers in JSON without escaping control characters: equally wide stand-ins keep it valid. */
function scannable(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what this is about
  return text.replace(/[\f\v]/g, ' ').replace(/[\x01-\x08\x0e-\x1f]/g, '?');
}

/** The parse tree of `text`, or where and why there is none. */
export function parseTree(text: string): Tree | SqlMistake {
  if (text.includes('\0'))
    return { offset: text.indexOf('\0'), code: 'sql_error', message: 'SQL cannot hold a NUL character' };
  try {
    const parsed: unknown = parseSync(text);
    const offsetOf = byteOffsets(text);
    const locate = (location: unknown): number => offsetOf(typeof location === 'number' ? location : 0);
    const statements = nodesOf(isNode(parsed) ? parsed['stmts'] : []).flatMap(({ stmt, stmt_location }) =>
      isNode(stmt) ? [{ node: stmt, start: locate(stmt_location) }] : [],
    );
    return { statements, offsetOf: locate };
  } catch (error) {
    return mistakeOf(error, text);
  }
}

function mistakeOf(error: unknown, text: string): SqlMistake {
  const details = error instanceof Error && 'sqlDetails' in error ? error.sqlDetails : undefined;
  if (isNode(details) && typeof details['cursorPosition'] === 'number') {
    const message = `SQL: ${String(details['message'])}`;
    return { offset: characterOffset(text, details['cursorPosition']), code: 'sql_error', message };
  }
  // Not a syntax error: the parser ran out of stack, or there is nothing to parse.
  if (text.trim() === '') return { offset: 0, ...NO_STATEMENT };
  return { offset: 0, ...TOO_DEEP };
}

export const NO_STATEMENT: Mistake = {
  code: 'statement_empty',
  message: 'there is no SQL statement',
  remedy: 'write one SELECT',
};

export const TOO_DEEP: Mistake = {
  code: 'statement_too_deep',
  message: 'the SQL is nested too deeply to be parsed',
  remedy: 'split it into several datasets',
};
