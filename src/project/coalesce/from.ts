import { isNode, type Node } from '../sql/parser.js';
import { stringsOf } from '../sql/walk.js';
import { isBucket, type Item, type Place } from './bucket.js';
import { limitedColumns } from './limits.js';
import type { Context, Relation, Scope } from './context.js';
import { as, conjunctsOf, operatorOf } from './tree.js';

/** The tables of a FROM, judged. */
export interface From extends Context {
  readonly scope: Scope;
  /** Whether there is but one table: then a bare column is that table's. */
  readonly single: boolean;
  readonly judge: (query: Node, scope: Scope) => Relation;
  readonly isFixed: (value: unknown, scope: Scope) => boolean;
}

const isLimited = (items: readonly Item[]): boolean => items.some(({ limited }) => limited);

/** The tables below a node of a FROM; `conditions` hold for every row that the query keeps of them. */
export function itemsOf(node: Node, conditions: readonly Node[], from: From): Item[] {
  const join = as(node, 'JoinExpr');
  if (join) return joinedItems(join, conditions, from);
  const table = as(node, 'RangeVar');
  if (table) {
    const name = String(table['relname']);
    const relation = table['schemaname'] === undefined ? from.scope.get(name) : undefined;
    return [limited(table, name, relation ?? FIXED, conditions, from)];
  }
  const query = as(node, 'RangeSubselect');
  if (query) {
    const lateral = query['lateral'] === true;
    if (lateral && !from.isFixed(query['subquery'], from.scope)) from.objections.refuse('lateral');
    const select = isNode(query['subquery']) ? as(query['subquery'], 'SelectStmt') : undefined;
    const relation = select && !lateral ? from.judge(select, from.scope) : FIXED;
    if (lateral) from.ignore(query['subquery']);
    return [limited(query, '', relation, conditions, from)];
  }
  return [{ alias: aliasOf(node['RangeFunction'], ''), ...FIXED }];
}

const FIXED: Relation = { limited: false, buckets: new Set() };

function aliasOf(node: unknown, name: string): string {
  const alias = isNode(node) ? node['alias'] : undefined;
  return isNode(alias) ? String(alias['aliasname']) : name;
}

/** A table under its alias, limited by what the conditions say of it. */
function limited(node: Node, name: string, relation: Relation, conditions: readonly Node[], from: From): Item {
  const alias = aliasOf(node, name);
  // Renamed columns may bear each other's names.
  const renamed = isNode(node['alias']) && 'colnames' in node['alias'];
  const before = renamed ? new Set<string>() : relation.buckets;
  const isOwn = (column: readonly string[]): boolean =>
    column.length === 2 ? column[0] === alias : column.length === 1 && from.single;
  const columns = limitedColumns(conditions, isOwn, from);
  const [first] = columns;
  if (first === undefined) return { alias, limited: relation.limited, buckets: before };
  const others = relation.limited ? columns.filter((column) => !before.has(column)) : columns.slice(1);
  if (others.length > 0) from.objections.refuse('two_limits', alias === '' ? 'a table' : alias);
  return { alias, limited: true, buckets: relation.limited ? before : new Set([first]) };
}

function joinedItems(join: Node, conditions: readonly Node[], from: From): Item[] {
  const on = conjunctsOf(join['quals']);
  const [left, right] = [join['larg'], join['rarg']];
  if (!isNode(left) || !isNode(right)) return [];
  if (isNode(join['alias'])) from.objections.refuse('construct', 'an alias of a join');
  if (join['isNatural'] === true) from.objections.refuse('construct', 'NATURAL JOIN');
  const columns = stringsOf(join['usingClause']);
  if (join['jointype'] === 'JOIN_INNER') {
    const all = [...conditions, ...on];
    const [a, b] = [itemsOf(left, all, from), itemsOf(right, all, from)];
    requireSameBucket(a, b, all, columns, from);
    return [...a, ...b];
  }
  const [kept, other] = join['jointype'] === 'JOIN_RIGHT' ? [right, left] : [left, right];
  // ON takes no rows away from the side that is kept.
  const a = itemsOf(kept, conditions, from);
  const b = itemsOf(other, [...conditions, ...on], from);
  if (isLimited(b) && (!isLimited(a) || join['jointype'] === 'JOIN_FULL')) from.objections.refuse('outer_join');
  if (isLimited(a) && join['jointype'] === 'JOIN_FULL') from.objections.refuse('outer_join');
  requireSameBucket(a, b, on, columns, from);
  return [
    ...a,
    ...(from.objections.holds('nullable') ? b.map((item) => ({ ...item, buckets: new Set<string>() })) : b),
  ];
}

/** Two limited sides may only meet within a partition: some condition makes a bucket of the one equal to one of the other. */
export function requireSameBucket(
  a: readonly Item[],
  b: readonly Item[],
  conditions: readonly Node[],
  using: readonly string[],
  { grain, objections }: From,
): void {
  if (!isLimited(a) || !isLimited(b)) return;
  const within = (items: readonly Item[]): Place => ({ items, grain, objections, grouped: false });
  // All tables are in view, so that a bare column counts only where it is known whose it is.
  const of = (items: readonly Item[], expression: unknown): boolean =>
    isBucket(expression, within([...items, { alias: '', limited: false, buckets: new Set() }]));
  const equal = conditions.some((one) => {
    const comparison = as(one, 'A_Expr');
    if (comparison?.['kind'] !== 'AEXPR_OP' || operatorOf(comparison) !== '=') return false;
    const { lexpr, rexpr } = comparison;
    return (of(a, lexpr) && of(b, rexpr)) || (of(b, lexpr) && of(a, rexpr));
  });
  const shared = using.some((name) => [a, b].every((side) => side.some(({ buckets }) => buckets.has(name))));
  if (!equal && !shared) objections.refuse('join');
}
