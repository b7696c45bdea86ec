import type { Axis } from '../../core/time/axis.js';
import type { Node } from '../sql/parser.js';
import type { View } from './expression.js';
import type { Out, Pushed } from './result.js';
import { comparable, either, type Value } from './value.js';

/** A query of WITH. */
export interface Cte {
  readonly query: Node;
  readonly names: readonly string[];
  readonly recursive: boolean;
  readonly scope: Scope;
  readonly outer: View;
  outs?: readonly Out[];
  /** What holds for each column wherever it is read. */
  pushed?: ReadonlyMap<string, Value>;
  mayLimit?: boolean;
}
/** Queries of WITH by name. */
export type Scope = ReadonlyMap<string, Cte>;

/** A query of WITH that is read several times is limited by what holds for each of them. */
export function gather(cte: Cte, asks: Pushed, mayLimit: boolean, axis: Axis): void {
  const before = cte.pushed;
  cte.mayLimit = mayLimit && (cte.mayLimit ?? true);
  cte.pushed = before
    ? new Map(
        [...before].flatMap(([name, value]): [string, Value][] => {
          const other = asks.get(name);
          return other && comparable(value.clock, other.clock) ? [[name, either(value, other, axis)]] : [];
        }),
      )
    : asks;
}
