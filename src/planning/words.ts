import type { PlanDocument, StoredPlan } from '../contracts/plan.js';
import { countRuns } from '../core/interval/runs.js';
import { runsOfJson } from './json.js';

/** The selection that also takes what `reader` reads. */
export function selectorFor(selected: readonly string[] | undefined, reader: string): string {
  const names = selected ?? [];
  return names.includes(reader) ? names.map((name) => (name === reader ? `+${name}` : name)).join(' ') : [...names, `+${reader}`].join(' ');
}

/** What a stored plan shows: the document of `plan --json`. */
export function planDocument(plan: StoredPlan): PlanDocument {
  const datasets = plan.datasets.map((dataset) => ({
    name: dataset.name, kind: dataset.kind, grain: dataset.grain, needs: dataset.needs, from: dataset.from, to: dataset.to,
    build: countRuns(runsOfJson(dataset.runs)), missing: dataset.missing, stale: dataset.stale, upToDate: dataset.upToDate,
    intervals: dataset.intervals, ddl: dataset.ddl,
  }));
  const { project, environment, fingerprint, definition, leavesStale, warnings } = plan;
  const onlyStale = datasets.every(({ build }) => build === 0) && datasets.some(({ stale }) => stale > 0);
  return {
    project, environment, request: plan.request, fingerprint, definition, datasets, leavesStale, warnings,
    ...(onlyStale ? { next: rebuildCommand(plan) } : {}),
  };
}

/** Partitions that a plan builds. */
export function buildCount(plan: StoredPlan): number {
  return plan.datasets.reduce((sum, { runs }) => sum + countRuns(runsOfJson(runs)), 0);
}

function rebuildCommand({ request }: StoredPlan): string {
  const names = Array.isArray(request['select']) ? request['select'].map(String) : [];
  const range = ['from', 'to', 'last', 'on'].flatMap((key) => (typeof request[key] === 'string' ? [`--${key} ${request[key]}`] : []));
  return ['sluice backfill', ...names, ...range, '--rebuild stale'].join(' ');
}
