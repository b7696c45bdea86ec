import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import type { Need } from '../../src/core/graph/need.js';
import { FOREVER } from '../../src/core/interval/interval.js';
import type { Interval } from '../../src/core/interval/interval.js';
import { countRuns, partitionsOf } from '../../src/core/interval/runs.js';
import { expandAll, expandMapping } from '../../src/core/plan/decode.js';
import { planBackfill } from '../../src/core/plan/plan.js';
import type { LedgerRun, PlanInput, PlannedDataset, PlanNode, PlanResult } from '../../src/core/plan/types.js';
import { floorTo, partitionsIn } from '../../src/core/time/axis.js';
import type { Grain } from '../../src/core/time/axis.js';
import { ZERO, type Duration } from '../../src/core/time/duration.js';
import { modelOf } from './plan-model.js';
import type { Cell, Model } from './plan-model.js';
import { DAYS, HOURS, NEW_YORK, rowsOf, utc } from './plan-kit.js';

const HOUR = 3_600_000;

/** Where and how finely inputs are drawn: every instant is `first` and a number of steps. */
interface World {
  readonly first: number;
  readonly last: number;
  readonly step: number;
  readonly grains: readonly Grain[];
  readonly zones: readonly string[];
  readonly lookbacks: readonly Duration[];
}

/** The clocks of New York go forward on 2013-03-10, at 07:00Z. */
const SPRING: World = {
  first: utc('2013-03-08'),
  last: utc('2013-03-13'),
  step: HOUR,
  grains: ['hour', 'hour', 'hour', 'day', 'day', 'day', 'none', 'week'],
  zones: ['UTC', NEW_YORK],
  lookbacks: [DAYS(1), HOURS(5), DAYS(2)],
};

/** Clocks go back in Berlin, New York and St. John's, and forward, by half an hour, on Lord Howe; a quarter, months and a year end. */
const WINTER: World = {
  first: utc('2013-09-24'),
  last: utc('2014-01-15'),
  step: 31 * HOUR,
  grains: ['day', 'week', 'week', 'month', 'month', 'quarter', 'year', 'none'],
  zones: ['UTC', NEW_YORK, 'Europe/Berlin', 'Australia/Lord_Howe', 'America/St_Johns', 'Pacific/Apia'],
  lookbacks: [
    DAYS(1),
    DAYS(13),
    { months: 1, days: 0, ms: 0 },
    { months: 3, days: 1, ms: HOUR },
    { months: 12, days: 0, ms: 0 },
  ],
};

const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });

function instantIn({ first, last, step }: World): fc.Arbitrary<number> {
  return fc.integer({ min: 0, max: Math.floor((last - first) / step) }).map((steps) => first + steps * step);
}

function needTo(dataset: string, { lookbacks }: World): fc.Arbitrary<Need> {
  const mapping = fc.oneof(
    { weight: 3, arbitrary: fc.constant({}) },
    { weight: 2, arbitrary: fc.constantFrom(...lookbacks.map((lookback) => ({ lookback }))) },
    { weight: 1, arbitrary: fc.constant({ window: 'all' as const }) },
  );
  return fc
    .tuple(mapping, fc.constantFrom({}, {}, {}, { stale: 'ignore' as const }))
    .map(([how, stale]) => ({ dataset, ...how, ...stale }));
}

function nodeNumber(index: number, world: World): fc.Arbitrary<PlanNode> {
  const names = Array.from({ length: index }, (_, i) => `d${i}`);
  const needs = (picked: readonly string[]): fc.Arbitrary<Need[]> =>
    fc.tuple(...picked.map((name) => needTo(name, world)));
  return fc
    .record({
      axis: fc.record({ grain: fc.constantFrom(...world.grains), zone: fc.constantFrom(...world.zones) }),
      start: fc.integer({ min: 0, max: 30 }).map((steps) => world.first + steps * world.step),
      readyAfter: fc.constantFrom(ZERO, ZERO, HOURS(3), DAYS(1)),
      needs: fc.subarray(names, { minLength: Math.min(index, 1) }).chain(needs),
      refresh: fc.constantFrom('never' as const, 'never' as const, 'always' as const),
      unbounded: fc.subarray(names),
      self: fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, needTo(`d${index}`, world)),
    })
    .map(({ axis, start, needs: read, self, ...rest }) => ({
      ...rest,
      axis,
      name: `d${index}`,
      needs: self === undefined || axis.grain === 'none' ? read : [...read, self],
      start: axis.grain === 'none' ? -Infinity : floorTo(axis, start),
    }));
}

