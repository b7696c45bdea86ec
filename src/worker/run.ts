import { fileURLToPath } from 'node:url';
import { Client, WorkflowNotFoundError } from '@temporalio/client';
import {
  bundleWorkflowCode,
  NativeConnection,
  Runtime,
  Worker,
  type WorkerOptions as SdkOptions,
  type WorkflowBundle,
} from '@temporalio/worker';
import type { Logger } from 'pino';
import { createControlActivities, createGauges, type ControlDeps, type GovernDeps } from '../../activities/index.js';
import { SystemError } from '../contracts/errors.js';
import { governorQueue } from '../contracts/scope.js';
import { projectStamp } from '../project/files.js';
import { scopeOf } from '../project/project.js';
import { createDefinitions, deploy, registerFlagged } from './definitions.js';
import { createBeside, untilDescribed } from './beside.js';
import { createGovernorStarter, type GovernorStarter } from './governors.js';
import { applyBudgets, type BudgetDeps, cachedWorkflowsOf, rateSetter, sliceQueue } from './limits.js';
import { installRuntime } from './logging.js';
import { openProject, type Opened, type Place } from './open.js';
import { starterOf, stateOf } from './executions.js';
import { REGISTERED_MS, registerSearchAttributes } from './search-attributes.js';
import { sharedModules } from './shared-modules.js';
import { sliceRunnerOf } from './slice-worker.js';
import { startTracing, type Tracing } from './tracing.js';
import { bundlePath, codeVersion, versioningOf, workerIdentity } from './version.js';
import { reloader, watchProject } from './watch.js';

export interface WorkerOptions extends Place {
  /** Slices at work at once in this process; by default the warehouse's slots and one, so that a slot is never idle. */
  readonly concurrency?: number | undefined;
  /** Name of the Worker Deployment that it belongs to; not versioned without. */
  readonly deployment?: string | undefined;
  readonly log: Logger;
  /** Where metrics are served, on every address of this machine; nowhere without it. */
  readonly metricsPort?: number | undefined;
  /** Reload the project when a file of it changes. */
  readonly watch: boolean;
  readonly onReady: () => void;
  /** Draining begins when it aborts: no new work, what runs may end. */
  readonly signal: AbortSignal;
}

/** Runs a worker for the project until the signal, then drains it. */
export async function runWorker(options: WorkerOptions): Promise<void> {
  const { log, signal } = options;
  const stamp = options.watch ? await projectStamp(options.projectDir) : '';
  const opened = await openProject(options);
  const target = opened.temporal();
  installRuntime(log, options.metricsPort);
  const tracing = await startTracing(options.env, 'sluice-worker');
  const plugins = tracing?.plugins ?? [];
  const connection = await connect(target, plugins);
  try {
    const db = await opened.db();
    const { namespace } = target;
    const setRate = rateSetter(connection, namespace);
    const beside = createBeside(log, signal);
    const governors = createGovernorStarter(new Client({ connection, namespace }), db, log);
    signal.addEventListener('abort', governors.stop, { once: true });
    const deployNow = (): Promise<void> => deployProject({ opened, db, setRate, beside, governors });
    await deployNow();
    let searchAttributes = false;
    const register = async (): Promise<void> => {
      searchAttributes = await registerSearchAttributes(connection, namespace, log);
    };
    await beside('search attributes', register, REGISTERED_MS);
    const wiring = { options, opened, connection, namespace, searchAttributes: () => searchAttributes, plugins };
    await untilDescribed(connection, namespace, options);
    const workers = await createWorkers(wiring);
    const slices = await sliceRunnerOf({ ...wiring, ...options, db, common: commonOf(wiring) });
    const stopWatching = options.watch
      ? watchProject({ dir: options.projectDir, stamp }, reloader(opened, deployNow, log))
      : () => undefined;
    const stop = (): void => {
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
      slices.stop();
    };
    signal.addEventListener('abort', stop, { once: true });
    const running = Promise.all([...workers.map((worker) => worker.run()), slices.run()]);
    options.onReady();
    log.info(
      {
        project: opened.project().name,
        definition: opened.project().hash,
        queues: [...workers.map(({ options: { taskQueue } }) => taskQueue), sliceQueue(opened.project())],
        ...(options.deployment && { deployment: options.deployment, build: codeVersion() }),
      },
      options.deployment ? 'worker runs; new backfills come here while its build is the current one' : 'worker runs',
    );
    if (signal.aborted) stop();
    await running.finally(stop);
    stopWatching();
  } finally {
    // A worker that was made and never ran holds the connection for good; to say so would hide why it never ran.
    await connection.close().catch((error: unknown) => {
      log.debug({ err: error }, 'the connection to Temporal was not closed');
    });
    await opened.close();
    await tracing?.close();
  }
}

