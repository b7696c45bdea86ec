import { isNode, nodesOf, type Node } from '../sql/parser.js';
import { stringsOf } from '../sql/walk.js';

/** The node under a type: `{ FuncCall: {…} }` → `{…}`. */
export function as(value: unknown, type: string): Node | undefined {
  const node = isNode(value) ? value[type] : undefined;
  return isNode(node) ? node : undefined;
}

/** Those of a list that are of a type. */
export function listOf(list: unknown, type: string): Node[] {
  return nodesOf(list).flatMap((item) => {
    const node = as(item, type);
    return node ? [node] : [];
  });
}

/** Calls `see` with every typed node below `value`, parents first; where it answers false, what is below is left out. */
export function each(value: unknown, see: (type: string, node: Node) => boolean): void {
  if (Array.isArray(value)) {
    for (const item of value) each(item, see);
  } else if (isNode(value)) {
    for (const key of Object.keys(value)) {
      const child = value[key];
      if (typeof child !== 'object') continue;
      // The sides of a set operation are queries without their type.
      const type = isNode(child) && 'limitOption' in child ? 'SelectStmt' : key;
      if (/^[A-Z]/.test(type) && isNode(child) && !see(type, child)) continue;
      each(child, see);
    }
  }
}

/** Every node of a type below `value`; with `inside` false, none within sub-selects. */
export function all(value: unknown, type: string, inside = true): Node[] {
  const found: Node[] = [];
  each(value, (key, node) => {
    if (key === type) found.push(node);
    return inside || key !== 'SubLink';
  });
  return found;
}

/** What is joined by AND at the top of a condition. */
export function conjunctsOf(condition: unknown): Node[] {
  const bool = as(condition, 'BoolExpr');
  if (bool?.['boolop'] === 'AND_EXPR') return nodesOf(bool['args']).flatMap(conjunctsOf);
  return isNode(condition) ? [condition] : [];
}

/** The text of an operator expression's operator, of a kind. */
export function operatorOf(expression: Node): string {
  return stringsOf(expression['name']).join('.');
}

/** Name of the type that a cast without precision casts to. */
export function castTo(cast: Node): string | undefined {
  const type = cast['typeName'];
  if (!isNode(type) || 'typmods' in type || 'arrayBounds' in type) return undefined;
  const names = stringsOf(type['names']);
  return names.length === 1 || names[0] === 'pg_catalog' ? names.at(-1) : undefined;
}

/** The whole number that a constant is. */
export function integerOf(expression: unknown): number | undefined {
  const constant = as(expression, 'A_Const');
  const value = constant && as(constant, 'ival');
  if (!value) return undefined;
  return typeof value['ival'] === 'number' ? value['ival'] : 0;
}

/** The text that a constant is. */
export function textOf(expression: unknown): string | undefined {
  const constant = as(expression, 'A_Const');
  const value = constant && as(constant, 'sval');
  return value && typeof value['sval'] === 'string' ? value['sval'] : undefined;
}

/** A column reference's names; undefined for other expressions and for `*`. */
export function columnOf(expression: unknown): readonly string[] | undefined {
  const reference = as(expression, 'ColumnRef');
  if (!reference) return undefined;
  const names = stringsOf(reference['fields']);
  return names.length === nodesOf(reference['fields']).length ? names : undefined;
}
