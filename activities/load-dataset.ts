import { sleep } from '@temporalio/activity';
import { readsItself, type StoredDataset } from '../src/contracts/plan.js';
import type { LoadedDataset } from '../src/contracts/messages.js';
import { packSpans } from '../src/core/slice/packed.js';
import { countRuns, ordinalsCovered } from '../src/core/interval/runs.js';
import { BATCH_PARTITIONS_MAX } from '../src/core/slice/profile.js';
import { runsOfJson } from '../src/planning/json.js';
import { readLimit, type InForce } from '../src/store/control.js';
import { loadPlanDataset } from '../src/store/plans.js';
import { profilesOf } from '../src/store/profiles.js';
import { rowsOf } from '../src/store/store.js';
import type { ExecutionRef } from './control.js';
import type { ControlDeps } from './deps.js';

export async function loadDataset(
  deps: ControlDeps,
  { ref, plan, dataset: name, epoch }: { ref: ExecutionRef; plan: string; dataset: string; epoch: number },
): Promise<LoadedDataset> {
  const { head, dataset } = await loadPlanDataset(deps.db, plan, name);
  const others = dataset.edges.filter(({ upstream }) => upstream !== name);
  const upstreams = await Promise.all(others.map(({ upstream }) => loadPlanDataset(deps.db, plan, upstream)));
  const counts = new Map([dataset, ...upstreams.map((one) => one.dataset)].map((one) => [one.name, countOf(one)]));
  const mine = await publishedSpans(deps, ref, epoch, dataset);
  const limit = await limitOf(deps, ref, head.warehouse);
  return {
    kind: dataset.kind,
    runs: dataset.runs,
    edges: dataset.edges.map((edge) => ({ ...edge, upstreamCount: counts.get(edge.upstream) ?? 0 })),
    done: packSpans(mine.spans),
    rows: mine.rows,
    upstreamDone: await Promise.all(
      upstreams.map(async ({ dataset: upstream }) => ({
        upstream: upstream.name,
        done: packSpans((await publishedSpans(deps, ref, epoch, upstream)).spans),
      })),
    ),
    perBatchMax: oneByOne(dataset) ? 1 : BATCH_PARTITIONS_MAX,
    slots: slotsFor(dataset, limit.slots),
    rateLimited: limit.rate !== null,
    held: limit.why === null ? null : `connection ${head.warehouse}: ${limit.why}`.slice(0, 300),
    profile: (await profilesOf(deps.db, ref, name)).get(name) ?? null,
  };
}

/** A governor that slept wakes within a second; what it says then is worth the wait, for slices may all wait where nobody says why. */
const WAKES_MS = 2_500;

async function limitOf({ db }: ControlDeps, ref: ExecutionRef, connection: string): Promise<InForce> {
  const until = Date.now() + WAKES_MS;
  for (;;) {
    const limit = await readLimit(db, ref, connection);
    if (!limit.silent || Date.now() > until) return limit;
    await sleep(200);
  }
}

function countOf({ runs }: StoredDataset): number {
  return countRuns(runsOfJson(runs));
}

/** Batches of a dataset whose key sluice keeps unique wait for one another: more of them would hold turns for nothing. */
export function slotsFor({ enforcesKey }: StoredDataset, slots: number | null): number | null {
  return enforcesKey ? 1 : slots;
}

/** Its partitions wait for one another in the table itself, which is filled from staging at the end of a batch. */
function stagesItself(dataset: StoredDataset): boolean {
  return (dataset.publish === 'merge' || dataset.enforcesKey === true) && readsItself(dataset);
}

/** Ordinals that this execution has published under the plan's version, or somebody since, and their rows. A row of the answer is a stretch without a gap: mostly one. */
async function publishedSpans(
  deps: ControlDeps,
  ref: ExecutionRef,
  epoch: number,
  dataset: StoredDataset,
): Promise<{ spans: [number, number][]; rows: number }> {
  const stretches = await rowsOf<{ s: number; e: number; rows: number }>(
    deps.db,
    `WITH p AS (
       SELECT starts_at, ends_at, rows, starts_at IS DISTINCT FROM lag(ends_at) OVER (ORDER BY starts_at) AS begins
       FROM sluice.partitions WHERE project = ? AND environment = ? AND dataset = ? AND (epoch > ? OR epoch = ? AND version = ?)
     ), numbered AS (SELECT *, count(*) FILTER (WHERE begins) OVER (ORDER BY starts_at) AS stretch FROM p)
     SELECT extract(epoch FROM min(starts_at))::float8 * 1000 AS s, extract(epoch FROM max(ends_at))::float8 * 1000 AS e,
       sum(rows)::float8 AS rows
     FROM numbered GROUP BY stretch ORDER BY 1`,
    [ref.project, ref.environment, dataset.name, epoch, epoch, dataset.version],
  );
  return {
    spans: ordinalsCovered(
      runsOfJson(dataset.runs),
      stretches.map(({ s, e }) => ({ start: s, end: e })),
    ),
    rows: stretches.reduce((sum, { rows }) => sum + rows, 0),
  };
}

/** A whole table is one partition, and a call is made for one. */
function oneByOne(dataset: StoredDataset): boolean {
  return dataset.grain === 'none' || dataset.kind === 'call' || stagesItself(dataset);
}
