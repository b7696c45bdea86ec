import { ZERO, type Duration } from '../../core/time/duration.js';
import { isNode, nodesOf, type Node } from '../sql/parser.js';
import { stringsOf } from '../sql/walk.js';
import { functionName } from '../coalesce/functions.js';
import { as, castTo, integerOf, operatorOf, textOf } from '../coalesce/tree.js';

const UNIT_WORDS: readonly (readonly [RegExp, Partial<Duration>])[] = [
  [/^(y|yr|yrs|year|years)$/, { months: 12 }],
  [/^(mon|mons|month|months)$/, { months: 1 }],
  [/^(w|week|weeks)$/, { days: 7 }],
  [/^(d|day|days)$/, { days: 1 }],
  [/^(h|hr|hrs|hour|hours)$/, { ms: 3_600_000 }],
  [/^(m|min|mins|minute|minutes)$/, { ms: 60_000 }],
  [/^(s|sec|secs|second|seconds)$/, { ms: 1000 }],
];

/** A length of time that an expression is, whatever the rows: `interval '6 days'`, `6 * interval '1 day'`, `make_interval(days => 6)`. */
export function intervalOf(expression: unknown): Duration | undefined {
  const cast = as(expression, 'TypeCast');
  if (cast) return castTo(cast) === 'interval' ? lengthOfText(textOf(cast['arg'])) : lengthInUnits(cast);
  const call = as(expression, 'FuncCall');
  if (call) return functionName(call) === 'make_interval' ? made(nodesOf(call['args'])) : undefined;
  const product = as(expression, 'A_Expr');
  if (product?.['kind'] !== 'AEXPR_OP') return undefined;
  const { lexpr, rexpr } = product;
  const operator = operatorOf(product);
  if (operator === '-' && lexpr === undefined) return times(intervalOf(rexpr), -1);
  if (operator !== '*') return undefined;
  return times(intervalOf(lexpr), wholeOf(rexpr)) ?? times(intervalOf(rexpr), wholeOf(lexpr));
}

/** PostgreSQL's numbers of the one unit that follows an interval: `interval '6' day`. */
const MASKS: Readonly<Record<number, string>> = {
  2: 'month',
  4: 'year',
  8: 'day',
  1024: 'hour',
  2048: 'minute',
  4096: 'second',
};

function lengthInUnits(cast: Node): Duration | undefined {
  const type = cast['typeName'];
  if (!isNode(type) || 'arrayBounds' in type || stringsOf(type['names']).at(-1) !== 'interval') return undefined;
  const [mask, ...rest] = nodesOf(type['typmods']);
  const unit = rest.length === 0 ? MASKS[integerOf(mask) ?? 0] : undefined;
  const count = textOf(cast['arg'])?.trim() ?? '';
  return unit !== undefined && /^[+-]?\d+$/.test(count) ? lengthOfText(`${count} ${unit}`) : undefined;
}

/** A whole number, with its sign. */
export function wholeOf(expression: unknown): number | undefined {
  const minus = as(expression, 'A_Expr');
  if (minus?.['kind'] === 'AEXPR_OP' && operatorOf(minus) === '-' && minus['lexpr'] === undefined) {
    const value = integerOf(minus['rexpr']);
    return value === undefined ? undefined : -value;
  }
  return integerOf(expression);
}

function times(length: Duration | undefined, count: number | undefined): Duration | undefined {
  if (!length || count === undefined) return undefined;
  return { months: length.months * count, days: length.days * count, ms: length.ms * count };
}

/** As PostgreSQL reads it by default, in words, with a time of the day perhaps; other ways to write one are not followed. */
function lengthOfText(text: string | undefined): Duration | undefined {
  const written = text?.trim().toLowerCase() ?? '';
  if (written === '') return undefined;
  const back = /\bago$/.test(written);
  const words = written.replace(/\s*\bago$/, '').match(/[+-]?\d+\s*[a-z]+|[+-]?\d{1,2}:\d\d(:\d\d)?|\S+/g) ?? [];
  let sum: Duration = ZERO;
  for (const word of words) {
    const part = partOf(word);
    if (!part) return undefined;
    sum = { months: sum.months + part.months, days: sum.days + part.days, ms: sum.ms + part.ms };
  }
  return back ? times(sum, -1) : sum;
}

function partOf(word: string): Duration | undefined {
  const [, sign, hours, minutes, seconds] = /^([+-]?)(\d{1,2}):(\d\d)(?::(\d\d))?$/.exec(word) ?? [];
  if (hours !== undefined) {
    const ms = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds ?? 0)) * 1000;
    return { ...ZERO, ms: sign === '-' ? -ms : ms };
  }
  const [, count, name] = /^([+-]?\d{1,9})\s*([a-z]+)$/.exec(word) ?? [];
  const unit = UNIT_WORDS.find(([words]) => words.test(name ?? ''))?.[1];
  return unit && times({ ...ZERO, ...unit }, Number(count));
}

function made(args: readonly unknown[]): Duration | undefined {
  let sum: Duration | undefined = ZERO;
  for (const arg of args) {
    const named = as(arg, 'NamedArgExpr');
    const name = String(named?.['name']);
    const unit = /^(years|months|weeks|days|hours|mins|secs)$/.test(name)
      ? UNIT_WORDS.find(([words]) => words.test(name))?.[1]
      : undefined;
    const part = named && isNode(named['arg']) && unit ? times({ ...ZERO, ...unit }, wholeOf(named['arg'])) : undefined;
    sum = part && { months: sum.months + part.months, days: sum.days + part.days, ms: sum.ms + part.ms };
    if (!sum) return undefined;
  }
  return sum;
}
