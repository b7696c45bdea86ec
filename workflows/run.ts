import { listedFairly, totalsOf } from '../src/contracts/parts.js';
import { typedIn } from '../src/contracts/typed.js';
import { setCurrentDetails, upsertMemo, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import type { OpenPlan, Report } from '../src/contracts/messages.js';
import { askedOf, type BackfillRequest } from '../src/contracts/request.js';
import {
  overOf,
  unheardOf,
  type BackfillState,
  type BackfillStatus,
  type DatasetStatus,
  type PlanWarning,
} from '../src/contracts/status.js';
import type { ExecutionRef } from '../activities/control.js';
import { attributesOf, memoOf } from './attributes.js';
import type { DatasetInput } from './carry.js';
import { changed } from './changes.js';
import { backfillDetails } from './details.js';
import { scopeOf } from './proxies.js';

/** What a backfill workflow knows while it runs. */
export interface Run {
  readonly ref: ExecutionRef;
  readonly request: BackfillRequest;
  state: BackfillState;
  reason: string;
  /** The person whose words the reason is. */
  by: string | undefined;
  endedAt: string | null;
  waiting: BackfillStatus['waiting'];
  /** Code of why it was refused. */
  refused: string | undefined;
  cancelReason: string;
  /** The person who said so. */
  cancelSaidBy: string | undefined;
  cancelledBy: string;
  /** Another plan is wanted for what is not done. */
  replan: { readonly current: boolean; readonly upstream: string | null | undefined } | undefined;
  /** Who skipped something. */
  readonly skippers: Set<string>;
  /** See `what-a-person-meant` in changes.ts. */
  readonly meant: boolean;
  /** Orders that began a round: see `beginRound`. */
  round: number;
  /** See `very-many-datasets` in changes.ts. */
  readonly crowds: boolean;
  /** Children are being started: what begins a round waits until all of them are there to hear. */
  starting: boolean;
  /** Children were told to end, or are being cancelled: what they leave undone is meant. */
  ending: boolean;
  /** It ended before a worker of its environment had taken it up: nobody was told. */
  unserved: boolean;
  paused: boolean;
  priority: number;
  maxParallel: number | null;
  opened: OpenPlan | undefined;
  warnings: readonly PlanWarning[];
  names: readonly string[];
  readonly datasets: Map<string, DatasetStatus>;
  /** What a dataset had done under the plans before this one (`retry --with-current`), and what a person skipped, which no later plan has. */
  readonly base: Map<string, { readonly done: number; readonly skipped: number; readonly rows: number }>;
  /** Serial of each dataset's last report, whether it is settled, and what a person must do for it. */
  readonly told: Map<string, { serial: number; settled: boolean; waiting: BackfillStatus['waiting'] }>;
  /** Ends of the children that run. */
  readonly children: Map<string, Promise<void>>;
  /** Datasets whose workflow is gone before its time. */
  readonly dead: Set<string>;
  /** What datasets began with that were being started when something else was ordered, and have not been told. */
  readonly late: DatasetInput[];
  /** The orders to its datasets so far have been sent. */
  ordered: Promise<void>;
  accept: (opened: OpenPlan) => void;
}

export function createRun(request: BackfillRequest): Run {
  const { workflowId } = workflowInfo();
  const { project, environment } = request;
  const prefix = `backfill/${scopeOf(request)}/`;
  const backfillId = workflowId.startsWith(prefix) ? workflowId.slice(prefix.length) : workflowId;
  const run: Run = {
    ref: { project, environment, workflowId, backfillId },
    request,
    state: 'planning',
    reason: 'planning',
    by: undefined,
    endedAt: null,
    waiting: null,
    refused: undefined,
    cancelReason: 'cancelled',
    cancelSaidBy: undefined,
    cancelledBy: 'temporal',
    replan: undefined,
    skippers: new Set(),
    meant: changed('what-a-person-meant'),
    round: 0,
    crowds: changed('very-many-datasets'),
    starting: false,
    ending: false,
    unserved: false,
    paused: false,
    priority: request.priority,
    maxParallel: request.maxParallel ?? null,
    opened: undefined,
    warnings: [],
    names: [],
    datasets: new Map(),
    base: new Map(),
    told: new Map(),
    children: new Map(),
    dead: new Set(),
    late: [],
    ordered: Promise.resolve(),
    accept: (opened) => {
      run.opened = opened;
      run.warnings = opened.warnings;
      run.waiting = null;
      run.replan = undefined;
      run.dead.clear();
      run.names = opened.datasets.map(({ name }) => name);
      // What a re-plan leaves out altogether keeps what it had done, and nothing that failed.
      for (const before of run.datasets.values()) run.datasets.set(before.name, fresh(before, 0));
      for (const { name, total, needs, again = 0 } of opened.datasets) {
        const before = run.datasets.get(name);
        const kept = { ...NOTHING, ...before, done: (before?.done ?? 0) - again };
        run.base.set(name, { done: kept.done, skipped: kept.skipped, rows: kept.rows });
        run.told.set(name, { serial: -1, settled: false, waiting: null });
        run.datasets.set(name, fresh({ ...kept, name, needs }, total));
      }
    },
  };
  return run;
}

/** Why it is planning once more. */
export const PLANS_AGAIN = 'plans again what is not done';

const NOTHING = { done: 0, skipped: 0, rows: 0 };

/** A dataset before its first report under a plan that builds `total` more partitions of it. */
function fresh(
  { name, needs, done, skipped, rows }: Pick<DatasetStatus, 'name' | 'needs' | 'done' | 'skipped' | 'rows'>,
  total: number,
): DatasetStatus {
  return {
    ...unheardOf(name, needs),
    state: total === 0 ? 'done' : 'waiting',
    total: total + done + skipped,
    ...{ done, skipped, rows },
  };
}

export function takeReport(run: Run, { status, settled, serial, round, waiting }: Report): void {
  const last = run.told.get(status.name);
  if (!last || serial <= last.serial) return;
  run.told.set(status.name, { serial, settled: settled && round >= run.round, waiting });
  const planned = run.opened?.datasets.find(({ name }) => name === status.name)?.total ?? status.total;
  const base = run.base.get(status.name) ?? NOTHING;
  run.datasets.set(status.name, {
    ...status,
    total: planned + base.done + base.skipped,
    done: status.done + base.done,
    skipped: status.skipped + base.skipped,
    rows: status.rows + base.rows,
  });
  show(run);
}

/** Datasets that may still do something by themselves. */
export function unsettled(run: Run): number {
  return run.names.filter((name) => run.told.get(name)?.settled !== true).length;
}

/** Whether a partition failed or is blocked. */
export function troubled(run: Run): boolean {
  return [...run.datasets.values()].some(({ failed, blocked, state }) => failed + blocked > 0 || state === 'held');
}

/** Work goes on, or would if nobody had paused it. */
export function goOn(run: Run, reason: string, by?: string): void {
  run.waiting = null;
  if (!run.paused) {
    enter(run, 'running', reason, by);
    return;
  }
  run.waiting = {
    for: 'a person to resume it',
    since: new Date().toISOString(),
    next: typedIn(run.ref.environment, `sluice resume ${run.ref.backfillId}`),
  };
  enter(run, 'paused', reason, by);
}

/** Goes to another state: said in the status, in the UI and in the search attributes. */
export function enter(run: Run, state: BackfillState, reason: string, by?: string): void {
  run.state = state;
  run.reason = reason;
  run.by = by;
  if (run.opened?.searchAttributes === true) upsertSearchAttributes(attributesOf(run.ref, { state }));
  else if (run.opened) upsertMemo(memoOf(run.ref, { state }));
  show(run);
}

/** What the first dataset that lacks something waits for, while work goes on. */
function lackOf({ state, told }: Run): BackfillStatus['waiting'] {
  return state === 'running' ? ([...told.values()].find(({ waiting }) => waiting !== null)?.waiting ?? null) : null;
}

export function documentOf(run: Run): BackfillStatus {
  const shown = run.endedAt !== null ? overOf : run.paused ? pausedToo : (one: DatasetStatus) => one;
  const datasets = listedFairly([...run.datasets.values()].map(shown));
  return {
    id: run.ref.backfillId,
    project: run.ref.project,
    environment: run.ref.environment,
    state: run.state,
    reason: run.reason,
    ...(run.by === undefined ? {} : { by: run.by }),
    asked: askedOf(run.request),
    ...(run.refused === undefined ? {} : { refused: run.refused }),
    startedAt: workflowInfo().startTime.toISOString(),
    endedAt: run.endedAt,
    ...totalsOf(datasets),
    waiting: run.waiting ?? lackOf(run),
    warnings: [...run.warnings],
    datasets,
    ...(run.opened ? { plan: run.opened.plan } : {}),
    priority: run.priority,
    ...(run.maxParallel === null ? {} : { maxParallel: run.maxParallel }),
  };
}

/** Of many datasets, each does not say that it is paused. */
function pausedToo(status: DatasetStatus): DatasetStatus {
  if (status.state !== 'running' && status.state !== 'waiting') return status;
  const { waitingFor: _, ...one } = status;
  return { ...one, state: 'paused' };
}

/** Live details in the web UI: a progress table. */
export function show(run: Run): void {
  setCurrentDetails(backfillDetails(documentOf(run)));
}
