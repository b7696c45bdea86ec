import type { Axis } from '../../core/time/axis.js';
import { ZERO, type Duration } from '../../core/time/duration.js';
import { changesClocks } from '../../core/time/zone.js';
import { isLong } from '../coalesce/bucket.js';
import { functionName } from '../coalesce/functions.js';
import { as, castTo, columnOf, operatorOf, textOf } from '../coalesce/tree.js';
import { nodesOf, type Node } from '../sql/parser.js';
import { moved, negative } from './bound.js';
import { intervalOf, wholeOf } from './interval.js';
import { unitOf, type Bound, type Unit } from './unit.js';
import {
  between,
  comparable,
  cut,
  END,
  exactly,
  isExact,
  isPlain,
  shifted,
  START,
  uncut,
  type Clock,
  type Value,
} from './value.js';

/** Where an expression stands: what is known of the columns in view. */
export interface View {
  readonly axis: Axis;
  readonly column: (names: readonly string[]) => Value | undefined;
  /** The first column of a query's result. */
  readonly query: (select: Node) => readonly (Value | undefined)[];
}

/** A step of an expression that keeps the order of times: what it makes of an inner one. */
type Step =
  | { readonly inner: unknown; readonly clock: Clock }
  | { readonly inner: unknown; readonly cut: Unit }
  | { readonly inner: unknown; readonly shift: Duration };

/** What is known of an expression; undefined where it is not known to be a time. */
export function valueOf(expression: unknown, view: View): Value | undefined {
  const param = as(expression, 'ParamRef');
  if (param) return exactly(param['number'] === 1 ? START : END, 'zoned');
  const names = columnOf(expression);
  if (names) return view.column(names);
  const link = as(expression, 'SubLink');
  if (link) {
    const select = as(link['subselect'], 'SelectStmt');
    return link['subLinkType'] === 'EXPR_SUBLINK' && select ? view.query(select)[0] : undefined;
  }
  const found = stepOf(expression, view);
  if (!found) return undefined;
  const { step, value } = found;
  if ('cut' in step) return cut(value, step.cut, view.axis);
  return 'shift' in step ? shifted(value, step.shift, view.axis) : { ...value, clock: step.clock };
}

/**
 * What is known of a column, if a value is known of an expression of it. Calls `found` with the column.
 */
export function narrow(expression: unknown, value: Value, view: View, found: Found): void {
  const names = columnOf(expression);
  if (names) {
    const known = view.column(names);
    if (known && comparable(known.clock, value.clock))
      found(names, { ...untold(value, view.axis), clock: known.clock });
    return;
  }
  const taken = stepOf(expression, view);
  if (!taken) return;
  const { step, value: inner } = taken;
  const { axis } = view;
  if ('cut' in step) narrow(step.inner, uncut(value, step.cut, axis), view, found);
  else if ('clock' in step) {
    if (comparable(value.clock, step.clock)) {
      const told = inner.clock === 'zoned' ? untold(value, axis) : value;
      narrow(step.inner, { ...whole(told, inner.clock, axis), clock: inner.clock }, view, found);
    }
  } else if (step.shift.months === 0 && (step.shift.days === 0 || !changesClocks(axis.zone)))
    narrow(step.inner, shifted(value, negative(step.shift), axis), view, found);
}
/**
 * Where clocks go back, two hours are told alike: a border of a partition that is shorter than a day says nothing by the wall clock. But for
 * midnight; and for what lies whole days before, which a lookback counts to the first of the two.
 */
function untold(value: Value, axis: Axis): Value {
  if (value.clock !== 'local' || isLong(axis.grain) || !changesClocks(axis.zone)) return value;
  const { clock, lo, hi, open = false } = value;
  const isDay = ({ unit }: Bound): boolean => unit !== null && unit !== 'minute' && unit !== 'hour';
  const isLow = lo && (isDay(lo) || lo.shift.days !== 0 || lo.shift.months !== 0);
  return between(clock, isLow ? lo : undefined, hi && isDay(hi) ? hi : undefined, open);
}

/** A division of whole numbers drops what is left over: up to a second. */
function whole(value: Value, inner: Clock, axis: Axis): Value {
  const { clock, lo, hi, open = false } = value;
  const drops = hi && !open && typeof clock === 'number' && typeof inner === 'number' && inner > clock;
  return drops ? between(clock, lo, moved(hi, { ...ZERO, ms: 1000 }, axis), true) : value;
}

export type Found = (column: readonly string[], value: Value) => void;

