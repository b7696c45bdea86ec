import { functionName } from '../coalesce/functions.js';
import { as, operatorOf, textOf } from '../coalesce/tree.js';
import { nodesOf, type Node } from '../sql/parser.js';
import { narrow, valueOf, type View } from './expression.js';
import { between, both, comparable, either, type Value } from './value.js';

/** What a condition says of columns in view, by {@link keyOf}. */
export type Facts = ReadonlyMap<string, Value>;

/** The key of a column in view; undefined for one of an outer query, of which nothing is said. */
export type KeyOf = (names: readonly string[]) => string | undefined;

const NEGATED: Readonly<Record<string, string>> = { '<': '>=', '<=': '>', '>': '<=', '>=': '<' };
const MIRRORED: Readonly<Record<string, string>> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=', '=': '=' };

/** What is known of the columns of a row that a condition keeps: it is not kept where one of them is null. */
export function factsOf(condition: unknown, view: View, keyOf: KeyOf, negated = false): Facts {
  const bool = as(condition, 'BoolExpr');
  if (bool) {
    const args = nodesOf(bool['args']);
    if (bool['boolop'] === 'NOT_EXPR') return factsOf(args[0], view, keyOf, !negated);
    const parts = args.map((one) => factsOf(one, view, keyOf, negated));
    return (bool['boolop'] === 'AND_EXPR') !== negated ? allOf(parts, view) : anyOf(parts, view);
  }
  const facts: Map<string, Value>[] = [];
  const say = (expression: unknown, value: Value): void =>
    narrow(expression, value, view, (names, found) => {
      const key = keyOf(names);
      if (key !== undefined) facts.push(new Map([[key, found]]));
    });
  const link = as(condition, 'SubLink');
  if (link) {
    if (!negated) sayIn(link, view, say);
  } else {
    const expression = as(condition, 'A_Expr');
    if (expression) sayExpression(expression, view, say, negated);
  }
  return allOf(facts, view);
}

type Say = (expression: unknown, value: Value) => void;

function sayExpression(expression: Node, view: View, say: Say, negated: boolean): void {
  const { kind, lexpr, rexpr } = expression;
  const operator = operatorOf(expression);
  if (kind === 'AEXPR_OP') {
    if (/^(<@|@>)$/.test(operator)) {
      if (!negated) sayRange(operator === '<@' ? [lexpr, rexpr] : [rexpr, lexpr], view, say);
    } else sayCompared(lexpr, negated ? NEGATED[operator] : operator, rexpr, view, say);
    return;
  }
  if (negated) return;
  const items = nodesOf(as(rexpr, 'List')?.['items']);
  if (kind === 'AEXPR_BETWEEN') {
    sayCompared(lexpr, '>=', items[0], view, say);
    sayCompared(lexpr, '<=', items[1], view, say);
  }
  if (kind === 'AEXPR_IN' && operator === '=') {
    const values = items.map((item) => valueOf(item, view));
    const first = values[0];
    if (!first) return;
    let any = first;
    for (const value of values) {
      if (!value || !comparable(value.clock, first.clock)) return;
      any = either(any, value, view.axis);
    }
    say(lexpr, any);
  }
}

function sayCompared(left: unknown, operator: string | undefined, right: unknown, view: View, say: Say): void {
  const mirrored = MIRRORED[operator ?? ''];
  if (operator === undefined || mirrored === undefined) return;
  const [rows, other] = [as(left, 'RowExpr'), as(right, 'RowExpr')];
  if (rows && other) {
    if (operator !== '=') return;
    const values = nodesOf(other['args']);
    nodesOf(rows['args']).forEach((one, i) => sayCompared(one, '=', values[i], view, say));
    return;
  }
  const [a, b] = [valueOf(left, view), valueOf(right, view)];
  if (b) say(left, limitedBy(operator, b));
  if (a) say(right, limitedBy(mirrored, a));
}

/** What is known of `x`, if `x operator value`. */
function limitedBy(operator: string, { clock, lo, hi, open = false }: Value): Value {
  switch (operator) {
    case '=':
      return between(clock, lo, hi, open);
    case '<':
      return between(clock, undefined, hi, true);
    case '<=':
      return between(clock, undefined, hi, open);
    default:
      return between(clock, lo, undefined, false);
  }
}

/** `x IN (SELECT …)`, `x = ANY (SELECT …)`. */
function sayIn(link: Node, view: View, say: Say): void {
  const select = as(link['subselect'], 'SelectStmt');
  if (link['subLinkType'] !== 'ANY_SUBLINK' || !select) return;
  if ('operName' in link && operatorOf({ name: link['operName'] }) !== '=') return;
  const values = view.query(select);
  const tested = as(link['testexpr'], 'RowExpr');
  const left: readonly unknown[] = tested ? nodesOf(tested['args']) : [link['testexpr']];
  left.forEach((one, i) => {
    const value = values[i];
    if (value) say(one, value);
  });
}

/** `x <@ tstzrange(:start, :end)`. */
function sayRange([inner, range]: readonly unknown[], view: View, say: Say): void {
  const call = as(range, 'FuncCall');
  if (!call || !/^(tstzrange|tsrange|daterange)$/.test(functionName(call))) return;
  const [low, high, written] = nodesOf(call['args']);
  const bounds = written === undefined ? '[)' : textOf(written);
  if (bounds === undefined || !/^[[(][\])]$/.test(bounds)) return;
  sayCompared(inner, '>=', low, view, say);
  sayCompared(inner, bounds.endsWith(']') ? '<=' : '<', high, view, say);
}

function allOf(parts: readonly Facts[], { axis }: View): Facts {
  const sum = new Map<string, Value>();
  for (const [key, value] of parts.flatMap((part) => [...part])) {
    const known = sum.get(key);
    sum.set(key, known ? both(known, value, axis) : value);
  }
  return sum;
}

function anyOf([first, ...rest]: readonly Facts[], { axis }: View): Facts {
  let any: Facts = first ?? new Map<string, Value>();
  for (const part of rest)
    any = new Map(
      [...any].flatMap(([key, value]): [string, Value][] => {
        const other = part.get(key);
        return other ? [[key, either(value, other, axis)]] : [];
      }),
    );
  return any;
}
