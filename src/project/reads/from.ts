import { functionName } from '../coalesce/functions.js';
import { as, conjunctsOf } from '../coalesce/tree.js';
import { isNode, nodesOf, type Node } from '../sql/parser.js';
import { stringsOf } from '../sql/walk.js';
import { isAhead } from './bound.js';
import { valueOf, type View } from './expression.js';
import { intervalOf } from './interval.js';
import { between, type Value } from './value.js';

/** A table of a FROM, and the conditions that every row that the query keeps of it meets. */
export interface Source {
  readonly node: Node;
  readonly conditions: readonly Node[];
  /** Under an alias of a join: its columns have other names outside. */
  readonly hidden: boolean;
}

/** Columns that a join merges: those of USING, or all that both have. */
export interface Merged {
  readonly names: readonly string[] | 'natural';
  readonly left: readonly number[];
  readonly right: readonly number[];
  readonly type: unknown;
}

export interface Sources {
  readonly sources: Source[];
  readonly merged: Merged[];
}

/** The tables of a FROM. ON takes no row away from the side that an outer join keeps, so it says nothing of that. */
export function sourcesOf(select: Node): Sources {
  const found: Sources = { sources: [], merged: [] };
  const where = conjunctsOf(select['whereClause']);
  for (const node of nodesOf(select['fromClause'])) collect(node, where, false, found);
  return found;
}

function collect(node: Node, conditions: readonly Node[], hidden: boolean, found: Sources): void {
  const sample = as(node, 'RangeTableSample');
  const relation = sample?.['relation'];
  if (isNode(relation)) {
    collect(relation, conditions, hidden, found);
    return;
  }
  const join = as(node, 'JoinExpr');
  if (!join) {
    found.sources.push({ node, conditions, hidden });
    return;
  }
  const { larg, rarg, jointype: type } = join;
  if (!isNode(larg) || !isNode(rarg)) return;
  const within = hidden || isNode(join['alias']);
  const narrowed = [...conditions, ...conjunctsOf(join['quals'])];
  const first = found.sources.length;
  collect(larg, type === 'JOIN_INNER' || type === 'JOIN_RIGHT' ? narrowed : conditions, within, found);
  const second = found.sources.length;
  collect(rarg, type === 'JOIN_INNER' || type === 'JOIN_LEFT' ? narrowed : conditions, within, found);
  const [left, right] = [numbers(first, second), numbers(second, found.sources.length)];
  const using = stringsOf(join['usingClause']);
  if (join['isNatural'] === true) found.merged.push({ names: 'natural', left, right, type });
  else if (using.length > 0) found.merged.push({ names: using, left, right, type });
}

function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

export interface Alias {
  readonly name: string;
  /** New names of its columns. */
  readonly columns: readonly string[];
}

export function aliasOf(node: Node | undefined): Alias | undefined {
  const alias = node?.['alias'];
  return isNode(alias) ? { name: String(alias['aliasname']), columns: stringsOf(alias['colnames']) } : undefined;
}

/** The one column of `generate_series(from, to, step)`, where the step goes forwards. */
export function seriesOf(node: Node, view: View): { alias: string; columns: Map<string, Value> } {
  const alias = aliasOf(node);
  const [first, second] = nodesOf(node['functions']);
  const call = second ? undefined : as(nodesOf(as(first, 'List')?.['items'])[0], 'FuncCall');
  const name = alias?.columns[0] ?? alias?.name ?? 'generate_series';
  const known = { alias: alias?.name ?? (call ? functionName(call) : ''), columns: new Map<string, Value>() };
  if (!call || functionName(call) !== 'generate_series') return known;
  const [from, to, step] = nodesOf(call['args']);
  const [low, high, length] = [valueOf(from, view), valueOf(to, view), intervalOf(step)];
  if (low && high && length && isAhead(length))
    known.columns.set(name, between(low.clock, low.lo, high.hi, high.open ?? false));
  return known;
}
