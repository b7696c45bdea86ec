import { functionName } from '../coalesce/functions.js';
import { as } from '../coalesce/tree.js';
import { isNode, nodesOf, type Node } from '../sql/parser.js';
import type { Block, Item } from './block.js';
import { valueOf, type View } from './expression.js';
import type { Value } from './value.js';

/** A column of a query's result. */
export interface Out {
  readonly name: string | undefined;
  /** Its place; unknown behind a `*` of a table whose columns are not known. */
  readonly index: number | undefined;
  readonly expression: Node;
  readonly value: Value | undefined;
}

/** Of a query in FROM, what its reader knows of its columns. */
export type Pushed = ReadonlyMap<string, Value>;
export const NOTHING: Pushed = new Map();
export function resultOf(target: Node): Node {
  return isNode(target['val']) ? target['val'] : {};
}

export function reference(names: readonly string[]): Node {
  return { ColumnRef: { fields: names.map((sval) => ({ String: { sval } })) } };
}

/** The least and the greatest of several lie where they do. */
export function resultValue(expression: Node, view: View): Value | undefined {
  const call = as(expression, 'FuncCall');
  if (call && /^(min|max)$/.test(functionName(call))) {
    const value = valueOf(nodesOf(call['args'])[0], view);
    if (value) return value;
  }
  return valueOf(expression, view);
}

/** A query's columns by name; those of one name are left out. */
export function columnsOf(outs: readonly Out[]): Map<string, Value> {
  const once = outs.filter(({ name }) => outs.filter((other) => other.name === name).length === 1);
  return new Map(
    once.flatMap(({ name, value }): [string, Value][] => (name !== undefined && value ? [[name, value]] : [])),
  );
}

/** The columns of a query under the names that WITH and an alias give it. */
export function renamed(
  outs: readonly Out[],
  ...names: readonly (readonly string[])[]
): Pick<Item, 'columns' | 'names'> {
  const renames = outs.map((out) => ({ ...out, name: newName(out, names) }));
  const complete = outs.length > 0 && outs.every(({ index, name }, i) => index === i && name !== undefined);
  return {
    columns: columnsOf(renames),
    ...(complete ? { names: renames.map(({ name }) => name ?? '') } : {}),
  };
}

function newName({ name, index }: Out, names: readonly (readonly string[])[]): string | undefined {
  const given = names.filter((one) => one.length > 0);
  if (given.length > 0 && index === undefined) return undefined;
  return given.reduce<string | undefined>((before, one) => one[index ?? 0] ?? before, name);
}

/** What is known of a query's columns by its reader, under the names that the query itself gives them. */
export function asked(
  block: Block,
  item: number,
  alias: readonly string[],
  names: readonly string[],
  outs: readonly Out[],
): Pushed {
  return new Map(
    outs.flatMap((out): [string, Value][] => {
      const outside = newName(out, [names, alias]);
      const value = outside === undefined ? undefined : block.value(item, outside);
      return out.name !== undefined && value ? [[out.name, value]] : [];
    }),
  );
}
