import { z } from 'zod';
import type { Problem } from '../contracts/errors.js';
import { didYouMean, nearest } from './nearest.js';
import { problemAt } from './text.js';
import type { Mistake } from './text.js';
import type { Path, YamlSource } from './yaml.js';

type Issue = z.core.$ZodIssue;

export interface Shaped<T> {
  /** What is right of it: wrong parts are left out, so that the rest can still be checked. */
  readonly value: T | undefined;
  readonly problems: readonly Problem[];
}

/** Each round takes a step up from the wrong value to what holds it; more levels than any of our files has. */
const ROUNDS_MAX = 6;

/**
 * Holds `value` (by default the whole document) against `schema` and reports every mistake. What comes back is read by `partial`,
 * the same schema with every key optional, from the value without its mistakes.
 */
export function shape<T>(
  schema: z.ZodType,
  partial: z.ZodType<T>,
  source: YamlSource,
  value = source.value,
): Shaped<T> {
  const problems = mistakesIn(schema, value).map(({ path, atKey, suggestion: _, ...mistake }) =>
    problemAt(source.file, atKey ? source.placeOfKey(path) : source.placeOf(path), mistake),
  );
  return { value: salvage(partial, value), problems };
}

function salvage<T>(schema: z.ZodType<T>, value: unknown): T | undefined {
  let left: unknown = structuredClone(value);
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const read = schema.safeParse(left);
    if (read.success) return read.data;
    for (const issue of read.error.issues) {
      const wrong =
        issue.code === 'unrecognized_keys'
          ? issue.keys.map((key) => [...issue.path, key])
          : [issue.path.slice(0, Math.max(1, issue.path.length - round))];
      for (const path of wrong) left = without(left, path);
    }
  }
  return undefined;
}

/** `value` without what is at `path`. An element of a list takes the whole list with it: half a key is another key. */
function without(value: unknown, path: Path): unknown {
  const [key, ...rest] = path;
  if (typeof value !== 'object' || value === null || key === undefined) return undefined;
  if (Array.isArray(value)) return undefined;
  const entries = Object.entries(value).flatMap(([name, child]): [string, unknown][] => {
    if (name !== String(key)) return [[name, child]];
    const left: unknown = rest.length === 0 ? undefined : without(child, rest);
    return left === undefined ? [] : [[name, left]];
  });
  return Object.fromEntries(entries);
}

interface Found extends Mistake {
  readonly path: Path;
  readonly atKey: boolean;
  /** The known key that an unknown one resembles. */
  readonly suggestion?: string;
}

function mistakesIn(schema: z.ZodType, value: unknown): Found[] {
  const read = schema.safeParse(value, { reportInput: true });
  const found = read.success ? [] : read.error.issues.flatMap((issue) => explain(issue, [], schema, value));
  // `form: ops` is one mistake, not an unknown `form` and a missing `from`.
  const meant = new Set(found.map(({ path, suggestion }) => pathText([...path.slice(0, -1), suggestion ?? ''])));
  return found.filter(({ code, path }) => code !== 'missing_key' || !meant.has(pathText(path)));
}

function pathText(path: Path): string {
  return path.map(String).join('.');
}

function explain(issue: Issue, prefix: Path, schema: z.ZodType, root: unknown): Found[] {
  const path = [...prefix, ...issue.path];
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(key, path, keysAt(schema, path)));
  if (issue.code === 'invalid_union') {
    const branch = branchOf(issue.errors);
    if (branch) return branch.flatMap((inner) => explain(inner, path, schema, root));
  }
  const name = pathText(path);
  if (issue.input === undefined && path.length > 0 && valueAt(root, path) === undefined) {
    return [
      {
        path,
        atKey: false,
        code: 'missing_key',
        message: `${name} is missing`,
        remedy: `write ${String(path.at(-1))}: …`,
      },
    ];
  }
  return [{ path, atKey: false, ...wrongValue(issue, name) }];
}

