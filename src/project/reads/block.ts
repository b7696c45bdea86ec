import { all, columnOf } from '../coalesce/tree.js';
import type { Node } from '../sql/parser.js';
import { factsOf, type Facts } from './condition.js';
import { narrow, type View } from './expression.js';
import type { Merged } from './from.js';
import { both, comparable, type Value } from './value.js';

/** A table in view, under its alias. */
export interface Item {
  readonly alias: string;
  /** Columns of which a time is known, or known to be one. */
  readonly columns: ReadonlyMap<string, Value>;
  /** All of its columns, where they are known. */
  readonly names?: readonly string[];
  readonly conditions: readonly Node[];
  readonly hidden: boolean;
}

const ROUNDS_MAX = 12;

/** What is known of the columns of the tables of one FROM: limits are followed through equalities until nothing more is found. */
export class Block {
  readonly #known = new Map<string, Value>();
  readonly view: View;

  constructor(
    readonly items: readonly Item[],
    readonly merged: readonly Merged[],
    readonly outer: View,
  ) {
    this.view = {
      ...outer,
      column: (names) => {
        const key = this.keyOf(names);
        if (key === null) return outer.column(names);
        return key === undefined ? undefined : this.#known.get(key);
      },
    };
    items.forEach(({ columns }, i) => {
      for (const [name, value] of columns) this.#known.set(`${i}.${name}`, value);
    });
  }

  /** The key of a column; null for one of an outer query, undefined where that is not known. */
  keyOf(names: readonly string[]): string | undefined | null {
    const [first = '', second] = names;
    if (names.length > 2) return undefined;
    if (second !== undefined) {
      const at = this.items.findIndex(({ alias, hidden }) => alias === first && !hidden);
      if (at >= 0) return this.items[at]?.columns.has(second) === true ? `${at}.${second}` : undefined;
      return this.items.some(({ hidden }) => hidden) ? undefined : null;
    }
    const of = this.items.flatMap(({ columns, hidden }, i) => (columns.has(first) && !hidden ? [i] : []));
    const at = this.#holder(first, of);
    if (at !== undefined) return `${at}.${first}`;
    const mayHold = ({ names: known, hidden }: Item): boolean => hidden || (known?.includes(first) ?? true);
    return of.length === 0 && !this.items.some(mayHold) ? null : undefined;
  }

  /** Of the tables that have a column of that name, the one whose it is: of one that joins merge, the side that none of them leaves empty. */
  #holder(name: string, of: readonly number[]): number | undefined {
    const [first] = of;
    const joins = this.merged.filter(({ names }) => names === 'natural' || names.includes(name));
    if (first === undefined || joins.length === 0) return of.length === 1 ? first : undefined;
    if (of.length > joins.length + 1) return undefined;
    const kept = joins.every(
      ({ type, left }) => type === 'JOIN_INNER' || (type === 'JOIN_LEFT' && left.includes(first)),
    );
    return kept ? first : undefined;
  }

  value(item: number, name: string): Value | undefined {
    return this.#known.get(`${item}.${name}`);
  }

  #learn(key: string, value: Value): boolean {
    const before = this.#known.get(key);
    if (!before) return false;
    const after = both(before, value, this.view.axis);
    this.#known.set(key, after);
    return after.lo !== before.lo || after.hi !== before.hi;
  }

  /** What a condition says, in the light of what is known. */
  factsOf(condition: Node): Facts {
    return factsOf(condition, this.view, (names) => this.keyOf(names) ?? undefined);
  }

  /** Follows the conditions of each table, and those of `pushed`: expressions of which something is known for all rows. */
  settle(pushed: readonly { readonly expression: unknown; readonly value: Value }[] = []): void {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      let changed = false;
      for (const { expression, value } of pushed)
        narrow(expression, value, this.view, (names, found) => {
          const key = this.keyOf(names);
          if (typeof key === 'string' && this.#learn(key, found)) changed = true;
        });
      for (const condition of new Set(this.items.flatMap(({ conditions }) => conditions)))
        for (const [key, value] of this.factsOf(condition)) {
          const item = this.items[Number(key.slice(0, key.indexOf('.')))];
          if (item?.conditions.includes(condition) === true && this.#learn(key, value)) changed = true;
        }
      if (this.#meet()) changed = true;
      if (!changed) return;
    }
  }

  /** Columns that a join merges are equal; the side that it keeps as it is learns nothing. */
  #meet(): boolean {
    let changed = false;
    for (const { names, left, right, type } of this.merged) {
      if (type !== 'JOIN_INNER' && type !== 'JOIN_LEFT') continue;
      const [known, other] = [left, right].map((side) => [
        ...new Set(side.flatMap((i) => [...(this.items[i]?.columns.keys() ?? [])])),
      ]);
      for (const name of (known ?? []).filter(
        (one) => other?.includes(one) === true && (names === 'natural' || names.includes(one)),
      )) {
        const has = (i: number): boolean => this.items[i]?.columns.has(name) ?? false;
        const [a, b] = [this.#holder(name, left.filter(has)), right.find(has)];
        const [one, two] = [
          a === undefined ? undefined : this.value(a, name),
          b === undefined ? undefined : this.value(b, name),
        ];
        if (!one || !two || !comparable(one.clock, two.clock)) continue;
        if (type === 'JOIN_INNER') changed = this.#learn(`${a}.${name}`, { ...two, clock: one.clock }) || changed;
        changed = this.#learn(`${b}.${name}`, { ...one, clock: two.clock }) || changed;
      }
    }
    return changed;
  }

  /** Whether a condition that is not understood may limit a table: it holds one of its columns against something that is not constant. */
  mayLimit(item: number, time: string | undefined): boolean {
    const { conditions = [], alias } = this.items[item] ?? {};
    if (this.merged.some(({ left, right }) => left.includes(item) || right.includes(item))) return true;
    return conditions.some((condition) => {
      const fact = time === undefined ? undefined : this.factsOf(condition).get(`${item}.${time}`);
      if (fact?.lo ?? fact?.hi) return false;
      const columns = all(condition, 'ColumnRef').flatMap((ColumnRef) => columnOf({ ColumnRef }) ?? []);
      const own = all(condition, 'ColumnRef').some((ColumnRef) => {
        const names = columnOf({ ColumnRef }) ?? [];
        return names.length === 1 || names[0] === alias;
      });
      const more = ['ParamRef', 'SubLink', 'SQLValueFunction', 'FuncCall'].some(
        (type) => all(condition, type).length > 0,
      );
      return own && (more || new Set(columns).size > 1);
    });
  }
}
