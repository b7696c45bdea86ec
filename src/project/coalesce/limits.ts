import type { Grain } from '../../core/time/axis.js';
import { isNode, nodesOf, type Node } from '../sql/parser.js';
import { keepsPartition } from './bucket.js';
import type { Objections } from './refusal.js';
import { all, as, castTo, columnOf, operatorOf } from './tree.js';

/** One side of a range limit: `column >= :start` or `column < :end`, either way round. */
export interface Limit {
  readonly column: readonly string[];
  readonly side: 'start' | 'end';
  readonly param: Node;
  /** What speaks against it: not half-open, not the parameter itself, cast. */
  readonly flaws: readonly ('bounds' | 'lookback' | 'cast')[];
}

const MIRRORED: Readonly<Record<string, string>> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=' };

/** The limits that a condition, one of those joined by AND, sets. */
export function limitsOf(conjunct: Node, grain: Grain): Limit[] {
  const expression = as(conjunct, 'A_Expr');
  if (!expression) return [];
  const { lexpr, rexpr, kind } = expression;
  if (kind === 'AEXPR_BETWEEN') {
    const items = as(rexpr, 'List')?.['items'];
    const [low, high] = nodesOf(items);
    return [limitOf(lexpr, '>=', low, grain), limitOf(lexpr, '<=', high, grain)].flatMap((one) => one ?? []);
  }
  if (kind !== 'AEXPR_OP') return [];
  const operator = operatorOf(expression);
  const limit = limitOf(lexpr, operator, rexpr, grain) ?? limitOf(rexpr, MIRRORED[operator] ?? '', lexpr, grain);
  return limit ? [limit] : [];
}

function limitOf(left: unknown, operator: string, right: unknown, grain: Grain): Limit | undefined {
  const column = columnOf(left);
  const bound = boundOf(right, grain);
  if (!column || !bound) return undefined;
  const lower = ['>', '>='].includes(operator);
  if (!lower && !['<', '<='].includes(operator)) return undefined;
  const side = bound.param['number'] === 1 ? 'start' : 'end';
  if (lower !== (side === 'start')) return undefined;
  const exact = operator === (lower ? '>=' : '<');
  return { column, side, param: bound.param, flaws: exact ? bound.flaws : ['bounds', ...bound.flaws] };
}

/** `:start`, `:start::timestamp`, and what is refused but understood: `:start - interval '6 days'`. */
function boundOf(expression: unknown, grain: Grain): Pick<Limit, 'param' | 'flaws'> | undefined {
  const param = as(expression, 'ParamRef');
  if (param) return { param, flaws: [] };
  const cast = as(expression, 'TypeCast');
  const inner = cast && boundOf(cast['arg'], grain);
  if (inner) {
    const type = castTo(cast);
    const kept = type === 'timestamptz' || keepsPartition(type, grain);
    return kept ? inner : { ...inner, flaws: [...inner.flaws, 'cast'] };
  }
  const shift = as(expression, 'A_Expr');
  if (shift?.['kind'] !== 'AEXPR_OP' || !/^[+-]$/.test(operatorOf(shift))) return undefined;
  const shifted = all(shift['rexpr'], 'ParamRef').length === 0 ? boundOf(shift['lexpr'], grain) : undefined;
  return shifted && { ...shifted, flaws: [...shifted.flaws, 'lookback'] };
}

/**
 * The columns of one table that conditions limit on both sides. `isOwn` tells its columns; what is used is marked, so that a parameter
 * that is used otherwise is found out.
 */
export function limitedColumns(
  conditions: readonly Node[],
  isOwn: (column: readonly string[]) => boolean,
  { grain, used, objections }: { grain: Grain; used: Set<unknown>; objections: Objections },
): string[] {
  const own = conditions.flatMap((one) => limitsOf(one, grain)).filter(({ column }) => isOwn(column));
  const names = [...new Set(own.map(({ column }) => column.at(-1) ?? ''))];
  return names.filter((name) => {
    const limits = own.filter(({ column }) => column.at(-1) === name);
    if (new Set(limits.map(({ side }) => side)).size < 2) return false;
    for (const { param, flaws } of limits) {
      used.add(param);
      for (const flaw of flaws) objections.refuse(flaw, name);
    }
    return true;
  });
}

/** Whether a value holds `:start` or `:end`. */
export function hasParams(value: unknown): boolean {
  return isNode(value) || Array.isArray(value) ? all(value, 'ParamRef').length > 0 : false;
}
