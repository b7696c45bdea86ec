/** `graph`: the dependency graph as a tree in topological order. */
import { visibleWidth, clean, paint, span } from './text.js';
import type { Line, Screen } from './text.js';

export interface GraphNode {
  readonly name: string;
  readonly kind: 'extract' | 'transform' | 'call';
  readonly grain: string;
  readonly zone: string;
  /** `mapping` in words, empty where the same interval is read: `lookback 6d`, `all before its end`. */
  readonly needs: readonly { readonly dataset: string; readonly mapping: string }[];
  readonly owner?: string;
}

/**
 * Each dataset once, under the one of its inputs that lies deepest, and with all that it reads:
 * `carrier_7d (day) ← flights_clean (day, lookback 6d)`. A zone is named where it is not that of most.
 * `nodes` in topological order; a need outside of `nodes` is named without its grain.
 */
export function graphLines(nodes: readonly GraphNode[], screen: Screen): string[] {
  if (nodes.length === 0) return [paint([span('no datasets')], screen)];
  const view: View = {
    byName: new Map(nodes.map((node) => [node.name, node])),
    zone: commonest(nodes.map(({ zone }) => zone)),
    screen,
  };
  const parents = parentsOf(nodes);
  const children = new Map<string | undefined, GraphNode[]>();
  for (const node of nodes) {
    const parent = parents.get(node.name);
    children.set(parent, [...(children.get(parent) ?? []), node]);
  }
  const below = (name?: string): readonly GraphNode[] => children.get(name) ?? [];
  const lines: string[] = [];
  const walk = (node: GraphNode, head: string, rest: string): void => {
    const readers = below(node.name);
    lines.push(...nodeLines(node, head, `${rest}${readers.length > 0 ? '│' : ' '}`, view));
    for (const [index, child] of readers.entries()) {
      const last = index === readers.length - 1;
      walk(child, `${rest}${last ? '└─ ' : '├─ '}`, `${rest}${last ? '   ' : '│  '}`);
    }
  };
  for (const root of below()) walk(root, '', '');
  const mixed = nodes.some(({ grain, zone }) => grain !== 'none' && zone !== view.zone);
  return mixed ? [...lines, '', paint([span(`Where no zone is named it is ${view.zone}.`, 'faint')], screen)] : lines;
}

interface View {
  readonly byName: ReadonlyMap<string, GraphNode>;
  /** Named only once. */
  readonly zone: string;
  readonly screen: Screen;
}

/** The value that occurs most often, the first of equals; empty for none. */
function commonest(values: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].reduce<readonly [string, number]>((best, one) => (one[1] > best[1] ? one : best), ['', 0])[0];
}

/** For each dataset the input that lies deepest; only inputs listed before it count, so there is no cycle to fall into. */
function parentsOf(nodes: readonly GraphNode[]): Map<string, string> {
  const depths = new Map<string, number>();
  const parents = new Map<string, string>();
  const grains = new Map(nodes.map(({ name, grain }) => [name, grain]));
  for (const { name, grain, needs } of nodes) {
    const known = needs.flatMap(({ dataset }) => {
      const depth = dataset === name ? undefined : depths.get(dataset);
      return depth === undefined ? [] : [{ dataset, depth }];
    });
    // Of equally deep inputs the one of the same grain: the main table, rather than what is looked up.
    const rank = (one: { dataset: string; depth: number }): number =>
      one.depth * 2 + (grains.get(one.dataset) === grain ? 1 : 0);
    const [parent] = known.sort((a, b) => rank(b) - rank(a));
    depths.set(name, parent === undefined ? 0 : parent.depth + 1);
    if (parent) parents.set(name, parent.dataset);
  }
  return parents;
}

function axisText({ grain, zone }: GraphNode, view: View): string {
  return zone !== view.zone && grain !== 'none' ? `${grain}, ${zone}` : grain;
}

/** One line, and more where what it reads needs them, under it. Guides give way before names do on a narrow screen. */
function nodeLines(node: GraphNode, head: string, rest: string, view: View): string[] {
  const { screen } = view;
  const guide = head.slice(-Math.max(0, Math.floor(screen.width / 2)));
  const self: Line = [
    span(guide, 'faint'),
    span(node.name, 'strong'),
    span(` (${axisText(node, view)})`),
    ...(node.kind === 'transform' ? [] : [span(` ${node.kind}`, 'faint')]),
    ...(node.owner === undefined ? [] : [span(` @${node.owner}`, 'faint')]),
  ];
  const reads = node.needs.map((need) => readText(node, need, view));
  const [first, ...more] = packed(
    reads,
    screen.width,
    self.reduce((sum, { text }) => sum + visibleWidth(text), 3),
  );
  if (first === undefined) return [paint(self, screen)];
  const indent = `${rest.slice(-guide.length - 1)}${rest === '' ? ' ' : ''}  `;
  return [
    paint(first === '' ? self : [...self, span(' ← '), span(first)], screen),
    ...more.map((line) => paint([span(indent, 'faint'), span(`← ${line}`)], screen)),
  ];
}

function readText(node: GraphNode, { dataset, mapping }: GraphNode['needs'][number], view: View): string {
  const upstream = view.byName.get(dataset);
  const inner = [upstream && dataset !== node.name ? axisText(upstream, view) : '', clean(mapping)]
    .filter((part) => part !== '')
    .join(', ');
  const name = dataset === node.name ? 'itself' : clean(dataset);
  return inner === '' ? name : `${name} (${inner})`;
}

/** Items joined by commas into lines: the first begins at column `used`, the others at half the width at most. */
function packed(items: readonly string[], width: number, used: number): string[] {
  if (items.length === 0) return [];
  const lines = [''];
  for (const item of items) {
    const current = lines.at(-1) ?? '';
    const start = lines.length === 1 ? used : Math.min(used, Math.floor(width / 2) + 6);
    const longer = current === '' ? item : `${current}, ${item}`;
    if (start + visibleWidth(longer) <= width || (current === '' && lines.length > 1)) lines[lines.length - 1] = longer;
    else lines.push(item);
  }
  return lines;
}
