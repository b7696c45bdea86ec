import type { Need } from '../../src/core/graph/need.js';
import { readInterval, readIntervalOfSelf } from '../../src/core/graph/mapping.js';
import { FOREVER } from '../../src/core/interval/interval.js';
import type { Interval } from '../../src/core/interval/interval.js';
import { partitionsOf } from '../../src/core/interval/runs.js';
import type { PlanInput, PlanNode } from '../../src/core/plan/types.js';
import { ceilTo, partitionsIn } from '../../src/core/time/axis.js';
import { addDuration } from '../../src/core/time/duration.js';

/** A partition of the model. */
export interface Cell extends Interval {
  readonly node: PlanNode;
  readonly complete: boolean;
  readonly excluded: boolean;
  readonly asked: boolean;
  readonly published: boolean;
  /** Neither fresh nor missing. */
  readonly stale: boolean;
  /** Published, yet counted as missing. */
  readonly due: boolean;
}

export interface Model {
  readonly cells: ReadonlyMap<string, readonly Cell[]>;
  readonly build: ReadonlySet<Cell>;
  readonly left: ReadonlySet<Cell>;
  readonly uncovered: ReadonlySet<Cell>;
  /** What a cell of the reader waits for, and is built again with, of one upstream, ascending. */
  readonly touches: (reader: Cell, need: Need) => Cell[];
}

/** A `grain: none` dataset has no partition before its own. */
const needsOf = ({ name, needs, axis }: PlanNode): Need[] =>
  needs.filter(({ dataset }) => dataset !== name || axis.grain !== 'none');
const overlap = (a: Interval, b: Interval): boolean => a.start < b.end && b.start < a.end;

/**
 * The rules of planning, written down as plainly as they can be: every partition against every other, again and again until
 * nothing changes. It shares the time axes and the mappings with the planner, and nothing else.
 */
export function modelOf(input: PlanInput): Model {
  const cells = new Map(input.nodes.map((node) => [node.name, cellsOf(input, node)] as const));
  const unread = new Set<PlanNode>();
  for (;;) {
    const model = solve(input, cells, unread);
    const before = unread.size;
    for (const { node } of model.build) {
      if (node.axis.grain === 'none' && timed(input, node).length > 0 && windowEnd(model, input, node) === -Infinity)
        unread.add(node);
    }
    if (unread.size === before) return model;
  }
}

function cellsOf({ now, range, only = false, exclude, ledger }: PlanInput, node: PlanNode): Cell[] {
  const none = node.axis.grain === 'none';
  const inRange = (interval: Interval): boolean =>
    none || overlap(interval, { start: range.from ?? -Infinity, end: range.to ?? Infinity });
  const until = none ? Infinity : ceilTo(node.axis, now);
  if (node.start >= until) return [];
  const parts = none ? [FOREVER] : [...partitionsOf(partitionsIn(node.axis, { start: node.start, end: until }))];
  return parts.map(({ start, end }) => {
    const complete = none || addDuration(end, node.readyAfter, node.axis.zone, 1) <= now;
    const row = (ledger.get(node.name) ?? []).find((run) =>
      [...partitionsOf([run])].some((part) => part.start === start && part.end === end),
    );
    const verdict = row?.stale ?? null;
    const due = row !== undefined && (verdict === 'unseen' || (none && node.refresh === 'always'));
    return {
      node,
      start,
      end,
      complete,
      excluded:
        (only && !inRange({ start, end })) ||
        (exclude.get(node.name) ?? []).some((interval) => overlap(interval, { start, end })),
      asked: none || (complete && inRange({ start, end })),
      published: row !== undefined,
      stale: row !== undefined && !due && verdict !== null,
      due,
    };
  });
}

const timed = ({ nodes }: PlanInput, node: PlanNode): PlanNode[] =>
  nodes.filter(({ name, axis }) => axis.grain !== 'none' && needsOf(node).some((need) => need.dataset === name));

