import { Connection, type ConnectionOptions } from '@temporalio/client';
import { typedIn } from '../../contracts/typed.js';
import { scopeOf, type Project } from '../../project/project.js';
import { standingAside } from '../../core/throttle/aside.js';
import { ACTIVITY_QUEUE, sliceQueue } from '../../worker/limits.js';
import { askWho, pollersOf, type Polled, type Poller } from '../../worker/pollers.js';
import type { TemporalTarget } from '../../worker/temporal-env.js';
import { SEARCH_ATTRIBUTES } from '../../worker/search-attributes.js';
import { codeVersion, versionOfIdentity } from '../../worker/version.js';
import { fail, ok, warn, type Check } from './check.js';

/** A worker's long poll takes a minute at most: whoever asked for work this lately is there. */
const POLLED_WITHIN_MS = 90_000;
/** TASK_QUEUE_TYPE_WORKFLOW of Temporal's API. */
const WORKFLOW_QUEUE = 1;
/** NOT_FOUND and PERMISSION_DENIED of gRPC. */
const GRPC = { notFound: 5, permissionDenied: 7 } as const;

/** Whether Temporal says that a workflow goes on; undefined where it cannot be asked. */
export type IsOpen = (workflowId: string) => Promise<boolean | undefined>;

/** Looks at the Temporal server; `then` is given a way to ask for workflows, while the connection is open. */
export async function checkTemporal(
  target: TemporalTarget,
  project: Project,
  now: () => number,
  then: (isOpen: IsOpen) => Promise<Check[]>,
): Promise<Check[]> {
  const { address, namespace, apiKey, tls } = target;
  const options: ConnectionOptions = { address, connectTimeout: '3s', ...(apiKey && { apiKey }), ...(tls && { tls }) };
  let connection: Connection;
  try {
    connection = await Connection.connect(options);
  } catch {
    const unreachable = `no Temporal server answers at ${address}`;
    return [
      fail('temporal', unreachable, 'start one with `sluice dev`, or correct TEMPORAL_ADDRESS'),
      ...(await then(() => Promise.resolve(undefined))),
    ];
  }
  try {
    const server = await checkNamespace(connection, namespace, address);
    if (server.state === 'fail') return [server, ...(await then(() => Promise.resolve(undefined)))];
    return [
      server,
      await checkAttributes(connection, namespace),
      ...(await checkQueues(connection, namespace, project, now())),
      ...(await checkAside(connection, namespace, project, now())),
      ...(await then((workflowId) => isOpen(connection, namespace, workflowId))),
    ];
  } finally {
    await connection.close();
  }
}

async function checkNamespace({ workflowService }: Connection, namespace: string, address: string): Promise<Check> {
  try {
    await workflowService.describeNamespace({ namespace });
    const { serverVersion } = await workflowService.getSystemInfo({});
    return ok('temporal', `${serverVersion || 'reached'} at ${address}, namespace ${namespace}`);
  } catch (error) {
    if (codeOf(error) === GRPC.notFound) {
      const create = `temporal operator namespace create -n ${namespace}`;
      return fail('temporal', `no namespace ${namespace} at ${address}`, `correct TEMPORAL_NAMESPACE, or: ${create}`);
    }
    if (codeOf(error) === GRPC.permissionDenied)
      return fail('temporal', `refused at ${address}`, 'do TEMPORAL_NAMESPACE and TEMPORAL_API_KEY fit together?');
    return fail('temporal', `${address}: ${messageOf(error)}`, 'is it up, and does TEMPORAL_TLS fit it?');
  }
}

async function checkAttributes({ operatorService }: Connection, namespace: string): Promise<Check> {
  const name = 'search attributes';
  const create = (names: readonly string[]): string =>
    `temporal operator search-attribute create -n ${namespace} ${names.map((one) => `--name ${one} --type Keyword`).join(' ')}`;
  try {
    const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
    const missing = SEARCH_ATTRIBUTES.filter((one) => !(one in customAttributes));
    if (missing.length === 0) return ok(name, `${SEARCH_ATTRIBUTES.length} registered`);
    return warn(
      name,
      `not registered: ${missing.join(', ')}`,
      `a worker that may does it when it starts; or: ${create(missing)}`,
    );
  } catch (error) {
    return warn(name, `could not be listed: ${messageOf(error)}`, create(SEARCH_ATTRIBUTES));
  }
}

