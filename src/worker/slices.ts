import { Runtime, type NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';
import {
  createConnecting,
  createMetrics,
  createSliceActivities,
  type SliceActivities,
  type SliceDeps,
  type StandAside,
} from '../../activities/index.js';
import type { Env } from '../project/template.js';
import { ownBreakers, sharedBreakers } from '../store/breakers.js';
import { loadPlanDataset } from '../store/plans.js';
import type { Db } from '../store/store.js';
import { chunkRowsOf } from './limits.js';
import type { Opened } from './open.js';
import { isPolled } from './pollers.js';

/** What the activities of a slice are wired from. */
export interface SliceWiring {
  readonly opened: Opened;
  readonly db: Db;
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly env: Env;
  readonly log: Logger;
  readonly standAside: StandAside;
}

/** The activities of the slice queue, for the project that a worker has opened. */
export function sliceActivitiesOf({
  opened,
  db,
  connection,
  namespace,
  env,
  log,
  standAside,
}: SliceWiring): SliceActivities {
  const { name, environment, warehouse } = opened.project();
  const scope = { project: name, environment };
  const metrics = createMetrics(Runtime.instance().metricMeter);
  // Whether a source answers is known to all workers, by a row in the warehouse; whether the warehouse does, to each.
  const [shared, own] = [sharedBreakers(db, scope), ownBreakers()];
  const breakersOf = (of: string): typeof own => (of === warehouse ? own : shared);
  const connecting = createConnecting({ db, scope, warehouse, breakersOf, log, metrics, standAside });
  return createSliceActivities({
    ...{ db, log, metrics, connecting, warehouse },
    pool: opened.pool,
    poolSlots: (pool) => opened.project().pools.get(pool) ?? null,
    alternates: (of) => opened.project().connections.get(of)?.alternates ?? [],
    chunkRows: chunkRowsOf(env),
    isPolled: (taskQueue) => isPolled(connection, namespace, taskQueue),
    planDataset: keepingPlans((...of) => connecting.connect(warehouse, () => loadPlanDataset(db, ...of))),
  });
}

/** Plans and datasets that a worker keeps parsed: they are immutable. */
const PLANS_KEPT = 2_000;

type LoadPlan = SliceDeps['planDataset'];

function keepingPlans(load: LoadPlan): LoadPlan {
  const plans = new Map<string, ReturnType<LoadPlan>>();
  return (fingerprint, dataset) => {
    const key = `${fingerprint}/${dataset}`;
    const known = plans.get(key) ?? load(fingerprint, dataset);
    known.catch(() => plans.delete(key));
    if (plans.size >= PLANS_KEPT) plans.clear();
    plans.set(key, known);
    return known;
  };
}
