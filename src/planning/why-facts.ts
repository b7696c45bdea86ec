import type { BackfillStatus } from '../contracts/status.js';
import { readInterval } from '../core/graph/mapping.js';
import { parseInstant, type Interval } from '../core/interval/interval.js';
import { partitionsOf } from '../core/interval/runs.js';
import { overlaps } from '../core/interval/set.js';
import type { LedgerRun } from '../core/plan/types.js';
import { clockOf } from '../store/clock.js';
import { ledgerRows, ledgerRuns, sqlInstant } from '../store/ledger.js';
import { shapesInUse } from '../store/shapes.js';
import type { PlanningDeps } from './deps.js';
import { lackingShapes } from './shapes.js';
import { allHeld } from '../store/reservations.js';
import type { KeyOf, LedgerKey } from '../store/stale.js';
import { rowsOf, type Db, type Scope } from '../store/store.js';
import type { ChangedInput, HeldInterval, KeptFailure, PublishedPartition, WhyFacts } from './why-types.js';
import { hullsOf, type WhyDataset } from './why-inputs.js';
import { viewOf } from './defer.js';
import { requireWithinLimits } from './limits.js';
import { scopeOfProject } from './ledger-change.js';
import { movesOf } from './moved.js';
import { ledgerNode, tablesRead } from './places.js';

/** Asks how a running backfill stands; undefined where nobody answers. */
export type StatusOf = (workflowId: string) => Promise<BackfillStatus | undefined>;

/** Stale partitions of one dataset whose changed inputs are looked up: more are not shown. */
const STALE_MAX = 50;
const CHANGED_MAX = 500;
const FAILURES_MAX = 500;

export interface WhyDeps extends PlanningDeps {
  readonly statusOf: StatusOf;
}

/** Everything that explaining one partition may go by, of its dataset and all that it reads. */
export async function gatherFacts(
  { project, db, pool, statusOf }: WhyDeps,
  dataset: string,
  partition: Interval,
): Promise<WhyFacts> {
  const scope = scopeOfProject(project);
  const view = await viewOf(db, project, new Set([dataset]));
  const { datasets } = view.project;
  const now = await clockOf(db);
  requireWithinLimits(project, now);
  const hulls = hullsOf(datasets, dataset, partition, now);
  const nodes = [...datasets.values()].filter(({ name }) => hulls.has(name));
  const shapes = await shapesInUse(
    db,
    view.keyOf,
    nodes.map(({ name }) => name),
  );
  const lacking = await lackingShapes({ project: view.project, pool }, shapes);
  const verdicts = new Map<string, readonly LedgerRun[]>();
  const published = new Map<string, ReadonlyMap<number, PublishedPartition>>();
  const changed: ChangedInput[] = [];
  for (const node of nodes) {
    const hull = hulls.get(node.name) ?? partition;
    published.set(node.name, await publishedIn(db, view.keyOf(node.name), hull));
    // Whether another environment should build it again is not for this one to say.
    if (view.deferred.has(node.name)) continue;
    const asked = { ...ledgerNode(view.project, node), lacking: lacking.get(node.name) ?? [] };
    const runs = await ledgerRuns(db, view.keyOf, asked);
    verdicts.set(node.name, runs);
    changed.push(...(await changedInputs(db, view.keyOf, node, staleIn(runs, hull))));
  }
  return {
    now,
    datasets,
    verdicts,
    published,
    changed,
    timezone: project.timezone,
    environment: project.environment,
    environmentOf: (name) => view.keyOf(name).environment,
    tablesOf: (node) => tablesRead(view.project, node),
    moves: new Map((await movesOf(db, view, new Set(hulls.keys()))).map((one) => [one.dataset, one.message])),
    held: await heldIn(db, scope, hulls, statusOf),
    failures: await failuresIn(db, scope, hulls),
  };
}

async function publishedIn(db: Db, key: LedgerKey, { start, end }: Interval): Promise<Map<number, PublishedPartition>> {
  const rows = await ledgerRows(db, key, start, end);
  return new Map(
    rows.map((row) => {
      const from = parseInstant(row.starts_at);
      return [
        from,
        {
          start: from,
          end: parseInstant(row.ends_at),
          backfillId: row.backfill_id,
          version: row.version,
          rows: row.rows,
          publishedAt: row.published_at,
          inputs: row.inputs,
        },
      ];
    }),
  );
}

function staleIn(runs: readonly LedgerRun[], hull: Interval): Interval[] {
  const stale: Interval[] = [];
  for (const run of runs.filter((one) => one.stale === 'inputs')) {
    for (const one of partitionsOf([run])) {
      if (overlaps(one, hull) && stale.length < STALE_MAX) stale.push(one);
    }
  }
  return stale;
}

