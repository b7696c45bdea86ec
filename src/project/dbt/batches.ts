import { codeOf, mentionOf, piecesOf, type Mention, type Piece } from './jinja.js';
import type { Code } from './macros.js';
import type { DbtNode, Manifest } from './manifest.js';
import { referredBy } from './refs.js';

const NAMES_TABLES = /\b(ref|source|builtins)\b/;
/** Blocks that render what they hold never, once or often. */
const BRANCHES = /^(if|for|macro|call|filter|set\b[^=]*$)/;

/** A table that dbt limits to the batch, and how often the compiled SQL names it. */
export interface Limited {
  /** Its name as a key. */
  readonly key: string;
  readonly times: number;
  readonly schema: string;
  readonly name: string;
}

/**
 * For each time that the SQL of a microbatch model names a table that has an event time: whether dbt limits it to the batch. It does where
 * `{{ ref('x') }}` or `{{ source('s', 'x') }}` wrote the name, not where `.render()` or the author did.
 * @returns undefined where that cannot be told
 */
export function limitsOf(
  { key, times, schema, name }: Limited,
  raw: string,
  code: Code,
  keyOf: (mention: Mention) => string | undefined,
): boolean[] | undefined {
  const pieces = piecesOf(raw);
  const literal = new RegExp(`(?<![\\w"])"?${escaped(schema)}"?\\s*\\.\\s*"?${escaped(name)}"?(?![\\w"])`, 'gi');
  const written = pieces.flatMap((piece): boolean[] => {
    if (piece.kind === 'text') return [...piece.text.matchAll(literal)].map(() => false);
    const mention = mentionOf(piece);
    return mention && keyOf(mention) === key ? [!mention.rendered] : [];
  });
  const [first] = written;
  if (first === undefined) return undefined;
  const once = !pieces.some((piece) => piece.kind === 'block' && BRANCHES.test(codeOf(piece)));
  const clear = !pieces.some((piece) => isUnclear(piece, keyOf)) && macrosAreClear(code);
  if (clear && written.every((limited) => limited === first) && (!once || times <= written.length))
    return Array.from({ length: times }, () => first);
  // Each is rendered once, in this order, if none is in a comment of SQL, where another may stand in for it.
  const commented = pieces.some(({ kind, text }) => kind === 'text' && /--|\/\*/.test(text));
  return once && times === written.length && (clear || !commented) ? written : undefined;
}

/** Whether it may write a table's name in a way that is not known. */
function isUnclear(piece: Piece, keyOf: (mention: Mention) => string | undefined): boolean {
  const mention = mentionOf(piece);
  return mention ? keyOf(mention) === undefined : NAMES_TABLES.test(codeOf(piece));
}

function macrosAreClear({ macros }: Code): boolean {
  return [...macros.values()].every((text) => text !== undefined && !NAMES_TABLES.test(text));
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** Why a microbatch model cannot be carried over for an ephemeral model that it reads: dbt limits that too, where it has an event time. */
export function ephemeralProblem(node: DbtNode, manifest: Manifest): string | undefined {
  const timed = Object.values(manifest.nodes).filter(
    ({ name, alias, config }) =>
      config?.materialized === 'ephemeral' &&
      config.event_time !== undefined &&
      [name, alias ?? name].some((one) => node.compiled_code?.includes(`__dbt__cte__${one}`)),
  );
  const referred = referredBy(node, manifest);
  const pieces = node.raw_code === undefined ? undefined : piecesOf(node.raw_code);
  const read = timed.find((one) =>
    pieces
      ? pieces.some((piece) => {
          const mention = mentionOf(piece);
          return mention ? !mention.rendered && referred(mention) === one : NAMES_TABLES.test(codeOf(piece));
        })
      : true,
  );
  return read && `dbt limits the ephemeral model ${read.name} to a batch by its event_time: materialize it as a view`;
}