interface Deploying extends Omit<BudgetDeps, 'pool'> {
  readonly opened: Opened;
  readonly governors: GovernorStarter;
}

/** Says what the workers run and puts its budgets into force. What the Temporal server has to be told for that is told beside the work. */
async function deployProject({ opened, governors, ...deps }: Deploying): Promise<void> {
  const project = opened.project();
  const serve = async (): Promise<readonly string[]> => {
    const { governed, unknown } = await applyBudgets({ ...deps, pool: opened.pool }, project);
    void governors.serve(project, governed);
    return unknown;
  };
  await deploy(deps.db, project);
  let asked: Promise<readonly string[]> | undefined = serve();
  await asked;
  void deps.beside('governors', async () => {
    const unknown = await (asked ?? serve());
    asked = undefined;
    if (unknown.length > 0) throw new Error(`no answer which database it is: connection ${unknown.join(', ')}`);
  });
}

/** The workers, the bundle and the client inherit a connection's plugins. */
async function connect(
  { address, apiKey, tls }: ReturnType<Opened['temporal']>,
  plugins: Tracing['plugins'],
): Promise<NativeConnection> {
  try {
    return await NativeConnection.connect({
      address,
      plugins,
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(tls === undefined ? {} : { tls }),
    });
  } catch (error) {
    throw new SystemError(
      'temporal_unreachable',
      `no Temporal server answers at ${address}`,
      'is it running, and is TEMPORAL_ADDRESS right?',
      { cause: error },
    );
  }
}

/** Cancellation reaches an activity with its heartbeat: 9 s after it was asked for, until this was set. */
const HEARTBEATS = { maxHeartbeatThrottleInterval: '1s', defaultHeartbeatThrottleInterval: '1s' } as const;

interface Wiring {
  readonly options: WorkerOptions;
  readonly opened: Opened;
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly searchAttributes: () => boolean;
  readonly plugins: Tracing['plugins'];
}

/** What all workers of this process have alike. */
function commonOf({ options, connection, namespace }: Wiring): Omit<SdkOptions, 'taskQueue'> {
  return {
    connection,
    namespace,
    identity: workerIdentity(),
    ...versioningOf(options.deployment),
    shutdownGraceTime: '30s',
    shutdownForceTime: '45s',
    ...HEARTBEATS,
  };
}

/**
 * A step of a workflow is not broken off before ten minutes are over. All of them share a context, and after the SDK's usual 5 s what the broken one had left to do ran in the next
 * workflow's step, a dataset's signal in its backfill's answer to a query, which ended the worker (SDK 1.24.0, on a machine at load 14). Time in which the process is frozen counts:
 * one that woke up in mid-step after more than that ended at once, "async hook stack has become corrupted" (Node 20; with a limit of 1 s at the third freeze of 1.6 s).
 * What takes long the server gives to another worker. The SDK takes the option, and leaves it out of its types.
 */
const UNBROKEN = { isolateExecutionTimeout: '10m' } as const;

/**
 * Each poll that a frozen worker has open swallows a task, which is given to another after 10 s, until the server ends the polls after a minute: with the SDK's
 * five to a hundred, control stood still for all of that minute. It is short, and two polls a round trip are enough for a thousand datasets.
 */
const FEW_POLLS = { type: 'simple-maximum', maximum: 2 } as const;