/** Ledger rows of up to four stretches of time, one verdict each; the last stretch wins where they overlap. */
function ledgerOf({ axis }: PlanNode, { first, last }: World): fc.Arbitrary<LedgerRun[]> {
  const whole =
    axis.grain === 'none' ? [FOREVER] : [...partitionsOf(partitionsIn(axis, { start: first, end: last + 24 * HOUR }))];
  const verdict =
    axis.grain === 'none' ? ([null, 'unseen', 'inputs'] as const) : ([null, null, 'definition', 'inputs'] as const);
  const stretch = fc.record({
    from: fc.nat(whole.length),
    length: fc.oneof(fc.nat(4), fc.nat(whole.length)),
    stale: fc.constantFrom(...verdict),
  });
  return fc.array(stretch, { maxLength: 4 }).map((list) => {
    const rows = whole.map((part, i) => ({
      part,
      by: list.findLast(({ from, length }) => i >= from && i < from + length),
    }));
    return rows.flatMap(({ part, by }) => (by === undefined ? [] : rowsOf([part], by.stale, 0)));
  });
}

function inputsIn(world: World): fc.Arbitrary<PlanInput> {
  const instant = instantIn(world);
  return fc
    .integer({ min: 2, max: 5 })
    .chain((size) => fc.tuple(...Array.from({ length: size }, (_, index) => nodeNumber(index, world))))
    .chain((nodes) =>
      fc.record({
        nodes: fc.constant(nodes),
        selected: fc
          .subarray(nodes.map(({ name }) => name))
          .chain((some) => fc.constantFrom(new Set(some), new Set(nodes.map(({ name }) => name)))),
        range: fc
          .record({ from: optional(instant), to: optional(instant) })
          .map(({ from, to }) =>
            from !== undefined && to !== undefined && from >= to ? { from: to, to: from + 1 } : { from, to },
          )
          .map(({ from, to }) => ({ ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) })),
        only: fc.constantFrom(false, false, true),
        rebuild: fc.constantFrom('missing' as const, 'stale' as const, 'all' as const),
        now: fc.oneof(instant, fc.constant(world.last)).map((t) => t + 30 * HOUR + 1),
        ledger: fc
          .tuple(...nodes.map((node) => ledgerOf(node, world)))
          .map((rows) => new Map(nodes.map(({ name }, i) => [name, rows[i] ?? []] as const))),
        exclude: fc
          .array(fc.tuple(fc.constantFrom(...nodes), instant, fc.integer({ min: 1, max: 30 })), { maxLength: 2 })
          .map(
            (list) =>
              new Map(
                list.map(([{ name }, start, steps]) => [name, [{ start, end: start + steps * world.step }]] as const),
              ),
          ),
      }),
    );
}

const key = ({ start, end }: Interval): string => `${start} ${end}`;

function inPlan(model: Model, name: string): Cell[] {
  return (model.cells.get(name) ?? []).filter((cell) => model.build.has(cell));
}

/** Intervals of one dataset, cut into its partitions. */
function cut(model: Model, name: string, intervals: readonly Interval[]): string[] {
  const within = (cell: Cell): boolean => intervals.some(({ start, end }) => start <= cell.start && cell.end <= end);
  return (model.cells.get(name) ?? []).filter(within).map(key);
}

function checkEdges(dataset: PlannedDataset, { nodes }: PlanInput, model: Model): void {
  const mine = inPlan(model, dataset.name);
  const needs = nodes.find(({ name }) => name === dataset.name)?.needs ?? [];
  const expected = needs.filter((need) => mine.length > 0 && inPlan(model, need.dataset).length > 0);
  assert.deepEqual(
    dataset.edges.map(({ upstream }) => upstream),
    expected.map((need) => need.dataset),
  );
  for (const [e, need] of expected.entries()) {
    const mapping = dataset.edges[e]?.mapping ?? { lo: [], hi: [] };
    const { lo, hi } = expandAll(mapping);
    assert.equal(lo.length, mine.length);
    const theirs = inPlan(model, need.dataset);
    for (const [ordinal, cell] of mine.entries()) {
      const read = new Set(model.touches(cell, need));
      const waits = theirs.flatMap((upstream, i) => (read.has(upstream) ? [i] : []));
      const span = expandMapping(mapping, ordinal);
      assert.deepEqual(span, [lo[ordinal], hi[ordinal]]);
      assert.deepEqual(
        Array.from({ length: span[1] - span[0] }, (_, i) => span[0] + i),
        waits,
      );
    }
  }
}

