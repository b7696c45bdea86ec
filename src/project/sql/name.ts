import { quoteIdent } from '../../contracts/table.js';
import { scanTokens } from './parser.js';

/** A name as it may stand in SQL: quoted where it must be, words of SQL (`order`) too. */
export function sqlName({ schema, name }: { readonly schema?: string; readonly name: string }): string {
  const parts = schema === undefined ? [name] : [schema, name];
  return parts.map((part) => (isPlain(part) ? part : quoteIdent(part))).join('.');
}

function isPlain(part: string): boolean {
  return /^[a-z_][a-z0-9_$]*$/.test(part) && scanTokens(part)?.[0]?.kind !== 'keyword';
}
