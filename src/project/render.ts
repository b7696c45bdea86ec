import { quoteIdent, quoteTable, type TableName } from '../contracts/table.js';
import type { Relation, Statement } from './project.js';
import { canonicalJson, withoutLocations } from './sql/canonical.js';
import { isNode, parseTree } from './sql/parser.js';
import type { Node, Tree } from './sql/parser.js';

export interface Rendered {
  readonly text: string;
  /** Offsets of `$1` and `$2` in `text`. */
  readonly params: Statement['params'];
}

interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * The statement with every dataset replaced by its table, under the name that the SQL knows it by. What comes out is parsed again
 * and must be the same tree but for those tables; a difference is a bug, so it throws TypeError.
 */
export function renderStatement(statement: Statement, tableOf: (dataset: string) => TableName): Rendered {
  const splices = statement.relations.flatMap((relation) => splicesOf(relation, tableOf));
  const rendered = { text: splice(statement.text, splices), params: moved(statement.params, splices) };
  const wanted = expectedTree(statement, tableOf);
  if (wanted !== canonicalJson(withoutLocations(statementsOf(parsed(rendered.text))))) {
    throw new TypeError('rewriting table names changed the meaning of a statement');
  }
  return rendered;
}

function splicesOf(relation: Relation, tableOf: (dataset: string) => TableName): Splice[] {
  const { dataset, start, end, aliasAt, aliased, name } = relation;
  if (dataset === undefined) return [];
  const replaced = { start, end, text: quoteTable(tableOf(dataset)) };
  return aliased ? [replaced] : [replaced, { start: aliasAt, end: aliasAt, text: ` AS ${quoteIdent(name)}` }];
}

/** `splices` in ascending order, disjoint. */
function splice(text: string, splices: readonly Splice[]): string {
  const pieces: string[] = [];
  let at = 0;
  for (const { start, end, text: piece } of splices) {
    pieces.push(text.slice(at, start), piece);
    at = end;
  }
  return pieces.join('') + text.slice(at);
}

function moved(params: Statement['params'], splices: readonly Splice[]): Statement['params'] {
  let next = 0;
  let shift = 0;
  return [...params]
    .sort((a, b) => a.start - b.start)
    .map(({ start, end, name }) => {
      for (let one = splices[next]; one && one.start < start; one = splices[++next])
        shift += one.text.length - (one.end - one.start);
      return { start: start + shift, end: end + shift, name };
    });
}

function parsed(text: string): Tree {
  const tree = parseTree(text);
  if ('code' in tree) throw new TypeError(`rewriting table names broke a statement: ${tree.message}`);
  return tree;
}

function statementsOf({ statements }: Tree): unknown {
  return statements.map(({ node }) => node);
}

/** The tree of the author's text, its datasets replaced by their tables. */
function expectedTree(statement: Statement, tableOf: (dataset: string) => TableName): string {
  const tree = parsed(statement.text);
  const datasets = new Map(
    statement.relations.flatMap((relation) => (relation.dataset === undefined ? [] : [[relation.start, relation]])),
  );
  const rewrite = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(rewrite);
    if (!isNode(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, child]) => [
        key,
        key === 'RangeVar' && isNode(child) ? table(child) : rewrite(child),
      ]),
    );
  };
  const table = (node: Node): Node => {
    const relation = datasets.get(tree.offsetOf(node['location']));
    if (relation?.dataset === undefined) return node;
    const { schema, name } = tableOf(relation.dataset);
    return { ...node, schemaname: schema, relname: name, alias: node['alias'] ?? { aliasname: relation.name } };
  };
  return canonicalJson(withoutLocations(rewrite(statementsOf(tree))));
}