/**
 * Of five polls for steps of workflows one asks for workflows that no worker keeps, of the SDK's ten two. Each that is open in a frozen worker costs such a workflow 10 s, after the
 * 10 s in which its step waits for the worker that kept it; with two a dataset stood still for more than 39 s in 3 of 4 runs, with one for less than 17 s in 9 of 9.
 * Not one of ten: a worker that is busy gives each poll its turn, and where a tenth was left for them 328 steps waited, the backfill's own for minutes.
 */
const STEP_POLLS = { workflowTaskPollerBehavior: { type: 'simple-maximum', maximum: 5 } } as const;

/**
 * Steps of workflows taken up at once: one runs while answers of others are on their way, and a poll waits for workflows that nobody keeps. More of them
 * would wait here, for the one thread that runs them, in the order they came; at the server those of backfills go before those of datasets. With 40 `status` took
 * 456 ms in the median, p95 1,562; with four 151 and 338 (docs/benchmarks.md).
 */
const STEPS_AT_ONCE = 4;

/** Those of workflows, control and governors. */
async function createWorkers(wiring: Wiring): Promise<Worker[]> {
  const { options, opened, connection, namespace, plugins } = wiring;
  const project = opened.project();
  const { govern, ...control } = createControlActivities(
    await controlDeps(wiring, new Client({ connection, namespace })),
  );
  const common = commonOf(wiring);
  return Promise.all([
    Worker.create({
      ...common,
      taskQueue: 'sluice',
      workflowBundle: await bundle(plugins),
      maxCachedWorkflows: cachedWorkflowsOf(options.env),
      maxConcurrentWorkflowTaskExecutions: STEPS_AT_ONCE,
      ...UNBROKEN,
      ...STEP_POLLS,
    }),
    Worker.create({
      ...common,
      taskQueue: `sluice.${scopeOf(project)}`,
      activities: control,
      maxConcurrentActivityTaskExecutions: 20,
      activityTaskPollerBehavior: FEW_POLLS,
    }),
    Worker.create({
      ...common,
      taskQueue: governorQueue(project.name, project.environment),
      activities: { govern },
      maxConcurrentActivityTaskExecutions: 20,
      // Should this worker freeze, no more than one attempt at governing elsewhere is handed to it.
      activityTaskPollerBehavior: { type: 'simple-maximum', maximum: 1 },
    }),
  ]);
}

async function controlDeps(wiring: Wiring, client: Client): Promise<ControlDeps> {
  const { options, opened, searchAttributes } = wiring;
  const { log } = options;
  const db = await opened.db();
  return {
    db,
    log,
    pool: opened.pool,
    searchAttributes,
    project: createDefinitions(db, opened.project, options.env),
    flagged: (base, set) => registerFlagged(db, base, set, options.env),
    now: () => Date.now(),
    workflowState: (workflowId) => stateOf(client, workflowId),
    startedBy: (workflowId) => starterOf(client, workflowId),
    signal: (workflowId, name, message) => signalIfOpen(client, workflowId, name, message),
    cancelWorkflow: async (workflowId) => {
      await client.workflow.getHandle(workflowId).cancel();
    },
    governing: governingOf(wiring, client),
  };
}

function governingOf({ options, connection, namespace }: Wiring, client: Client): GovernDeps {
  return {
    setRate: rateSetter(connection, namespace),
    tell: (workflowId, news) => client.workflow.getHandle(workflowId).signal('governed', news),
    stopping: options.signal,
    gauges: createGauges(Runtime.instance().metricMeter),
  };
}

/** The bundle that the build made ahead; from source, and with what plugins add to it, it is made here. */
async function bundle(plugins: Tracing['plugins']): Promise<WorkflowBundle | { codePath: string }> {
  const codePath = bundlePath();
  if (codePath !== undefined && plugins.length === 0) return { codePath };
  const workflowsPath = fileURLToPath(new URL('../../workflows/index.js', import.meta.url));
  return bundleWorkflowCode({
    workflowsPath,
    plugins,
    preloadModules: sharedModules(workflowsPath),
    logger: Runtime.instance().logger,
  });
}

/** One that has ended needs to hear nothing. */
async function signalIfOpen(client: Client, workflowId: string, name: string, message: unknown): Promise<void> {
  try {
    await client.workflow.getHandle(workflowId).signal(name, message);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}
