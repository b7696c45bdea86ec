import { Runtime, Worker, type WorkerOptions as SdkOptions } from '@temporalio/worker';
import { createAsideGauge } from '../../activities/index.js';
import { asideQueue } from '../contracts/scope.js';
import { carryingOn } from '../core/throttle/aside.js';
import { DEFAULT_SLOTS } from '../project/budget.js';
import { sliceQueue } from './limits.js';
import { askWho } from './pollers.js';
import { createSliceRunner, type SliceRunner } from './slice-runner.js';
import { sliceActivitiesOf, type SliceWiring } from './slices.js';
import { asideIdentity, codeVersion, workerIdentity } from './version.js';

interface Wiring extends Omit<SliceWiring, 'standAside'> {
  readonly concurrency?: number | undefined;
  readonly deployment?: string | undefined;
  /** What all workers of this process have alike. */
  readonly common: Omit<SdkOptions, 'taskQueue'>;
}

/** The worker of a project's slices, wired. */
export async function sliceRunnerOf(wiring: Wiring): Promise<SliceRunner> {
  const { opened, connection, namespace, log, common } = wiring;
  const project = opened.project();
  const scope = { project: project.name, environment: project.environment };
  const [queue, aside] = [sliceQueue(project), asideQueue(scope.project, scope.environment)];
  const me = workerIdentity();
  const build = wiring.deployment ? `${wiring.deployment}:${codeVersion()}` : undefined;
  const slots = project.connections.get(project.warehouse)?.budget.slots ?? DEFAULT_SLOTS;
  const gauge = createAsideGauge(Runtime.instance().metricMeter);
  return createSliceRunner({
    log,
    urlOf: opened.connections.urlOf,
    warehouse: () => opened.project().warehouse,
    gauge: (is) => {
      gauge(scope, is);
    },
    others: async () => {
      const { slices, bystanders } = await askWho(connection, namespace, scope, queue);
      // Another build's workers are not given what this one's are.
      const alike = slices.filter((one) => one.build === build);
      return carryingOn(me, alike, bystanders, Date.now());
    },
    create: (standAside) =>
      Worker.create({
        ...common,
        taskQueue: queue,
        activities: { ...sliceActivitiesOf({ ...wiring, standAside }) },
        maxConcurrentActivityTaskExecutions: wiring.concurrency ?? slots + 1,
      }),
    createBystander: (why) =>
      Worker.create({
        connection,
        namespace,
        identity: asideIdentity(why),
        taskQueue: aside,
        activities: { aside: () => Promise.resolve() },
        maxConcurrentActivityTaskExecutions: 1,
        activityTaskPollerBehavior: { type: 'simple-maximum', maximum: 1 },
      }),
  });
}