function checkDataset(dataset: PlannedDataset, input: PlanInput, model: Model): void {
  const mine = inPlan(model, dataset.name);
  assert.deepEqual([...partitionsOf(dataset.runs)].map(key), mine.map(key), `partitions of ${dataset.name}`);
  assert.equal(countRuns(dataset.runs), mine.length);
  assert.deepEqual(cut(model, dataset.name, dataset.intervals), mine.map(key), 'the reasons cover what is built');
  const cells = model.cells.get(dataset.name) ?? [];
  const asked = cells.filter((cell) => cell.asked);
  assert.deepEqual(cut(model, dataset.name, dataset.asked === null ? [] : [dataset.asked]), asked.map(key));
  const counted = asked.length > 0 ? asked : mine;
  assert.equal(dataset.missing, counted.filter((cell) => !cell.published || cell.due).length);
  assert.equal(dataset.stale, counted.filter((cell) => cell.stale).length);
  assert.equal(dataset.missing + dataset.stale + dataset.upToDate, counted.length);
  const beside = dataset.outside ?? { readers: 0, inputs: 0 };
  assert.equal(beside.readers + beside.inputs, mine.filter((cell) => !cell.asked && isRanged(input)).length, 'outside');
  const kept = input.rebuild === 'missing' ? asked.filter((cell) => cell.stale && !model.build.has(cell)).length : 0;
  assert.equal(
    dataset.notAsked.reduce((sum, { partitions }) => sum + partitions, 0),
    kept,
    'stale, and stays so',
  );
  checkEdges(dataset, input, model);
}

function isRanged({ range }: PlanInput): boolean {
  return range.from !== undefined || range.to !== undefined;
}

function check(input: PlanInput, result: PlanResult): void {
  const model = modelOf(input);
  const selected = input.nodes.map(({ name }) => name).filter((name) => input.selected.has(name));
  assert.deepEqual(
    result.datasets.map(({ name }) => name),
    selected,
  );
  for (const dataset of result.datasets) checkDataset(dataset, input, model);
  assert.equal(
    result.empty,
    result.datasets.every(({ asked }) => asked === null),
  );
  for (const { name } of input.nodes) {
    const of = (cells: ReadonlySet<Cell>): string[] =>
      [...cells]
        .filter(({ node }) => node.name === name)
        .map(key)
        .sort();
    const left = result.leavesStale.filter(({ dataset }) => dataset === name).flatMap(({ intervals }) => intervals);
    assert.deepEqual(cut(model, name, left).sort(), of(model.left), `left stale of ${name}`);
    const uncovered = result.uncovered.filter(({ dataset }) => dataset === name).flatMap(({ intervals }) => intervals);
    assert.deepEqual(cut(model, name, uncovered).sort(), of(model.uncovered), `uncovered of ${name}`);
  }
}

it('plans what the plain model plans, for any graph, ledger and range', () => {
  fc.assert(
    fc.property(inputsIn(SPRING), (input) => {
      check(input, planBackfill(input));
    }),
    { numRuns: 300 },
  );
});

it('also for weeks, months, quarters and years, each in a zone of its own', () => {
  fc.assert(
    fc.property(inputsIn(WINTER), (input) => {
      check(input, planBackfill(input));
    }),
    { numRuns: 300 },
  );
});

it('is tried on every kind of plan', () => {
  for (const world of [SPRING, WINTER]) assert.deepEqual(unseenKinds(world), []);
});

function unseenKinds(world: World): string[] {
  const seen = new Set<string>();
  for (const input of fc.sample(inputsIn(world), { numRuns: 500, seed: 3 })) {
    const { datasets, leavesStale, uncovered, notices } = planBackfill(input);
    for (const { name, intervals, edges, window } of datasets) {
      for (const { why } of intervals) seen.add(why.replace(/ .*/, ''));
      if (window !== undefined && intervals.length > 0) seen.add('window');
      if (edges.some(({ upstream }) => upstream === name)) seen.add('itself');
      if (edges.some(({ mapping }) => mapping.hi.some(({ step }) => step > 1))) seen.add('coarser');
      if (edges.some(({ mapping }) => mapping.hi.some(({ every, step }) => every > 1 && step > 0))) seen.add('finer');
    }
    if (leavesStale.length > 0) seen.add('leavesStale');
    if (uncovered.length > 0) seen.add('uncovered');
    for (const { code, message } of notices) seen.add(message.includes(': reads') ? `input ${code}` : code);
  }
  const kinds = [
    'missing',
    'stale:',
    'asked',
    'needed',
    'reads',
    'window',
    'itself',
    'coarser',
    'finer',
    'leavesStale',
    'uncovered',
  ];
  const codes = [
    'rounded_out',
    'before_start',
    'not_complete_yet',
    'input not_complete_yet',
    'input input_excluded',
    'input input_outside',
    'input nothing_to_read',
  ];
  return [...kinds, ...codes].filter((kind) => !seen.has(kind));
}
