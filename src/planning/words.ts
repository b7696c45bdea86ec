import { environmentWords } from '../contracts/typed.js';
import type { PlanDocument, StoredPlan } from '../contracts/plan.js';
import { countRuns } from '../core/interval/runs.js';
import { runsOfJson } from './json.js';

/** What a printed command asks for beside its datasets. */
interface Command {
  readonly environment: string;
  readonly from?: unknown;
  readonly to?: unknown;
  readonly last?: unknown;
  readonly on?: unknown;
  readonly only?: unknown;
  readonly exclude?: unknown;
  readonly set?: unknown;
  readonly overwrite?: unknown;
  readonly rebuild?: 'missing' | 'stale' | 'all';
}

/** `sluice backfill …` as it works when typed: with the range, the environment and quotes where a shell needs them. */
export function backfillCommand(selection: readonly string[], { environment, rebuild, ...asked }: Command): string {
  const options = (['from', 'to', 'last', 'on'] as const).flatMap((key) =>
    typeof asked[key] === 'string' ? [`--${key}`, asked[key]] : [],
  );
  const excluded = (Array.isArray(asked.exclude) ? asked.exclude : []).flatMap((name) => ['--exclude', String(name)]);
  const words = [
    ...selection,
    ...options,
    ...(asked.only === true ? ['--only'] : []),
    ...excluded,
    ...setWords(asked.set),
    ...(asked.overwrite === true ? ['--overwrite'] : []),
    ...(rebuild === undefined || rebuild === 'missing' ? [] : ['--rebuild', rebuild]),
    ...environmentWords(environment),
  ];
  return ['sluice backfill', ...words.map(shellWord)].join(' ');
}

/** The options that give flags a value. */
export function setWords(set: unknown): string[] {
  return typeof set === 'object' && set !== null
    ? Object.entries(set).flatMap(([flag, value]) => ['--set', `${flag}=${String(value)}`])
    : [];
}

function shellWord(word: string): string {
  return /^[\w+:.,@/=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** The selection that also takes what `reader` reads. */
export function selectorFor(selected: readonly string[] | undefined, reader: string): string[] {
  const names = selected ?? [];
  return names.includes(reader) ? names.map((name) => (name === reader ? `+${name}` : name)) : [...names, `+${reader}`];
}

/** What a stored plan shows: the document of `plan --json`. */
export function planDocument(plan: StoredPlan): PlanDocument {
  const datasets = plan.datasets.map((dataset) => ({
    name: dataset.name,
    kind: dataset.kind,
    grain: dataset.grain,
    needs: dataset.needs,
    from: dataset.from,
    to: dataset.to,
    build: countRuns(runsOfJson(dataset.runs)),
    missing: dataset.missing,
    stale: dataset.stale,
    upToDate: dataset.upToDate,
    ...(dataset.outside === undefined ? {} : { outside: dataset.outside }),
    ...(dataset.notAsked === undefined ? {} : { notAsked: dataset.notAsked }),
    intervals: dataset.intervals,
    ddl: dataset.ddl,
    ...(dataset.spec.kind === 'transform' && dataset.spec.coalescing ? { coalescing: dataset.spec.coalescing } : {}),
  }));
  const { project, environment, fingerprint, definition, deferred, leavesStale, warnings } = plan;
  const onlyStale = datasets.every(({ build }) => build === 0) && datasets.some(({ stale }) => stale > 0);
  return {
    project,
    environment,
    request: plan.request,
    fingerprint,
    definition,
    datasets,
    ...(deferred === undefined ? {} : { deferred }),
    leavesStale,
    warnings,
    ...(onlyStale ? { next: rebuildCommand(plan) } : {}),
  };
}

/** Partitions that a plan builds. */
export function buildCount(plan: StoredPlan): number {
  return plan.datasets.reduce((sum, { runs }) => sum + countRuns(runsOfJson(runs)), 0);
}

function rebuildCommand({ request, environment }: StoredPlan): string {
  const names = Array.isArray(request['select']) ? request['select'].map(String) : [];
  return backfillCommand(names, { ...request, environment, rebuild: 'stale' });
}
