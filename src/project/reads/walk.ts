import type { Axis } from '../../core/time/axis.js';
import { as } from '../coalesce/tree.js';
import { isNode, nodesOf, type Node } from '../sql/parser.js';
import { stringsOf } from '../sql/walk.js';
import { Block, type Item } from './block.js';
import type { View } from './expression.js';
import { aliasOf, seriesOf, sourcesOf, type Source } from './from.js';
import { ctesOf, isPlain, linksOf, nameOf, passes } from './select.js';
import { either, type Value } from './value.js';
import { gather, type Cte, type Scope } from './cte.js';
import {
  asked,
  columnsOf,
  NOTHING,
  reference,
  renamed,
  resultOf,
  resultValue,
  type Out,
  type Pushed,
} from './result.js';

/** A dataset whose table a query reads. */
export interface Rows {
  readonly dataset: string;
  /** The column of its partitions' time, as the reader sees it; absent where that cannot be compared with the reader's interval. */
  readonly time?: { readonly column: string; readonly value: Value };
}

/** One place where a dataset is read. */
export interface Occurrence {
  readonly rows: Rows;
  /** What is known of the time of the rows that count. */
  readonly value: Value | undefined;
  /** Whether a condition that is not understood may limit them further. */
  readonly mayLimit: boolean;
}

/** Queries looked at, each as often as it is read: more is a generated statement, of which nothing is said. */
const LOOKS_MAX = 20_000;

/** Walks a statement from the outside in, and finds what limits the rows of each dataset in each place that it is read. */
export class Walk {
  readonly occurrences: Occurrence[] = [];
  #looks = 0;

  constructor(
    readonly axis: Axis,
    readonly rowsOf: (table: Node) => Rows | undefined,
  ) {}

  /** Fills {@link occurrences}; answers what is known of the result's columns by name. `pushed`: what its reader asks for. */
  judge(select: Node, pushed: Pushed = NOTHING): Pushed {
    const top: View = {
      axis: this.axis,
      column: () => undefined,
      query: (query) => this.#valuesOf(query, new Map(), top),
    };
    const outs = this.#outsOf(select, new Map(), top);
    this.#down(select, new Map(), top, pushed, false);
    return columnsOf(outs);
  }

