import type { Grain } from '../../core/time/axis.js';
import { isNode, nodesOf, type Node } from '../sql/parser.js';
import { judgeSelect, windowChain } from './block.js';
import type { Context } from './context.js';
import { functionName, isKnownFunction, lacksOrder } from './functions.js';
import { Objections, type Check, type Refusal } from './refusal.js';
import { all, as, each, textOf } from './tree.js';

export interface Judged {
  /** `{ SelectStmt: … }`, with `$1` for `:start` and `$2` for `:end`. */
  readonly tree: Node;
  readonly grain: Grain;
  /** The result column that holds the partition's time. */
  readonly time: string;
}

/**
 * What speaks against building adjacent partitions by one statement, `:start` being the start of the first and `:end` the end of the last;
 * null where its rows are for certain those of the partitions one by one.
 *
 * A whitelist: each limited table's rows belong to one partition each, and everything that brings several rows together (joins, groups,
 * windows, DISTINCT) must be shown to stay within a partition. What is not known is refused.
 * `without` leaves checks out, so that a test can show that each is needed.
 */
export function whyNotJoined(judged: Judged, without: ReadonlySet<Check> = new Set()): Refusal | null {
  const { tree, grain, time } = judged;
  const select = as(tree, 'SelectStmt');
  const objections = new Objections(without);
  if (!select) return objections.first();
  const used = new Set<unknown>();
  const ignore = (value: unknown): void => {
    for (const param of all(value, 'ParamRef')) used.add(param);
  };
  const context: Context = { grain, objections, used, ignore };
  requireKnown(tree, objections);
  const result = judgeSelect(select, new Map(), context);
  if (all(tree, 'ParamRef').some((param) => !used.has(param))) objections.refuse('parameter');
  if (!result.buckets.has(time)) objections.refuse('time_column', time);
  return objections.first();
}

/** Nodes of the tree whose meaning does not depend on other rows, or that are followed. */
const KNOWN = new Set(
  `SelectStmt ResTarget ColumnRef A_Star A_Const A_Expr BoolExpr NullTest BooleanTest CaseExpr CaseWhen CoalesceExpr MinMaxExpr
  FuncCall NamedArgExpr TypeCast CollateClause ParamRef RowExpr A_ArrayExpr A_Indirection A_Indices List String Integer SubLink
  RangeVar RangeSubselect RangeFunction JoinExpr CommonTableExpr SortBy WindowDef GroupingSet GroupingFunc`.split(
    /\s+/,
  ),
);
/** Texts that become the time of the transaction when they are read as a time. */
const CLOCK_WORDS = /^\s*(now|today|tomorrow|yesterday)\s*$/i;

/** Nothing in the whole statement that gives another answer in another statement, or that is not known. */
function requireKnown(tree: Node, objections: Objections): void {
  each(tree, (type, node) => {
    if (!KNOWN.has(type)) objections.refuse('construct', wordsOf(type));
    if (type === 'SelectStmt') requireOrder(node, objections);
    if (type === 'FuncCall' && !isKnownFunction(functionName(node)))
      objections.refuse('function', `${functionName(node)}()`);
    const text = type === 'A_Const' ? textOf({ A_Const: node }) : undefined;
    if (text !== undefined && CLOCK_WORDS.test(text)) objections.refuse('function', `'${text}'`);
    const withClause = node['withClause'];
    if (isNode(withClause) && withClause['recursive'] === true) objections.refuse('recursion');
    return true;
  });
}

/** `SQLValueFunction` → `an SQL value function`. */
function wordsOf(type: string): string {
  return type === 'SQLValueFunction' ? 'current_date, current_timestamp or the like' : `${type} of PostgreSQL’s parser`;
}

function requireOrder(select: Node, objections: Objections): void {
  const ordered = 'sortClause' in select;
  const distinctOn = nodesOf(select['distinctClause']).some((item) => Object.keys(item).length > 0);
  if (!ordered && 'limitCount' in select) objections.refuse('order_dependent', 'LIMIT');
  if (!ordered && distinctOn) objections.refuse('order_dependent', 'DISTINCT ON');
  const { fromClause: _from, withClause: _with, ...own } = select;
  for (const call of all(own, 'FuncCall', false)) {
    const over = call['over'];
    const inOrder = isNode(over) && windowChain(over, select).some((window) => 'orderClause' in window);
    if (lacksOrder(call, inOrder)) objections.refuse('order_dependent', `${functionName(call)}()`);
  }
}
