import { isNode, type Node } from './parser.js';

/** Fields of the parse tree that say where something stands, not what it is. */
const LOCATION = /^(location|\w+_location|stmt_len|(rexpr_)?list_(start|end))$/;

/** A copy of a parse tree without locations: equal for texts that differ only in blanks, comments and line breaks. */
export function withoutLocations(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutLocations);
  if (!isNode(value)) return value;
  const kept: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const child = value[key];
    if (typeof child !== 'number' || !LOCATION.test(key)) kept[key] = withoutLocations(child);
  }
  return kept;
}

const texts = new WeakMap<Node, string>();

/** A part of a parse tree as a text that is equal for what is written alike; the same part is asked for again and again. */
export function textOfTree(value: unknown): string {
  if (!isNode(value)) return canonicalJson(withoutLocations(value));
  const known = texts.get(value) ?? canonicalJson(withoutLocations(value));
  texts.set(value, known);
  return known;
}

/** JSON with sorted keys and without undefined values: equal values give equal texts. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (!isNode(value)) return value === undefined ? 'null' : JSON.stringify(value);
  let text = '';
  // In the order of `<`.
  for (const key of Object.keys(value).sort()) {
    const child = value[key];
    if (child !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(child)}`;
  }
  return `{${text}}`;
}