/** As many values as a sentence names. */
const FEW = 3;

function wrongValue(issue: Issue, name: string): Mistake {
  const where = name === '' ? '' : `${name}: `;
  if (issue.code === 'custom') {
    const { code, remedy } = issue.params ?? {};
    const mistake = { code: typeof code === 'string' ? code : 'invalid_value', message: `${where}${issue.message}` };
    return typeof remedy === 'string' ? { ...mistake, remedy } : mistake;
  }
  if (issue.code === 'invalid_value') {
    const allowed = issue.values.map(String);
    const written = issue.input === undefined ? 'nothing' : JSON.stringify(issue.input);
    const code = name.endsWith('grain') ? 'unknown_grain' : 'unknown_value';
    const few = allowed.length <= FEW;
    const remedy = didYouMean(
      String(issue.input),
      allowed,
      few ? `write ${keyOf(name)}: ${allowed[0] ?? ''}` : 'write one of them',
    );
    const message = few
      ? `${name} can only be ${allowed.join(' or ')}, not ${written}`
      : `${where}${written} is not one of ${allowed.join(', ')}`;
    return { code, message, remedy };
  }
  if (issue.code === 'invalid_type' && name !== '') {
    const mistake = wrongType(issue.expected, issue.input, name);
    if (mistake) return mistake;
  }
  return { code: 'invalid_value', message: `${where}${issue.message.replace(/^Invalid input: /, '')}` };
}

function keyOf(name: string): string {
  return name.split('.').at(-1) ?? name;
}

/** What a value must be, in words of YAML rather than of a parser. */
function wrongType(expected: string, written: unknown, name: string): Mistake | undefined {
  const [key, value] = [keyOf(name), written === undefined ? 'nothing' : JSON.stringify(written)];
  const scalar = ['string', 'number', 'boolean'].includes(typeof written);
  const mistake = (what: string, remedy: string): Mistake => ({
    code: 'invalid_value',
    message: `${name} is ${what}, not ${value.length > 60 ? 'this' : value}`,
    remedy,
  });
  if (expected === 'array') return mistake('a list', scalar ? `write ${key}: [${String(written)}]` : 'write [a, b]');
  if (expected === 'string')
    return mistake('a text', scalar ? `write ${key}: "${String(written)}"` : 'write one value');
  if (expected === 'boolean') return mistake('true or false', `write ${key}: true`);
  if (expected === 'number' || expected === 'int') return mistake('a number', 'write digits, without quotes');
  if (expected === 'object' || expected === 'record')
    return mistake('a map of keys', `write keys and values under ${key}:`);
  return undefined;
}

function unknownKey(key: string, path: Path, known: readonly string[]): Found {
  const where = path.length === 0 ? '' : ` in ${pathText(path)}`;
  const near = nearest(key, known);
  const remedy = near === undefined ? `known here: ${known.join(', ')}` : `did you mean ${near}?`;
  const found = {
    path: [...path, key],
    atKey: true,
    code: 'unknown_key',
    message: `unknown key ${key}${where}`,
    remedy,
  };
  return near === undefined ? found : { ...found, suggestion: near };
}

/** The branch of a union that was meant: the one that fails deeper than by its mere type. */
function branchOf(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  return branches.find((issues) =>
    issues.every(({ code, path }) => path.length > 0 || !['invalid_type', 'invalid_value'].includes(code)),
  );
}

/** Keys that an object schema knows at `path`. */
function keysAt(schema: unknown, path: Path): string[] {
  const [head, ...rest] = path;
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault)
    return keysAt(schema.unwrap(), path);
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => keysAt(option, path));
  if (schema instanceof z.ZodRecord) return keysAt(schema.valueType, rest);
  if (!(schema instanceof z.ZodObject)) return [];
  return head === undefined ? Object.keys(schema.shape) : keysAt(schema.shape[String(head)], rest);
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const key of path) value = typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
  return value;
}
