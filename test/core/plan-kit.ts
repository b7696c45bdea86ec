import type { Need } from '../../src/core/graph/need.js';
import { formatInstant, FOREVER } from '../../src/core/interval/interval.js';
import type { Interval } from '../../src/core/interval/interval.js';
import { partitionsOf, runsOf } from '../../src/core/interval/runs.js';
import { planBackfill } from '../../src/core/plan/plan.js';
import type { LedgerRun, PlanInput, PlannedDataset, PlanNode, PlanResult } from '../../src/core/plan/types.js';
import { floorTo, partitionsIn } from '../../src/core/time/axis.js';
import type { Grain } from '../../src/core/time/axis.js';
import { ZERO } from '../../src/core/time/duration.js';
import type { Duration } from '../../src/core/time/duration.js';

export const NEW_YORK = 'America/New_York';
export const HOURS = (ms: number): Duration => ({ months: 0, days: 0, ms: ms * 3_600_000 });
export const DAYS = (days: number): Duration => ({ months: 0, days, ms: 0 });

/** `2013-03-10`, or `2013-03-10T05` for a full hour, in UTC. */
export function utc(text: string): number {
  return Date.parse(text.includes('T') ? `${text}:00:00Z` : `${text}T00:00:00Z`);
}

export interface NodeOptions {
  readonly start?: string;
  readonly zone?: string;
  readonly readyAfter?: Duration;
  readonly refresh?: PlanNode['refresh'];
}

/** A dataset, by default from 2013-03-01 in UTC. A need is a name, or a name with its mapping. */
export function node(
  name: string,
  grain: Grain,
  needs: readonly (string | Need)[] = [],
  options: NodeOptions = {},
): PlanNode {
  const axis = { grain, zone: options.zone ?? 'UTC' };
  return {
    name,
    axis,
    start: grain === 'none' ? -Infinity : floorTo(axis, utc(options.start ?? '2013-03-01')),
    readyAfter: options.readyAfter ?? ZERO,
    needs: needs.map((need) => (typeof need === 'string' ? { dataset: need } : need)),
    refresh: options.refresh ?? 'never',
  };
}

/** The node's partitions that cover `[from, to)`, as the ledger shows them. */
export function published(
  { axis }: PlanNode,
  from: string,
  to: string,
  stale: LedgerRun['stale'] = null,
  publishedAt = utc('2013-03-01'),
): LedgerRun[] {
  const interval = axis.grain === 'none' ? FOREVER : { start: utc(from), end: utc(to) };
  return partitionsIn(axis, interval).map((run) => ({ ...run, stale, publishedAt }));
}

/** Everything selected, everything asked, on 2013-03-15 at noon. */
export function plan(nodes: readonly PlanNode[], input: Partial<PlanInput> = {}): PlanResult {
  return planBackfill({
    nodes,
    selected: new Set(nodes.map(({ name }) => name)),
    range: {},
    rebuild: 'missing',
    now: utc('2013-03-15T12'),
    ledger: new Map(),
    exclude: new Map(),
    ...input,
  });
}

export function datasetOf({ datasets }: PlanResult, name: string): PlannedDataset {
  const found = datasets.find((dataset) => dataset.name === name);
  if (found === undefined) throw new Error(`${name} is not in the plan`);
  return found;
}

/** `start … end why`, one line for each interval of a dataset. */
export function whys(result: PlanResult, name: string): string[] {
  return datasetOf(result, name).intervals.map(({ start, end, why }) => `${show({ start, end })} ${why}`);
}

/** Intervals in UTC, midnights as dates. */
export function show({ start, end }: Interval): string {
  return [start, end].map((t) => formatInstant(t).replace('T00:00:00Z', '').replace(':00:00Z', '')).join(' … ');
}

export function notices(result: PlanResult): string[] {
  return result.notices.map(({ dataset, code }) => `${dataset} ${code}`);
}

export function partitions({ runs }: PlannedDataset): Interval[] {
  return [...partitionsOf(runs)];
}

/** Ledger rows for partitions given one by one. */
export function rowsOf(parts: readonly Interval[], stale: LedgerRun['stale'], publishedAt: number): LedgerRun[] {
  return runsOf(parts).map((run) => ({ ...run, stale, publishedAt }));
}
