import { isNode, nodesOf, type Node } from '../sql/parser.js';
import { stringsOf } from '../sql/walk.js';
import { isBucket, type Item, type Place } from './bucket.js';
import type { Context, Relation, Scope } from './context.js';
import { itemsOf, requireSameBucket, type From } from './from.js';
import { functionName, isAggregate } from './functions.js';
import { hasParams, limitsOf } from './limits.js';
import { all, as, columnOf, conjunctsOf, integerOf, listOf } from './tree.js';

/** Judges one SELECT: a query whose rows depend on no interval is fixed, and may do what it likes. */
export function judgeSelect(select: Node, outer: Scope, context: Context): Relation {
  if (isFixed(select, outer)) return { limited: false, buckets: new Set() };
  const scope = withScope(select['withClause'], outer, context);
  if (select['op'] !== 'SETOP_NONE') return setOperation(select, scope, context);
  const items = fromItems(select, scope, context);
  const limited = items.some((item) => item.limited);
  refuseSubSelects(select, scope, context);
  if (!limited) return { limited, buckets: new Set() };
  const { grain, objections } = context;
  const place: Place = { items, grain, objections, grouped: false };
  const grouped = judgeGroups(select, place);
  const inGroups = { ...place, grouped };
  judgeWindows(select, inGroups);
  judgeDistinct(select, inGroups);
  if ('limitCount' in select || 'limitOffset' in select) objections.refuse('limit');
  return { limited, buckets: new Set(bucketNames(select, inGroups)) };
}

/** Whether a query is the same in every partition. */
function isFixed(value: unknown, scope: Scope): boolean {
  const reads = all(value, 'RangeVar').some(
    (table) => table['schemaname'] === undefined && scope.get(String(table['relname']))?.limited === true,
  );
  return !reads && !hasParams(value);
}

function withScope(clause: unknown, outer: Scope, context: Context): Scope {
  const scope = new Map(outer);
  for (const cte of isNode(clause) ? listOf(clause['ctes'], 'CommonTableExpr') : []) {
    const query = as(cte['ctequery'], 'SelectStmt');
    if (!query) continue;
    const { limited, buckets } = judgeSelect(query, scope, context);
    const renamed = 'aliascolnames' in cte;
    scope.set(String(cte['ctename']), { limited, buckets: renamed ? new Set() : buckets });
  }
  return scope;
}

function setOperation(select: Node, scope: Scope, context: Context): Relation {
  context.objections.refuse('set_operation');
  context.ignore(select['rarg']);
  return isNode(select['larg'])
    ? judgeSelect(select['larg'], scope, context)
    : { limited: false, buckets: new Set<string>() };
}

function fromItems(select: Node, scope: Scope, context: Context): Item[] {
  const nodes = nodesOf(select['fromClause']);
  const single = nodes.length === 1 && !as(nodes[0], 'JoinExpr');
  const from: From = { ...context, scope, single, judge: (query, at) => judgeSelect(query, at, context), isFixed };
  const where = conjunctsOf(select['whereClause']);
  const items = nodes.reduce<Item[]>((before, node) => {
    const next = itemsOf(node, where, from);
    requireSameBucket(before, next, where, [], from);
    return [...before, ...next];
  }, []);
  for (const { column, param } of where.flatMap((one) => limitsOf(one, context.grain))) {
    if (single || column.length > 1 || context.used.has(param)) continue;
    context.objections.refuse('unqualified', column[0]);
    context.used.add(param);
  }
  return items;
}

function refuseSubSelects(select: Node, scope: Scope, { objections, ignore }: Context): void {
  const { withClause: _with, ...rest } = select;
  for (const sub of all(rest, 'SubLink')) {
    if (isFixed(sub, scope)) continue;
    objections.refuse('sub_select');
    ignore(sub);
  }
}

/** What a query answers with, in order. */
function targetsOf(select: Node): Node[] {
  return listOf(select['targetList'], 'ResTarget');
}

/** The name that PostgreSQL gives a result column; undefined where that is not for sure. */
function nameOf(target: Node): string | undefined {
  if (typeof target['name'] === 'string') return target['name'];
  const call = as(target['val'], 'FuncCall');
  return call ? functionName(call) : columnOf(target['val'])?.at(-1);
}

/** Whether a query is grouped by a bucket. */
function judgeGroups(select: Node, place: Place): boolean {
  const { objections } = place;
  const { targetList, havingClause, sortClause, groupClause } = select;
  const grouped = 'groupClause' in select || 'havingClause' in select;
  const calls = all([targetList, havingClause, sortClause], 'FuncCall', false);
  if (!grouped && !calls.some(isAggregate)) return false;
  const sets = all(groupClause, 'GroupingSet', false);
  if (sets.length > 0) objections.refuse('grouping_sets');
  const listed = [...nodesOf(groupClause), ...sets.flatMap(({ content }) => nodesOf(content))];
  // A column of the tables goes before one of the result; where PostgreSQL takes another than here, it refuses the statement.
  const held = listed.some((one) => isBucket(one, place) || isBucket(resultOf(one, select), place));
  if (!held) objections.refuse('aggregate');
  return true;
}

/** The result column that a position or a name means. */
function resultOf(expression: unknown, select: Node): unknown {
  const targets = targetsOf(select);
  const position = integerOf(expression);
  if (position !== undefined) return targets[position - 1]?.['val'];
  const names = columnOf(expression);
  return names?.length === 1 ? targets.find((target) => nameOf(target) === names[0])?.['val'] : undefined;
}

function judgeWindows(select: Node, place: Place): void {
  for (const call of all([select['targetList'], select['sortClause']], 'FuncCall', false)) {
    if (!isNode(call['over'])) continue;
    const parts = windowChain(call['over'], select).flatMap(({ partitionClause }) => nodesOf(partitionClause));
    if (!parts.some((part) => isBucket(part, place))) place.objections.refuse('window', functionName(call));
  }
}

/** What `OVER` says, and the named windows that it builds upon: each upon one before it. */
export function windowChain(over: Node, select: Node): Node[] {
  const named = listOf(select['windowClause'], 'WindowDef');
  const chain = [over];
  let base = over['refname'] ?? over['name'];
  for (const window of named.reverse()) {
    if (base === undefined || window['name'] !== base) continue;
    chain.push(window);
    base = window['refname'];
  }
  return chain;
}

function judgeDistinct(select: Node, place: Place): void {
  if (!('distinctClause' in select)) return;
  const on = nodesOf(select['distinctClause']).filter((item) => Object.keys(item).length > 0);
  const kept =
    on.length === 0
      ? bucketNames(select, place).length > 0
      : on.some((item) => isBucket(resultOf(item, select) ?? item, place));
  if (!kept) place.objections.refuse('distinct');
}

/** Names of the result columns that are buckets; a star passes those of its tables on. */
function bucketNames(select: Node, place: Place): string[] {
  return targetsOf(select).flatMap((target) => {
    const fields = nodesOf(as(target['val'], 'ColumnRef')?.['fields']);
    if (fields.at(-1)?.['A_Star']) {
      const [alias] = stringsOf(fields);
      const items = place.items.filter((item) => alias === undefined || item.alias === alias);
      return fields.length > 2 ? [] : items.flatMap(({ buckets }) => [...buckets]);
    }
    const name = nameOf(target);
    return name !== undefined && isBucket(target['val'], place) ? [name] : [];
  });
}
