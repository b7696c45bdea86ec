import type { Connection } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { asideQueue } from '../contracts/scope.js';
import { LATELY_MS } from '../core/throttle/aside.js';
import { ACTIVITY_QUEUE } from './limits.js';
import { readAside } from './version.js';

/** WORKER_VERSIONING_MODE_VERSIONED of Temporal's API. */
const VERSIONED = 2;

/** Somebody who asks a task queue for work. */
export interface Poller {
  readonly identity: string;
  /** When it last asked, in ms since the epoch. */
  readonly polledAt: number;
  /** `<deployment>:<build id>` of one that is versioned. */
  readonly build?: string | undefined;
}

/** Who serves a task queue, and which build gets what is new: of workers that are not versioned, where none is named. */
export interface Polled {
  readonly pollers: readonly Poller[];
  readonly current: string | undefined;
  /** Tasks that wait for one of them, about. */
  readonly backlog: number;
}

/** Who asked for work lately, as Temporal remembers it for some minutes. `type` is that of the queue in Temporal's API. */
export async function pollersOf(
  { workflowService }: Pick<Connection | NativeConnection, 'workflowService'>,
  namespace: string,
  taskQueue: string,
  type: number,
): Promise<Polled> {
  const { pollers, versioningInfo, stats } = await workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: taskQueue },
    // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- as in limits.ts
    taskQueueType: type,
    reportStats: true,
  });
  return {
    pollers: pollers.map(({ identity, lastAccessTime, deploymentOptions }) => ({
      identity: identity ?? '',
      polledAt: Number(lastAccessTime?.seconds ?? 0) * 1000 + (lastAccessTime?.nanos ?? 0) / 1e6,
      // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-comparison -- as in limits.ts
      build: deploymentOptions?.workerVersioningMode === VERSIONED ? buildOf(deploymentOptions) : undefined,
    })),
    current: buildOf(versioningInfo?.currentDeploymentVersion),
    backlog: Number(stats?.approximateBacklogCount ?? 0),
  };
}

function buildOf(
  version: { readonly deploymentName?: string | null; readonly buildId?: string | null } | null | undefined,
): string | undefined {
  return version?.buildId ? `${version.deploymentName}:${version.buildId}` : undefined;
}

/**
 * Whether a worker has asked for activities of a task queue lately. One that was killed a moment ago still counts. Where Temporal does not
 * say (a role without the right to ask), it counts as polled: the call itself will tell.
 */
export async function isPolled(connection: NativeConnection, namespace: string, taskQueue: string): Promise<boolean> {
  const now = Date.now();
  try {
    const { pollers } = await pollersOf(connection, namespace, taskQueue, ACTIVITY_QUEUE);
    return pollers.some(({ polledAt }) => now - polledAt < LATELY_MS);
  } catch {
    return true;
  }
}

/** Who asks for slices, and who says that it stands aside: each by its own name. */
export async function askWho(
  connection: Pick<Connection | NativeConnection, 'workflowService'>,
  namespace: string,
  { project, environment }: { readonly project: string; readonly environment: string },
  sliceQueue: string,
): Promise<{ slices: readonly Poller[]; bystanders: readonly (Poller & { readonly why: string })[] }> {
  const [slices, aside] = await Promise.all([
    pollersOf(connection, namespace, sliceQueue, ACTIVITY_QUEUE),
    pollersOf(connection, namespace, asideQueue(project, environment), ACTIVITY_QUEUE),
  ]);
  return {
    slices: slices.pollers,
    bystanders: aside.pollers.map((one) => ({ ...one, ...readAside(one.identity) })),
  };
}