/** Where the first gap of a `grain: none` reader is; -Infinity where it has nothing to read. */
function windowEnd({ cells, build }: Pick<Model, 'cells' | 'build'>, input: PlanInput, node: PlanNode): number {
  const upstreams = timed(input, node);
  const gaps = upstreams.map(({ name, start }) => {
    const list = cells.get(name) ?? [];
    return list.find((cell) => !cell.published && !build.has(cell))?.start ?? list.at(-1)?.end ?? start;
  });
  const end = Math.min(...gaps);
  return end > Math.min(...upstreams.map(({ start }) => start)) ? end : -Infinity;
}

function solve(input: PlanInput, cells: Model['cells'], unread: ReadonlySet<PlanNode>): Model {
  const build = new Set<Cell>();
  const left = new Set<Cell>();
  const uncovered = new Set<Cell>();
  const all = [...cells.values()].flat();
  const none = (node: PlanNode): boolean => node.axis.grain === 'none';
  const cache = new Map<Cell, Map<Need, Cell[]>>();

  const exactly = (reader: Cell, need: Need): Cell[] => {
    const list = cells.get(need.dataset) ?? [];
    if (list[0] !== undefined && none(list[0].node)) return [...list];
    if (none(reader.node)) {
      const end = windowEnd({ cells, build }, input, reader.node);
      return list.filter((cell) => cell.start < end);
    }
    const self = need.dataset === reader.node.name;
    const interval = (self ? readIntervalOfSelf : readInterval)(need, reader.node.axis, reader);
    return interval === undefined ? [] : list.filter((cell) => overlap(cell, interval));
  };
  const reads = (reader: Cell, need: Need): Cell[] => {
    if (none(reader.node)) return exactly(reader, need);
    const known = cache.get(reader) ?? new Map<Need, Cell[]>();
    cache.set(reader, known);
    const found = known.get(need) ?? exactly(reader, need);
    known.set(need, found);
    return found;
  };
  /** What changes it: all that there is, where a `grain: none` reader's SQL does not stop at the first gap. */
  const touches = (reader: Cell, need: Need): Cell[] =>
    none(reader.node) && reader.node.unbounded?.includes(need.dataset)
      ? [...(cells.get(need.dataset) ?? [])]
      : reads(reader, need);
  /** What must be there; a `grain: none` reader takes what there is of anything that has partitions. */
  const requires = (reader: Cell): Cell[] =>
    needsOf(reader.node)
      .flatMap((need) => reads(reader, need))
      .filter((cell) => !none(reader.node) || none(cell.node));
  const possible = new Map<Cell, boolean>();
  const canBuild = (cell: Cell): boolean => {
    const known = possible.get(cell);
    if (known !== undefined) return known;
    const answer =
      cell.complete &&
      !cell.excluded &&
      !unread.has(cell.node) &&
      requires(cell).every((one) => one.published || canBuild(one));
    possible.set(cell, answer);
    return answer;
  };
  const selected = (cell: Cell): boolean => input.selected.has(cell.node.name);
  const hears = (cell: Cell, changed: (upstream: Cell) => boolean): boolean =>
    needsOf(cell.node).some((need) => need.stale !== 'ignore' && touches(cell, need).some(changed));
  const add = (cell: Cell): void => {
    if (canBuild(cell)) build.add(cell);
  };

  for (const cell of all) {
    const wanted =
      !cell.published || cell.due || (input.rebuild !== 'missing' && cell.stale) || input.rebuild === 'all';
    if (selected(cell) && cell.asked && wanted) add(cell);
  }
  for (let size = -1; size !== build.size;) {
    size = build.size;
    for (const cell of [...build]) {
      for (const need of requires(cell)) {
        if (need.published || build.has(need)) continue;
        if (selected(need)) add(need);
        else uncovered.add(need);
      }
    }
    for (const cell of all) {
      if (selected(cell) && cell.published && !build.has(cell) && hears(cell, (one) => build.has(one))) add(cell);
    }
  }
  for (let size = -1; size !== left.size;) {
    size = left.size;
    for (const cell of all) {
      if (cell.published && !build.has(cell) && hears(cell, (one) => build.has(one) || left.has(one))) left.add(cell);
    }
  }
  return { cells, build, left, uncovered, touches };
}
