import { closest } from 'fastest-levenshtein';
import { downstreamOf, upstreamOf } from './order.js';

/** What selecting needs to know of a dataset; `project.Dataset` has this shape. */
export interface SelectNode {
  readonly needs: readonly { readonly dataset: string }[];
  readonly tags: readonly string[];
  /** Relative to the project's folder: `datasets/ops/flights_raw.yaml`. */
  readonly file: string;
}
export type SelectGraph = ReadonlyMap<string, SelectNode>;

export interface SelectProblem {
  readonly code: 'unknown_dataset' | 'unknown_tag' | 'unknown_path' | 'bad_selector' | 'nothing_selected';
  readonly message: string;
  readonly remedy: string;
}
export type Selection = { readonly selected: Set<string> } | { readonly problem: SelectProblem };

/**
 * The datasets that selectors name: `name`, `glob*`, `tag:x`, `path:x` (a folder under datasets/), each with `+` before it
 * for all that it reads and behind it for all that reads it. Several are a union, none is the whole project; `excludes`, of
 * the same forms, are taken away. A selector or exclude that matches nothing is a problem: it is a misspelt name more often
 * than not.
 */
export function select(graph: SelectGraph, selectors: readonly string[], excludes: readonly string[] = []): Selection {
  const selected = new Set(selectors.length === 0 ? graph.keys() : []);
  for (const selector of selectors) {
    const found = resolve(graph, selector);
    if ('problem' in found) return found;
    for (const name of found.selected) selected.add(name);
  }
  for (const selector of excludes) {
    const found = resolve(graph, selector);
    if ('problem' in found) return found;
    for (const name of found.selected) selected.delete(name);
  }
  if (selected.size > 0) return { selected };
  const message = graph.size === 0 ? 'the project has no datasets' : 'everything that was selected is excluded too';
  const remedy = graph.size === 0 ? 'add a file under datasets/' : `exclude less than ${excludes.join(', ')}`;
  return { problem: { code: 'nothing_selected', message, remedy } };
}

function resolve(graph: SelectGraph, selector: string): Selection {
  const [, up, pattern, down] = /^(\+?)(.*?)(\+?)$/su.exec(selector) ?? [];
  if (!pattern) {
    const message = `${JSON.stringify(selector)} is not a selector`;
    return { problem: { code: 'bad_selector', message, remedy: `type one of: ${FORMS}` } };
  }
  const roots = matching(graph, pattern);
  if (roots.length === 0) return { problem: unmatched(graph, pattern) };
  const needsOf = (name: string): string[] => (graph.get(name)?.needs ?? []).map(({ dataset }) => dataset);
  const selected = new Set(roots);
  if (up) for (const name of upstreamOf(roots, needsOf)) if (graph.has(name)) selected.add(name);
  if (down) for (const name of downstreamOf(roots, graph.keys(), needsOf)) selected.add(name);
  return { selected };
}

const FORMS = 'name, glob*, +name, name+, +name+, tag:x, path:folder';
const TAG = 'tag:';
const PATH = 'path:';

function matching(graph: SelectGraph, pattern: string): string[] {
  const test = tester(pattern);
  return [...graph].filter(([name, node]) => test(name, node)).map(([name]) => name);
}

function tester(pattern: string): (name: string, node: SelectNode) => boolean {
  if (pattern.startsWith(TAG)) {
    const tag = glob(pattern.slice(TAG.length));
    return (_, { tags }) => tags.some(tag);
  }
  if (pattern.startsWith(PATH)) {
    const path = folder(pattern.slice(PATH.length));
    return (_, { file }) => path === '' || `${folder(file)}/`.startsWith(`${path}/`);
  }
  return glob(pattern);
}

/**
 * `*` is any number of any characters, all else stands for itself. No regular expression: thirty stars in one keep a worker busy for
 * longer than anybody waits, and a request may come from anywhere.
 */
function glob(pattern: string): (text: string) => boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return (text) => text === pattern;
  return (text) => {
    if (!text.startsWith(first)) return false;
    let from = first.length;
    for (const part of rest) {
      const at = text.indexOf(part, from);
      if (at < 0) return false;
      from = at + part.length;
    }
    return text.length - last.length >= from && text.endsWith(last);
  };
}

/** A path under datasets/, with or without that prefix, `./` and a slash at the end. */
function folder(path: string): string {
  return path
    .replace(/^\.\//, '')
    .replace(/\/+$/, '')
    .replace(/^datasets(\/|$)/, '');
}

function unmatched(graph: SelectGraph, pattern: string): SelectProblem {
  const nodes = [...graph.values()];
  if (pattern.startsWith(TAG))
    return nearest('unknown_tag', 'tag', pattern, TAG, new Set(nodes.flatMap(({ tags }) => tags)));
  if (pattern.startsWith(PATH))
    return nearest('unknown_path', 'path', pattern, PATH, new Set(nodes.flatMap(foldersOf)));
  return nearest('unknown_dataset', 'dataset', pattern, '', graph.keys());
}

function foldersOf({ file }: SelectNode): string[] {
  const parts = folder(file).split('/').slice(0, -1);
  return parts.map((_, i) => parts.slice(0, i + 1).join('/'));
}

function nearest(
  code: SelectProblem['code'],
  word: string,
  pattern: string,
  prefix: string,
  known: Iterable<string>,
): SelectProblem {
  const wanted = pattern.slice(prefix.length);
  const names = [...known];
  const message = `no ${word} matches ${JSON.stringify(wanted)}`;
  if (names.length === 0) return { code, message, remedy: `the project has no ${word} at all` };
  return { code, message, remedy: `the nearest is ${prefix}${closest(wanted, names)}; sluice graph shows them all` };
}
