import { isNode } from './parser.js';

/** Fields of the parse tree that say where something stands, not what it is. */
const LOCATION = /^(location|\w+_location|stmt_len|(rexpr_)?list_(start|end))$/;

/** A copy of a parse tree without locations: equal for texts that differ only in blanks, comments and line breaks. */
export function withoutLocations(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutLocations);
  if (!isNode(value)) return value;
  const kept = Object.entries(value).filter(([key, child]) => !(LOCATION.test(key) && typeof child === 'number'));
  return Object.fromEntries(kept.map(([key, child]) => [key, withoutLocations(child)]));
}

/** JSON with sorted keys and without undefined values: equal values give equal texts. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (!isNode(value)) return value === undefined ? 'null' : JSON.stringify(value);
  const entries = Object.entries(value).filter(([, child]) => child !== undefined);
  const sorted = entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${sorted.map(([key, child]) => `${JSON.stringify(key)}:${canonicalJson(child)}`).join(',')}}`;
}
