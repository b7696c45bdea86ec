import { planBackfill } from '../core/plan/plan.js';
import type { LedgerRun } from '../core/plan/types.js';
import { BATCH_PARTITIONS_MAX, batchSize, type Profile } from '../core/slice/profile.js';
import { showTable } from '../project/names.js';
import type { Dataset, Project } from '../project/project.js';
import { clockOf } from '../store/clock.js';
import { ledgerRuns } from '../store/ledger.js';
import { profilesOf } from '../store/profiles.js';
import type { KeyOf } from '../store/stale.js';
import { rowsOf, type Db, type Scope } from '../store/store.js';
import type { PlanningDeps } from './deps.js';
import { scopeOfProject } from './ledger-change.js';
import { requireWithinLimits } from './limits.js';
import { hasMoved, ledgerNode, placesOf } from './places.js';
import { followViews } from './reads.js';

/**
 * `changed`: another definition version, so what is published is stale. `moved`: another table. `settings`: its content stays.
 * `downstream`: unchanged, and reads what changed.
 */
export type Change = 'added' | 'changed' | 'moved' | 'removed' | 'settings' | 'downstream';

export interface DatasetChange {
  readonly name: string;
  readonly change: Change;
  /** Published partitions that deploying this makes stale; downstream at most so many, as equal content stales nothing. */
  readonly stale: number;
  /** Partitions of one that is added, or built anew in another table. */
  readonly missing: number;
  /** Published partitions of one that is removed: they and its table stay. */
  readonly published: number;
  /** What building them is expected to take of one slot, by what its batches took; null while none is known. */
  readonly seconds: number | null;
}

/** The document of `plan --against`: what deploying this folder would change. */
export interface Comparison {
  readonly project: string;
  readonly environment: string;
  readonly local: string;
  /** Null: nothing is deployed there yet. */
  readonly deployed: string | null;
  /** Whether anything is to be built again, added or removed. */
  readonly changes: boolean;
  readonly stale: number;
  readonly missing: number;
  /** Null where the cost of none of it is known. */
  readonly seconds: number | null;
  readonly datasets: readonly DatasetChange[];
}

/** What has partitions of its own to build when it is deployed. */
const BUILT: readonly Change[] = ['added', 'changed', 'moved'];

/**
 * Compares the project of `deps` with what is deployed in its environment, and says what of its ledger would be stale. Reads only.
 */
export async function compareWith(deps: PlanningDeps, deployed: Project | undefined): Promise<Comparison> {
  const { db } = deps;
  const now = await clockOf(db);
  requireWithinLimits(deps.project, now);
  const project = await followViews(deps);
  const scope = scopeOfProject(project);
  const changes = changesOf(project, deployed);
  const selected = new Set([...changes].flatMap(([name, change]) => (BUILT.includes(change) ? [name] : [])));
  const nodes = [...project.datasets.values()];
  const places = await placesOf(db, project);
  const keyOf: KeyOf = (name) => ({ ...scope, key: places.get(name)?.key ?? name });
  const ledger = new Map<string, LedgerRun[]>();
  for (const node of nodes) {
    const runs = await ledgerRuns(db, keyOf, ledgerNode(project, node));
    // Only what this change makes stale: what is stale already is not its doing.
    const stale = (run: LedgerRun): LedgerRun['stale'] =>
      run.stale === 'early' || (selected.has(node.name) && run.stale === 'definition') ? run.stale : null;
    ledger.set(
      node.name,
      runs.map((run) => ({ ...run, stale: stale(run) })),
    );
  }
  const { datasets: planned, leavesStale } = planBackfill({
    nodes,
    selected,
    range: {},
    rebuild: 'stale',
    now,
    exclude: new Map(),
    ledger,
  });
  const profiles = await profilesOf(db, scope);
  const read = new Map(leavesStale.map(({ dataset, partitions }) => [dataset, partitions]));
  for (const name of read.keys()) {
    const own = changes.get(name);
    if (own === undefined || own === 'settings') changes.set(name, 'downstream');
  }
  const published = await publishedOf(db, scope);
  const rows = [...changes].map(([name, change]): DatasetChange => {
    const own = planned.find((one) => one.name === name);
    const stale = (own?.stale ?? 0) + (read.get(name) ?? 0);
    const place = places.get(name);
    const anew = change === 'added' || (place !== undefined && hasMoved(place));
    const missing = anew ? (own?.missing ?? 0) : 0;
    return {
      name,
      change,
      stale,
      missing,
      published: change === 'removed' ? (published.get(name) ?? 0) : 0,
      seconds: secondsOf(profiles.get(name), stale + missing),
    };
  });
  return summary(project, deployed, inOrder(project, rows));
}

function summary(
  { name, environment, hash }: Project,
  deployed: Project | undefined,
  datasets: readonly DatasetChange[],
): Comparison {
  const known = datasets.flatMap(({ seconds }) => (seconds === null ? [] : [seconds]));
  return {
    project: name,
    environment,
    local: hash,
    deployed: deployed?.hash ?? null,
    changes: datasets.some(({ change }) => change !== 'settings'),
    stale: datasets.reduce((sum, { stale }) => sum + stale, 0),
    missing: datasets.reduce((sum, { missing }) => sum + missing, 0),
    seconds: known.length === 0 ? null : known.reduce((sum, one) => sum + one, 0),
    datasets,
  };
}

/** Upstream first; what is removed comes last. */
function inOrder({ datasets }: Project, rows: readonly DatasetChange[]): DatasetChange[] {
  const order = [...datasets.keys()];
  const rank = ({ name }: DatasetChange): number => (datasets.has(name) ? order.indexOf(name) : order.length);
  return rows.toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}

function changesOf(local: Project, deployed: Project | undefined): Map<string, Change> {
  const changes = new Map<string, Change>();
  for (const dataset of local.datasets.values()) {
    const change = changeOf(dataset, deployed?.datasets.get(dataset.name), local, deployed);
    if (change) changes.set(dataset.name, change);
  }
  for (const name of deployed?.datasets.keys() ?? []) if (!local.datasets.has(name)) changes.set(name, 'removed');
  return changes;
}

function changeOf(
  now: Dataset,
  before: Dataset | undefined,
  local: Project,
  deployed: Project | undefined,
): Change | undefined {
  if (!before) return 'added';
  if (now.version !== before.version) return 'changed';
  if (showTable(now.table) !== showTable(before.table)) return 'moved';
  return local.files[now.file] === deployed?.files[before.file] ? undefined : 'settings';
}

async function publishedOf(db: Db, { project, environment }: Scope): Promise<Map<string, number>> {
  const rows = await rowsOf<{ dataset: string; n: number }>(
    db,
    'SELECT dataset, count(*)::int AS n FROM sluice.partitions WHERE project = ? AND environment = ? GROUP BY 1',
    [project, environment],
  );
  return new Map(rows.map(({ dataset, n }) => [dataset, n]));
}

function secondsOf(profile: Profile | undefined, partitions: number): number | null {
  if (!profile || partitions === 0) return null;
  const batches = Math.ceil(partitions / batchSize(profile, BATCH_PARTITIONS_MAX));
  return Math.round(profile.fixedMs * batches + profile.perPartitionMs * partitions) / 1000;
}