/** By visibility, as `ledgerRuns` decides: an input whose content changed in a transaction that the reader did not see. */
async function changedInputs(
  db: Db,
  keyOf: KeyOf,
  node: WhyDataset,
  stale: readonly Interval[],
): Promise<ChangedInput[]> {
  if (stale.length === 0) return [];
  const { project, environment, key } = keyOf(node.name);
  const found: ChangedInput[] = [];
  for (const need of node.needs) {
    if (need.stale === 'ignore' || need.dataset === node.name) continue;
    const reads = stale.map((one) => readInterval(need, node.axis, one));
    const rows = await rowsOf<{ n: number; starts_at: number; ends_at: number }>(
      db,
      `SELECT r.n::int AS n, extract(epoch FROM u.starts_at)::float8 * 1000 AS starts_at, extract(epoch FROM u.ends_at)::float8 * 1000 AS ends_at
       FROM unnest(?::timestamptz[], ?::timestamptz[], ?::timestamptz[]) WITH ORDINALITY AS r(reader, lo, hi, n)
       JOIN sluice.partitions p ON p.project = ? AND p.environment = ? AND p.dataset = ? AND p.starts_at = r.reader
       JOIN sluice.partitions u ON u.project = p.project AND u.environment = ? AND u.dataset = ?
         AND u.starts_at < r.hi AND u.ends_at > r.lo AND NOT pg_visible_in_snapshot(u.changed_xid, p.snapshot)
       ORDER BY r.n, u.starts_at LIMIT ${CHANGED_MAX}`,
      [
        stale.map(({ start }) => sqlInstant(start)),
        reads.map(({ start }) => sqlInstant(start)),
        reads.map(({ end }) => sqlInstant(end)),
        project,
        environment,
        key,
        keyOf(need.dataset).environment,
        keyOf(need.dataset).key,
      ],
    );
    for (const row of rows) {
      const reader = stale[row.n - 1];
      if (reader)
        found.push({
          reader: node.name,
          readerStart: reader.start,
          dataset: need.dataset,
          partition: { start: row.starts_at, end: row.ends_at },
        });
    }
  }
  return found;
}

async function heldIn(
  db: Db,
  scope: Scope,
  hulls: ReadonlyMap<string, Interval>,
  statusOf: StatusOf,
): Promise<HeldInterval[]> {
  const held = (await allHeld(db, scope, '')).filter((one) => {
    const hull = hulls.get(one.dataset);
    return hull !== undefined && overlaps(one, hull);
  });
  const ids = [...new Set(held.map(({ workflowId }) => workflowId))];
  const statuses = new Map(await Promise.all(ids.map(async (id) => [id, await statusOf(id)] as const)));
  return held.map(({ dataset, start, end, backfillId, workflowId }) => ({
    dataset,
    start,
    end,
    backfillId,
    status: statuses.get(workflowId),
  }));
}

async function failuresIn(db: Db, scope: Scope, hulls: ReadonlyMap<string, Interval>): Promise<KeptFailure[]> {
  const names = [...hulls.keys()];
  const rows = await rowsOf<{
    dataset: string;
    starts_at: number;
    ends_at: number;
    backfill_id: string;
    code: string;
    message: string;
    failed_at: Date;
  }>(
    db,
    `SELECT f.dataset, extract(epoch FROM f.starts_at)::float8 * 1000 AS starts_at, extract(epoch FROM f.ends_at)::float8 * 1000 AS ends_at, f.backfill_id, f.code, f.message, f.failed_at
     FROM unnest(?::text[], ?::timestamptz[], ?::timestamptz[]) AS h(dataset, lo, hi)
     JOIN sluice.failures f ON f.project = ? AND f.environment = ? AND f.dataset = h.dataset AND f.starts_at < h.hi AND f.ends_at > h.lo
     ORDER BY f.failed_at DESC LIMIT ${FAILURES_MAX}`,
    [
      names,
      names.map((name) => sqlInstant(hulls.get(name)?.start ?? 0)),
      names.map((name) => sqlInstant(hulls.get(name)?.end ?? 0)),
      scope.project,
      scope.environment,
    ],
  );
  return rows.map(({ dataset, code, message, ...row }) => ({
    dataset,
    code,
    message,
    backfillId: row.backfill_id,
    failedAt: row.failed_at.toISOString(),
    start: row.starts_at,
    end: row.ends_at,
  }));
}