  #valuesOf(select: Node, scope: Scope, view: View): (Value | undefined)[] {
    return this.#outsOf(select, scope, view).flatMap(({ index, value }) => (index === undefined ? [] : [value]));
  }

  /** Finds what a query's limits say of its result, from the inside out. */
  #outsOf(select: Node, outside: Scope, outer: View): readonly Out[] {
    if (++this.#looks > LOOKS_MAX) return [];
    const scope = this.#scopeOf(select, outside, outer);
    const { larg, rarg } = select;
    if (isNode(larg) && isNode(rarg)) {
      const [left, right] = [this.#outsOf(larg, scope, outer), this.#outsOf(rarg, scope, outer)];
      return left.map((out) => {
        const other = right.find(({ index }) => index !== undefined && index === out.index)?.value;
        const value = out.value && other ? either(out.value, other, this.axis) : undefined;
        return { ...out, value: select['op'] === 'SETOP_EXCEPT' ? out.value : value };
      });
    }
    return this.#targetsOf(select, this.#blockOf(select, scope, outer, []));
  }

  #blockOf(select: Node, scope: Scope, outer: View, pushed: readonly { expression: Node; value: Value }[]): Block {
    const { sources, merged } = sourcesOf(select);
    const viewed: View = { ...outer, query: (query) => this.#valuesOf(query, scope, block.view) };
    const items = (view: View | undefined): Item[] => sources.map((source) => this.#itemOf(source, scope, outer, view));
    let block = new Block(items(undefined), merged, viewed);
    block.settle(pushed);
    if (sources.some(({ node }) => as(node, 'RangeSubselect')?.['lateral'] === true || 'RangeFunction' in node)) {
      block = new Block(items(block.view), merged, viewed);
      block.settle(pushed);
    }
    return block;
  }

  /** `view`: of what stands beside it in FROM, once that is known. */
  #itemOf({ node, conditions, hidden }: Source, scope: Scope, outer: View, view: View | undefined): Item {
    const common = { conditions, hidden };
    const table = as(node, 'RangeVar');
    if (table) {
      const name = String(table['relname']);
      const alias = aliasOf(table);
      const cte = this.#cteOf(table, scope);
      if (cte)
        return {
          ...common,
          alias: alias?.name ?? name,
          ...renamed(this.#outsOfCte(cte), cte.names, alias?.columns ?? []),
        };
      const time = this.rowsOf(table)?.time;
      const isKnown = time && (alias?.columns ?? []).length === 0;
      return {
        ...common,
        alias: alias?.name ?? name,
        columns: isKnown ? new Map([[time.column, time.value]]) : NOTHING,
      };
    }
    const query = as(node, 'RangeSubselect');
    if (query) {
      const alias = aliasOf(query);
      const select = as(query['subquery'], 'SelectStmt');
      const lateral = query['lateral'] === true;
      const outs = select && (!lateral || view) ? this.#outsOf(select, scope, lateral && view ? view : outer) : [];
      return { ...common, alias: alias?.name ?? '', ...renamed(outs, [], alias?.columns ?? []) };
    }
    const call = as(node, 'RangeFunction');
    return { ...common, ...(call ? seriesOf(call, view ?? outer) : { alias: '', columns: NOTHING }) };
  }

  #cteOf(table: Node, scope: Scope): Cte | undefined {
    return table['schemaname'] === undefined ? scope.get(String(table['relname'])) : undefined;
  }

  #outsOfCte(cte: Cte): readonly Out[] {
    if (cte.recursive) return [];
    cte.outs ??= this.#outsOf(cte.query, cte.scope, cte.outer);
    return cte.outs;
  }

  #scopeOf(select: Node, outside: Scope, outer: View): Scope {
    const clause = select['withClause'];
    const recursive = isNode(clause) && clause['recursive'] === true;
    const known = this.#scopes.get(select);
    if (known?.outer === outer) return known.scope;
    const scope = new Map(outside);
    for (const cte of ctesOf(clause)) {
      const query = as(cte['ctequery'], 'SelectStmt');
      if (!query) continue;
      const names = stringsOf(cte['aliascolnames']);
      scope.set(String(cte['ctename']), { query, names, recursive, outer, scope: recursive ? scope : new Map(scope) });
    }
    this.#scopes.set(select, { scope, outer });
    return scope;
  }
  /** A query's WITH is one, however often it is looked at: what each of its readers asks for is gathered there. */
  readonly #scopes = new Map<Node, { scope: Scope; outer: View }>();

  #targetsOf(select: Node, block: Block): Out[] {
    const outs: Out[] = [];
    let index: number | undefined = 0;
    for (const target of nodesOf(select['targetList'])) {
      const result = as(target, 'ResTarget');
      if (!result) continue;
      const fields = nodesOf(as(result['val'], 'ColumnRef')?.['fields']);
      if (fields.at(-1)?.['A_Star'] === undefined) {
        outs.push({
          name: nameOf(result),
          index,
          expression: resultOf(result),
          value: resultValue(resultOf(result), block.view),
        });
        if (index !== undefined) index++;
        continue;
      }
      const [alias] = stringsOf(fields);
      if (block.merged.length > 0) index = undefined;
      for (const [i, item] of block.items.entries()) {
        if (fields.length > 2 || (alias !== undefined && alias !== item.alias) || item.hidden) continue;
        for (const name of item.names ?? item.columns.keys()) {
          const at: number | undefined = item.names ? index : undefined;
          const column = alias === undefined && block.merged.length > 0 ? [name] : [item.alias, name];
          const key = block.keyOf(column);
          if (typeof key === 'string' && !key.startsWith(`${i}.`)) continue;
          outs.push({ name, index: at, expression: reference(column), value: block.view.column(column) });
          if (at !== undefined) index = at + 1;
        }
        if (!item.names) index = undefined;
      }
      if (block.items.some(({ hidden }) => hidden)) index = undefined;
    }
    return outs;
  }

  /** From the outside in: what is asked of a result limits what is read for it, where that makes no difference to it. */
  #down(select: Node, outside: Scope, outer: View, pushed: Pushed, mayLimit: boolean): void {
    if (++this.#looks > LOOKS_MAX) return;
    const scope = this.#scopeOf(select, outside, outer);
    const { larg, rarg } = select;
    if (isNode(larg) && isNode(rarg)) this.#downBoth(select, larg, rarg, scope, outer, pushed);
    else this.#downOne(select, scope, outer, pushed, mayLimit);
    for (const cte of ctesOf(select['withClause']).toReversed()) {
      const known = scope.get(String(cte['ctename']));
      if (known && known.query === as(cte['ctequery'], 'SelectStmt'))
        this.#down(
          known.query,
          known.scope,
          known.outer,
          (known.recursive ? undefined : known.pushed) ?? NOTHING,
          known.mayLimit ?? false,
        );
    }
  }

  #downBoth(select: Node, left: Node, right: Node, scope: Scope, outer: View, pushed: Pushed): void {
    const plain = !('limitCount' in select) && !('limitOffset' in select);
    const outs = [this.#outsOf(left, scope, outer), this.#outsOf(right, scope, outer)] as const;
    const asked = plain
      ? [...pushed].flatMap(([name, value]) => {
          const [out, ...more] = outs[0].filter((one) => one.name === name);
          const index = more.length === 0 ? out?.index : undefined;
          return index === undefined ? [] : [{ index, value }];
        })
      : [];
    for (const [i, side] of [left, right].entries()) {
      const named = asked.flatMap(({ index, value }): [string, Value][] => {
        const of = outs[i === 0 ? 0 : 1];
        const name = of.find((out) => out.index === index)?.name;
        return name !== undefined && of.filter((out) => out.name === name).length === 1 ? [[name, value]] : [];
      });
      this.#down(side, scope, outer, new Map(named), false);
    }
  }

  #downOne(select: Node, scope: Scope, outer: View, pushed: Pushed, mayLimit: boolean): void {
    const open = this.#blockOf(select, scope, outer, []);
    const outs = this.#targetsOf(select, open);
    const asked = [...pushed].flatMap(([name, value]) => {
      const [out, ...more] = outs.filter((one) => one.name === name);
      return out && more.length === 0 && passes(select, out.expression, out.index)
        ? [{ expression: out.expression, value }]
        : [];
    });
    const block = asked.length === 0 ? open : this.#blockOf(select, scope, outer, asked);
    const inherited = mayLimit && isPlain(select);
    const { sources } = sourcesOf(select);
    for (const [i, { node }] of sources.entries()) this.#downItem(node, i, block, scope, outer, inherited);
    for (const link of linksOf(select)) {
      const query = as(link['subselect'], 'SelectStmt');
      if (query) this.#down(query, scope, block.view, NOTHING, false);
    }
  }

  #downItem(node: Node, i: number, block: Block, scope: Scope, outer: View, inherited: boolean): void {
    const item = block.items[i];
    if (!item) return;
    const table = as(node, 'RangeVar');
    const rows = table && !this.#cteOf(table, scope) ? this.rowsOf(table) : undefined;
    const time = rows?.time && item.columns.has(rows.time.column) ? rows.time.column : undefined;
    const mayLimit = inherited || block.mayLimit(i, time);
    if (rows) this.occurrences.push({ rows, value: time === undefined ? undefined : block.value(i, time), mayLimit });
    const cte = table && this.#cteOf(table, scope);
    if (cte)
      gather(cte, asked(block, i, aliasOf(table)?.columns ?? [], cte.names, this.#outsOfCte(cte)), mayLimit, this.axis);
    const query = as(node, 'RangeSubselect');
    const select = as(query?.['subquery'], 'SelectStmt');
    if (!query || !select) return;
    const view = query['lateral'] === true ? block.view : outer;
    this.#down(
      select,
      scope,
      view,
      asked(block, i, aliasOf(query)?.columns ?? [], [], this.#outsOf(select, scope, view)),
      mayLimit,
    );
  }
}
