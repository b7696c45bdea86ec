import type { Need } from '../core/graph/need.js';
import { downstreamOf } from '../core/graph/order.js';
import { formatDuration } from '../core/time/duration.js';

/** What the impact of a dataset needs to know of it; `project.Dataset` has this shape. */
export interface ImpactNode {
  readonly name: string;
  readonly owner?: string;
  readonly needs: readonly Need[];
}

/** Who suffers from a dataset. */
export interface Impact {
  readonly dataset: string;
  /** Wait while it is late: all that read it, directly or not, in the order of `nodes`. */
  readonly late: readonly string[];
  /** Of those, the ones that are wrong when it is: an edge with `stale: ignore` stops that. */
  readonly wrong: readonly string[];
  /** Who to tell: owners of `late`, sorted. */
  readonly owners: readonly string[];
}

export function impactOf(nodes: readonly ImpactNode[], dataset: string): Impact {
  const downstream = (follows: (need: Need) => boolean): string[] => {
    const needs = new Map(nodes.map((node) => [node.name, node.needs.filter(follows).map((need) => need.dataset)]));
    const reached = downstreamOf([dataset], needs.keys(), (name) => needs.get(name) ?? []);
    return nodes.filter(({ name }) => reached.has(name) && name !== dataset).map(({ name }) => name);
  };
  const late = downstream(() => true);
  const owners = nodes.flatMap(({ name, owner }) => (owner !== undefined && late.includes(name) ? [owner] : []));
  return { dataset, late, wrong: downstream(({ stale }) => stale !== 'ignore'), owners: [...new Set(owners)].sort() };
}

/** A mapping in words; empty where the same interval is read. */
export function mappingText({ dataset, lookback, window, stale, word }: Need, reader: string): string {
  const plain = dataset === reader ? 'previous partition' : word ? 'same interval' : '';
  const reads = window === 'all' ? 'all before its end' : lookback ? `lookback ${formatDuration(lookback)}` : plain;
  const said = word === 'author' ? `${reads}, as its author says` : reads;
  return [said, stale === 'ignore' ? 'changes ignored' : ''].filter((part) => part !== '').join(', ');
}
