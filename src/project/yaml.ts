import { isCollection, isMap, isNode, isScalar, parseDocument } from 'yaml';
import type { Document } from 'yaml';
import type { Problem } from '../contracts/errors.js';
import { locator, problemAt } from './text.js';
import type { Locate, Place } from './text.js';

/** A key or an index on the way to a value. */
export type Path = readonly PropertyKey[];

/** A YAML document as plain JSON, and where in its file each value stands. */
export interface YamlSource {
  readonly file: string;
  readonly value: unknown;
  /** Where the value at `path` is, or what of the way to it exists. */
  placeOf(path: Path): Place;
  /** Where the key at the end of `path` is written. */
  placeOfKey(path: Path): Place;
  /** Place of an offset in the text of a scalar; inside a block scalar to the column, else where it begins. */
  locateIn(path: Path): Locate;
}

export type YamlOutcome = { readonly source: YamlSource } | { readonly problems: readonly Problem[] };

/** Some messages end with the text that was met, which may be a secret. */
const QUOTED_SOURCE = /(?<=\w): .*$/s;

/** Reads `yaml`, which begins at `base` in the whole `text` of `file` (a header comment is a part of its file). */
export function readYaml(file: string, text: string, yaml = text, base = 0): YamlOutcome {
  const locate = locator(text);
  const broken = (offset: number, message: string): Problem =>
    problemAt(file, locate(base + offset), {
      code: 'yaml_invalid',
      message: `YAML: ${message.replace(QUOTED_SOURCE, '')}`,
    });
  try {
    const document = parseDocument(yaml, { prettyErrors: false, stringKeys: true, logLevel: 'error' });
    if (document.errors.length > 0)
      return { problems: onePerLine(document.errors.map((error) => broken(error.pos[0], error.message))) };
    const value: unknown = document.toJS();
    return { source: sourceOf(file, text, { document, value, base, locate }) };
  } catch (error) {
    // Aliases that multiply without end, nesting past the stack, an alias without its anchor.
    return { problems: [broken(0, error instanceof RangeError ? 'nested too deeply' : messageOf(error))] };
  }
}

/** Where one thing is wrong the parser often says so several times. */
function onePerLine(problems: readonly Problem[]): Problem[] {
  return problems.filter(({ line }, index) => problems.findIndex((other) => other.line === line) === index);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

interface Read {
  readonly document: Document;
  readonly value: unknown;
  readonly base: number;
  readonly locate: Locate;
}

function sourceOf(file: string, text: string, { document, value, base, locate }: Read): YamlSource {
  const offsetOf = (path: Path): number => base + (rangeAt(document, path) ?? 0);
  return {
    file,
    value,
    placeOf: (path) => locate(offsetOf(path)),
    placeOfKey: (path) => locate(base + (keyRange(document, path) ?? rangeAt(document, path) ?? 0)),
    locateIn: (path) => blockLocator(text, document.getIn(path, true), locate(offsetOf(path))),
  };
}

function rangeAt(document: Document, path: Path): number | undefined {
  for (let length = path.length; length >= 0; length--) {
    const part = path.slice(0, length);
    const node = length === 0 ? document.contents : document.getIn(part, true);
    // A key without a value is found by the key.
    if (isNode(node) && node.range)
      return isScalar(node) && node.range[0] === node.range[1]
        ? (keyRange(document, part) ?? node.range[0])
        : node.range[0];
  }
  return undefined;
}

function keyRange(document: Document, path: Path): number | undefined {
  const parent = path.length <= 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (!isCollection(parent) || !isMap(parent)) return undefined;
  const pair = parent.items.find(({ key }) => isScalar(key) && String(key.value) === String(path.at(-1)));
  return isScalar(pair?.key) ? pair.key.range?.[0] : undefined;
}

/** The lines of a literal block (`|`) are ends of the file's lines, so what precedes them is the indentation. */
function blockLocator(text: string, node: unknown, start: Place): Locate {
  if (!isScalar(node) || node.type !== 'BLOCK_LITERAL' || typeof node.value !== 'string') return () => start;
  const [lines, fileLines, within] = [node.value.split('\n'), text.split('\n'), locator(node.value)];
  return (offset) => {
    const { line, column } = within(offset);
    const written = fileLines[start.line + line - 1]?.replace(/\r$/, '') ?? '';
    return { line: start.line + line, column: Math.max(0, written.length - (lines[line - 1]?.length ?? 0)) + column };
  };
}
