import { functionName, isAggregate } from '../coalesce/functions.js';
import { windowChain } from '../coalesce/block.js';
import { all, as, columnOf, each, integerOf, listOf } from '../coalesce/tree.js';
import { textOfTree } from '../sql/canonical.js';
import { isNode, nodesOf, type Node } from '../sql/parser.js';

/** The name that PostgreSQL gives a result column; undefined where that is not for sure. */
export function nameOf(target: Node): string | undefined {
  if (typeof target['name'] === 'string') return target['name'];
  const cast = as(target['val'], 'TypeCast');
  if (cast) return nameOf({ val: cast['arg'] });
  const call = as(target['val'], 'FuncCall');
  return call ? functionName(call) : columnOf(target['val'])?.at(-1);
}

const isDistinctOn = (item: Node): boolean => Object.keys(item).length > 0;

function callsOf(select: Node): Node[] {
  return all([select['targetList'], select['havingClause'], select['sortClause']], 'FuncCall', false);
}

/** Whether rows are not brought together, so that a limit of a result column limits the rows that are read. */
export function isPlain(select: Node): boolean {
  const keys = ['groupClause', 'havingClause', 'distinctClause', 'limitCount', 'limitOffset'];
  return !keys.some((key) => key in select) && !callsOf(select).some((call) => isAggregate(call) || 'over' in call);
}

/**
 * Whether a query that is read only where one of its result columns lies between some ends is the same as one that reads only rows
 * for which the column's expression does: rows with another value never meet with these.
 */
export function passes(select: Node, expression: unknown, position: number | undefined): boolean {
  if (isPlain(select)) return true;
  if ('limitCount' in select || 'limitOffset' in select) return false;
  if (all(select['groupClause'], 'GroupingSet', false).length > 0) return false;
  // In a group all that is no aggregate has one value: PostgreSQL sees to it.
  if (all(expression, 'FuncCall').some((call) => isAggregate(call) || 'over' in call)) return false;
  const known = new Set([
    textOfTree(expression),
    ...all(expression, 'ColumnRef').map((ColumnRef) => textOfTree({ ColumnRef })),
  ]);
  const holds = (list: readonly Node[]): boolean =>
    list.some((one) => known.has(textOfTree(one)) || (position !== undefined && integerOf(one) === position + 1));
  const on = nodesOf(select['distinctClause']).filter(isDistinctOn);
  if (on.length > 0 && !holds(on)) return false;
  return callsOf(select).every(({ over }) => {
    if (!isNode(over)) return true;
    return holds(windowChain(over, select).flatMap(({ partitionClause }) => nodesOf(partitionClause)));
  });
}

/** The sub-selects in a query's own expressions, its ON included; not those inside of others, nor those in FROM. */
export function linksOf(select: Node): Node[] {
  const found: Node[] = [];
  const { withClause: _with, larg: _left, rarg: _right, ...own } = select;
  each(own, (type, node) => {
    if (type === 'SubLink') found.push(node);
    return type !== 'SubLink' && type !== 'RangeSubselect';
  });
  return found;
}

/** The queries of a WITH. */
export function ctesOf(clause: unknown): Node[] {
  return isNode(clause) ? listOf(clause['ctes'], 'CommonTableExpr') : [];
}