async function checkQueues(connection: Connection, namespace: string, project: Project, now: number): Promise<Check[]> {
  const queues = [
    { name: 'sluice', type: WORKFLOW_QUEUE },
    { name: `sluice.${scopeOf(project)}`, type: ACTIVITY_QUEUE },
    { name: sliceQueue(project), type: ACTIVITY_QUEUE },
  ];
  const ours = queues.map(async ({ name, type }) => {
    const polled = await pollersOf(connection, namespace, name, type);
    return judgeQueue(name, polled, { now, version: codeVersion(), environment: project.environment });
  });
  const theirs = [...callersOf(project)].map(async ([queue, datasets]) => {
    const { pollers } = await pollersOf(connection, namespace, queue, ACTIVITY_QUEUE);
    return judgeCallQueue(queue, datasets, pollers, now);
  });
  return Promise.all([...ours, ...theirs]);
}

/** Workers that leave slices to others: each says why. */
async function checkAside(connection: Connection, namespace: string, project: Project, now: number): Promise<Check[]> {
  const scope = { project: project.name, environment: project.environment };
  const { slices, bystanders } = await askWho(connection, namespace, scope, sliceQueue(project));
  const away = new Set(standingAside(slices, bystanders, now));
  return bystanders
    .filter(({ identity }) => away.has(identity))
    .map(({ identity, why }) =>
      warn(
        `worker ${identity}`,
        `it stands aside, and others carry its slices out: ${why}`,
        'mend what that worker connects with: it tries again every 5 s, and comes back by itself',
      ),
    );
}

/** Task queues of other people's workers, and the datasets that call them. */
function callersOf({ datasets }: Project): Map<string, string[]> {
  const callers = new Map<string, string[]>();
  for (const { name, body } of datasets.values()) {
    if (body.kind === 'call') callers.set(body.taskQueue, [...(callers.get(body.taskQueue) ?? []), name]);
  }
  return callers;
}

/** Whether somebody serves the queue of a `call`. Nothing is wrong with the rest of the project where nobody does. */
export function judgeCallQueue(
  queue: string,
  datasets: readonly string[],
  pollers: readonly Poller[],
  now: number,
): Check {
  const name = `queue ${queue}`;
  const alive = pollers.filter(({ polledAt }) => now - polledAt < POLLED_WITHIN_MS).length;
  if (alive > 0) return ok(name, `${alive} ${alive === 1 ? 'worker polls' : 'workers poll'} it, for calls`);
  return warn(
    name,
    `no worker polls it: calls of ${datasets.join(', ')} would wait`,
    'start your worker for it: docs/calls.md',
  );
}

/** Whether somebody serves a queue, with the code that this command is of. */
export function judgeQueue(
  queue: string,
  polled: Pick<Polled, 'pollers' | 'current'>,
  here: { now: number; version: string; environment: string },
): Check {
  const name = `queue ${queue}`;
  const start = `start one: ${typedIn(here.environment, 'sluice worker')}`;
  const pollers = polled.pollers.filter(({ polledAt }) => here.now - polledAt < POLLED_WITHIN_MS);
  const [first] = pollers;
  if (!first) return fail(name, 'no worker polls it', start);
  if (pollers.every(({ build }) => build !== polled.current)) return misdirected(name, first, polled.current);
  const alive = new Map(pollers.map(({ identity }) => [identity, versionOfIdentity(identity)]));
  const strange = [...alive].filter(([, version]) => version !== here.version);
  if (strange.length === 0) return ok(name, `${alive.size} ${alive.size === 1 ? 'worker polls' : 'workers poll'} it`);
  const which = strange.map(([identity, version]) =>
    version === undefined ? `${identity}, of an unknown version` : identity,
  );
  return warn(
    name,
    `workers of other code than this command's ${here.version}: ${which.join('; ')}`,
    'bring command line and workers to one version, then start those workers again',
  );
}

/** Worker versioning: what is new goes to a build of which no worker is there. */
function misdirected(name: string, { build = '' }: Poller, current: string | undefined): Check {
  const to = current === undefined ? 'workers without --deployment' : `build ${current}`;
  const [deployment, id] = build.split(':');
  const become = build
    ? `temporal worker deployment set-current-version --deployment-name ${deployment} --build-id ${id}`
    : 'start workers with --deployment';
  return fail(name, `what is new goes to ${to}, and none polls it`, `start one, or: ${become}`);
}

async function isOpen(
  { workflowService }: Connection,
  namespace: string,
  workflowId: string,
): Promise<boolean | undefined> {
  try {
    const { workflowExecutionInfo } = await workflowService.describeWorkflowExecution({
      namespace,
      execution: { workflowId },
    });
    return !workflowExecutionInfo?.closeTime;
  } catch (error) {
    return codeOf(error) === GRPC.notFound ? false : undefined;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error && 'details' in error && typeof error.details === 'string'
    ? error.details
    : String(error);
}
