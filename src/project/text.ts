import type { Problem } from '../contracts/errors.js';
import type { FlagValue } from '../contracts/project.js';

/** Values of the project's flags in an environment, by name. */
export type Flags = ReadonlyMap<string, FlagValue>;

/** 1-based, as editors count; columns in UTF-16 units. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** From an offset (UTF-16 units) in some text to its place in the file. */
export type Locate = (offset: number) => Place;

/** A mistake before its file and line are known. */
export interface Mistake {
  readonly code: string;
  readonly message: string;
  readonly remedy?: string;
  readonly write?: string;
}

/** A mistake at an offset of the statement's text. */
export interface SqlMistake extends Mistake {
  readonly offset: number;
}

export function problemAt(file: string, place: Place | undefined, { code, message, remedy, write }: Mistake): Problem {
  const masked = {
    message: withoutPassword(message),
    ...(remedy === undefined ? {} : { remedy: withoutPassword(remedy) }),
  };
  const at = place && { line: place.line, column: place.column };
  return { file, ...at, code, ...masked, ...(write === undefined ? {} : { write }) };
}

/** A URL may stand where another value belongs; a message that repeats the value must not repeat its password. */
function withoutPassword(text: string): string {
  return text.replace(/:\/\/[^\s@]*@/g, '://…@');
}

/** Places of offsets in `text`; offsets past the end are its end. */
export function locator(text: string): Locate {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    const clamped = Math.max(0, Math.min(offset, text.length));
    let lo = 0;
    let hi = starts.length - 1;
    while (lo < hi) {
      const middle = (lo + hi + 1) >> 1;
      if ((starts[middle] ?? Infinity) <= clamped) lo = middle;
      else hi = middle - 1;
    }
    return { line: lo + 1, column: clamped - (starts[lo] ?? 0) + 1 };
  };
}

/** UTF-16 offset of each UTF-8 byte offset: PostgreSQL's parser counts bytes, everything here counts UTF-16 units. */
export function byteOffsets(text: string): (byte: number) => number {
  const bytes = Buffer.byteLength(text);
  if (bytes === text.length) return (byte) => byte;
  const units = new Uint32Array(bytes + 1);
  let byte = 0;
  let unit = 0;
  for (const character of text) {
    const width = Buffer.byteLength(character);
    units.fill(unit, byte, byte + width);
    byte += width;
    unit += character.length;
  }
  units[bytes] = text.length;
  return (at) => units[at] ?? text.length;
}

/** UTF-16 offset of a count of characters: error positions of PostgreSQL count code points. */
export function characterOffset(text: string, characters: number): number {
  let unit = 0;
  let left = characters;
  for (const character of text) {
    if (left-- <= 0) break;
    unit += character.length;
  }
  return unit;
}