function stepOf(expression: unknown, view: View): { step: Step; value: Value } | undefined {
  const cast = as(expression, 'TypeCast');
  if (cast) return castStep(cast, view);
  const call = as(expression, 'FuncCall');
  if (call) return callStep(call, view);
  const operation = as(expression, 'A_Expr');
  return operation?.['kind'] === 'AEXPR_OP' ? operationStep(operation, view) : undefined;
}

/** A cast to a whole number rounds: of the interval's own borders, which are whole seconds, nothing is lost. */
const WHOLE = /^(int4|int8)$/;
const FRACTIONS = /^(numeric|float8)$/;

function castStep(cast: Node, view: View): { step: Step; value: Value } | undefined {
  const type = castTo(cast);
  const inner = cast['arg'];
  const value = valueOf(inner, view);
  if (!value || type === undefined) return undefined;
  const { clock } = value;
  if (typeof clock === 'number')
    return FRACTIONS.test(type) || (WHOLE.test(type) && isExact(value)) ? { step: { inner, clock }, value } : undefined;
  if (!isPlain(clock)) return type === 'timestamp' ? { step: { inner, clock }, value } : undefined;
  if (type === 'timestamptz') return { step: { inner, clock: 'zoned' }, value };
  if (type === 'timestamp') return { step: { inner, clock: 'local' }, value };
  // The clock is that of the inner value: a day is compared as its midnight.
  return type === 'date' ? { step: { inner, cut: 'day' }, value: { ...value, clock: 'local' } } : undefined;
}

function callStep(call: Node, view: View): { step: Step; value: Value } | undefined {
  if (['over', 'agg_filter', 'agg_order', 'agg_star'].some((key) => key in call)) return undefined;
  const args = nodesOf(call['args']);
  const inner = args.at(-1);
  const value = args.length > 2 ? undefined : valueOf(inner, view);
  if (!value) return undefined;
  const first = args.length === 2 ? textOf(args[0]) : undefined;
  const { clock } = value;
  switch (functionName(call)) {
    case 'date_trunc': {
      const unit = unitOf(first);
      return unit && isPlain(clock) ? { step: { inner, cut: unit }, value } : undefined;
    }
    case 'timezone': {
      const to = first === undefined ? undefined : atZone(clock, first, view.axis);
      return to === undefined ? undefined : { step: { inner, clock: to }, value };
    }
    case 'extract':
    case 'date_part':
      return first?.toLowerCase() === 'epoch' && clock === 'zoned' ? { step: { inner, clock: 1 }, value } : undefined;
    case 'to_timestamp':
      return args.length === 1 && clock === 1 ? { step: { inner, clock: 'zoned' }, value } : undefined;
    default:
      return undefined;
  }
}

/** `value AT TIME ZONE zone`: an instant becomes a wall clock there, a wall clock of that zone an instant. */
function atZone(clock: Clock, zone: string, axis: Axis): Clock | undefined {
  if (clock === 'zoned') return zone === axis.zone ? 'local' : `wall:${zone}`;
  if (clock === 'local') return zone === axis.zone ? 'local' : undefined;
  return clock === `wall:${zone}` ? 'zoned' : undefined;
}

function operationStep(operation: Node, view: View): { step: Step; value: Value } | undefined {
  const { lexpr, rexpr } = operation;
  const operator = operatorOf(operation);
  const left = valueOf(lexpr, view);
  if (!left) {
    const right = operator === '+' || operator === '*' ? valueOf(rexpr, view) : undefined;
    return right && amountStep(right, rexpr, operator, lexpr);
  }
  return amountStep(left, lexpr, operator, rexpr);
}

function amountStep(
  value: Value,
  inner: unknown,
  operator: string,
  amount: unknown,
): { step: Step; value: Value } | undefined {
  const { clock } = value;
  if (typeof clock === 'number') {
    const number = numberOf(amount);
    if (number === undefined || number <= 0) return undefined;
    if (operator === '*') return { step: { inner, clock: clock * number }, value };
    return operator === '/' ? { step: { inner, clock: clock / number }, value } : undefined;
  }
  if (!isPlain(clock) || (operator !== '+' && operator !== '-')) return undefined;
  const days = wholeOf(amount);
  const length = days === undefined ? intervalOf(amount) : { ...ZERO, days };
  return length && { step: { inner, shift: operator === '+' ? length : negative(length) }, value };
}

/** A constant number. */
function numberOf(expression: unknown): number | undefined {
  const whole = wholeOf(expression);
  if (whole !== undefined) return whole;
  const written = as(as(expression, 'A_Const'), 'fval')?.['fval'];
  return typeof written === 'string' ? Number(written) : undefined;
}
