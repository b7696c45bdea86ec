import type { Token } from './parser.js';

/**
 * The parser's WebAssembly stack holds about 2,000 nested operators or 700 nested queries; past that it not only fails but stays
 * broken for the whole process. So what comes near is refused from its tokens, before it is parsed.
 */
const WEIGHT_MAX = 800;
/** A bracket or CASE nests several grammar rules at once. */
const LEVEL_WEIGHT = 4;
/** `UNION` nests to the left by one thin rule each: 4,000 pass. */
const SET_OPERATIONS_MAX = 2_000;

/** What closes a level, by what opened it. */
const CLOSERS: Readonly<Record<string, string>> = { '(': ')', '[': ']', case: 'end' };
/** After these the operators of the same level do not nest in those before. */
const SEPARATORS = new Set([',', ';', 'and', 'or', 'select', 'union', 'except', 'intersect', 'when', 'then']);
const SET_OPERATIONS = new Set(['union', 'except', 'intersect']);

interface Level {
  readonly closer: string;
  /** Operators and keywords since the last separator. */
  chain: number;
}

/** The offset where `tokens` nest too deeply to be parsed safely; undefined where they don't. */
export function tooDeepAt(tokens: readonly Token[]): number | undefined {
  const levels: Level[] = [];
  let level: Level = { closer: '', chain: 0 };
  let weight = 0;
  let setOperations = 0;
  for (const token of tokens) {
    const word = token.text.toLowerCase();
    const closer = CLOSERS[word];
    if (SET_OPERATIONS.has(word)) setOperations++;
    if (closer !== undefined) {
      levels.push(level);
      level = { closer, chain: 0 };
      weight += LEVEL_WEIGHT;
    } else if (word === level.closer) {
      weight -= LEVEL_WEIGHT + level.chain;
      level = levels.pop() ?? { closer: '', chain: 0 };
    } else if (SEPARATORS.has(word)) {
      weight -= level.chain;
      level.chain = 0;
    } else if (token.kind === 'symbol' || token.kind === 'keyword') {
      weight++;
      level.chain++;
    }
    if (weight > WEIGHT_MAX || setOperations > SET_OPERATIONS_MAX) return token.start;
  }
  return undefined;
}
