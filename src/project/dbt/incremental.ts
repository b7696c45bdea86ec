import { codeOf, isConfig, mentionOf, piecesOf, type Mention, type Piece } from './jinja.js';
import type { Code } from './macros.js';
import type { DbtNode } from './manifest.js';

const ASKS = /\bis_incremental\b/;
/** Other ways to ask what the model's table is. */
const ASKS_OTHERWISE =
  /\b(should_full_refresh|FULL_REFRESH|load_relation|load_cached_relation)\b|\b(get_relation)\b[^)]*\bthis\b/;
const REMEDY = 'compile it with --full-refresh';

/** A model whose SQL is not known to be that of the whole table, or that SQL, where compiling gave another. */
export type Incremental = { readonly refused: string } | { readonly whole: string } | undefined;

/**
 * Whether a model's SQL is that of `is_incremental()`: what a run adds to its table, not what the table is. Only an `if` in its own text
 * can be told from the SQL: where the branch's words are not in it, and all others are, it was compiled as a whole.
 */
export function incrementalOf(
  node: DbtNode,
  code: Code,
  nameOf: (mention: Mention) => string | undefined,
): Incremental {
  const texts = [code.model ?? '', ...code.macros.values()];
  const otherwise = texts.map((text) => ASKS_OTHERWISE.exec(text ?? '')).find(Boolean);
  if (otherwise)
    return {
      refused: `its SQL depends on the table that is there (${otherwise[1] ?? otherwise[2] ?? ''}): which SQL was compiled cannot be told`,
    };
  // Of other materializations it is never true.
  if (node.config?.materialized !== 'incremental') return undefined;
  const macro = [...code.macros].find(([, text]) => ASKS.test(text ?? ''))?.[0];
  const asked = ASKS.test(code.model ?? '') || code.own.has('is_incremental');
  if (macro === undefined && !asked) return undefined;
  if (node.config.incremental_strategy === 'microbatch')
    return {
      refused: 'it asks is_incremental(): the first batch has another SQL than the others. Write one SQL for all',
    };
  if (macro !== undefined)
    return {
      refused: `the macro ${macro} asks is_incremental(), so which SQL was compiled cannot be told: ask it in the model, and ${REMEDY}`,
    };
  const branches = branchesOf(piecesOf(node.raw_code ?? ''), nameOf);
  const compiled = node.compiled_code ?? '';
  if (branches && !matches(branches.asked, compiled) && matches(branches.whole, compiled)) return undefined;
  const whole = branches?.whole.filter((part) => part !== null) ?? [];
  if (branches && whole.length === branches.whole.length) return { whole: whole.join('') };
  return {
    refused:
      branches && matches(branches.asked, compiled)
        ? `it is compiled as is_incremental(), for one run: ${REMEDY}`
        : `which branch of is_incremental() was compiled cannot be told: write {% if is_incremental() %} … {% endif %}, and ${REMEDY}`,
  };
}

/** Literal text, or null for what may be any. */
type Glob = (string | null)[];

interface Branches {
  /** As it would be compiled if `is_incremental()` were true. */
  readonly asked: Glob;
  readonly whole: Glob;
}

/** What opens around a piece: a branch, or something else that may be rendered or not. */
type Frame = 'other' | 'asked' | 'whole';

function branchesOf(pieces: readonly Piece[], nameOf: (mention: Mention) => string | undefined): Branches | undefined {
  const branches: Branches = { asked: [], whole: [] };
  const frames: Frame[] = [];
  for (const piece of pieces) {
    const code = codeOf(piece);
    const [tag = ''] = code.split(/\W/, 1);
    if (piece.kind === 'block' && frames.length > 0 && /^(else|elif)$/.test(tag)) {
      if (ASKS.test(code)) return undefined;
      const top = frames.pop() ?? 'other';
      if (tag === 'elif' && top !== 'other') return undefined;
      frames.push(after(top));
    } else if (piece.kind === 'block' && tag.startsWith('end')) frames.pop();
    else if (piece.kind === 'block' && (opens(tag, code) || ASKS.test(code))) {
      const frame = frameOf(tag, code);
      if (frame === undefined || (ASKS.test(code) && frames.length > 0)) return undefined;
      if (frame === 'other' && !frames.includes('other')) add(branches, frames, null);
      frames.push(frame);
    } else if (ASKS.test(code)) return undefined;
    else if (piece.kind !== 'block' && !frames.includes('other')) add(branches, frames, shown(piece, nameOf));
  }
  return branches;
}

function add({ asked, whole }: Branches, frames: readonly Frame[], text: string | null): void {
  const only = (frame: Frame): boolean => frames.every((one) => one === frame);
  if (only('asked')) asked.push(text);
  if (only('whole')) whole.push(text);
}

/** What an `else` is to its `if`. */
function after(frame: Frame): Frame {
  return frame === 'asked' ? 'whole' : frame === 'whole' ? 'asked' : frame;
}

function opens(tag: string, code: string): boolean {
  return tag === 'set' ? !/^set\b[^=]*=/.test(code) : !['do', 'include', 'import', 'from', 'extends'].includes(tag);
}

/** What a block that opens here is; undefined where its condition says more than whether it is incremental. */
function frameOf(tag: string, code: string): Frame | undefined {
  if (!ASKS.test(code)) return 'other';
  if (tag !== 'if') return undefined;
  const condition = code.slice(2).trim();
  if (/^\(?\s*is_incremental\s*\(\s*\)\s*\)?$/.test(condition)) return 'asked';
  return /^not\s*\(?\s*is_incremental\s*\(\s*\)\s*\)?$/.test(condition) ? 'whole' : undefined;
}

function shown(piece: Piece, nameOf: (mention: Mention) => string | undefined): string | null {
  if (piece.kind === 'text') return piece.text;
  if (isConfig(piece.text)) return '';
  const mention = mentionOf(piece);
  return (mention && nameOf(mention)) ?? null;
}

/** Whether `text` is the glob, blanks left aside. */
function matches(glob: Glob, text: string): boolean {
  // dbt writes ephemeral models before the first word, and joins their WITH with that of the model.
  const injected = text.includes('__dbt__cte__');
  const literals = injected ? ['', ''] : [''];
  for (const [index, part] of glob.entries()) {
    if (part === null) literals.push('');
    else literals.push((literals.pop() ?? '') + (injected && index === 0 ? part.replace(/^\s*with\b/i, '') : part));
  }
  const [first = '', ...others] = literals.map((literal) => literal.replace(/\s/g, ''));
  const rest = text.replace(/\s/g, '');
  const last = others.pop();
  if (last === undefined) return rest === first;
  let at = first.length;
  if (!rest.startsWith(first) || !rest.endsWith(last)) return false;
  for (const literal of others) {
    const found = rest.indexOf(literal, at);
    if (found < 0) return false;
    at = found + literal.length;
  }
  return at <= rest.length - last.length;
}
