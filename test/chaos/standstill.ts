/** What is known of a run that comes no further, looked up while it stands: afterwards there is nothing left to see. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Client } from '@temporalio/client';
import { eventually } from '../support/eventually.js';
import type { Lane } from './servers.js';
import { withTemporal } from './temporal.js';

/** Longer than any fault of FAULTS keeps a run from going on: a frozen worker's polls end after a minute. */
const STILL_MS = 90_000;
const LOOK_EVERY_MS = 3_000;
const EVENTS_SHOWN = 12;

export interface Watched {
  readonly lane: Lane;
  readonly workflowId: string;
  readonly progress: () => Promise<number>;
  readonly isOver: () => boolean;
}

/** Says once what there is to see when nothing was published for a long time; ends when the run is over. */
export async function watchStandstill(watched: Watched, say: (text: string) => void): Promise<void> {
  const { lane, workflowId, progress, isOver } = watched;
  let [last, since] = [-1, Date.now()];
  let threads = threadsOf(lane);
  const look = async (): Promise<boolean> => {
    const now = await progress();
    if (now !== last) [last, since] = [now, Date.now()];
    if (Date.now() - since > STILL_MS) {
      const busy = workersSince(lane, threads);
      say(`STANDS STILL: ${workflowId}, ${now} published\n${[...busy, ...(await lookedUp(watched))].join('\n')}`);
      return true;
    }
    threads = threadsOf(lane);
    return isOver();
  };
  await eventually('it is over, or stands still', look, Infinity, LOOK_EVERY_MS);
}

async function lookedUp({ lane, workflowId }: Watched): Promise<string[]> {
  const parts = [
    lane.on('warehouse', async (db) => {
      const { rows } = await db.query<{ line: string }>(
        `SELECT concat_ws(' | ', datname, application_name, state, wait_event, now() - xact_start, left(query, 60)) AS line
         FROM pg_stat_activity WHERE application_name LIKE 'sluice%' AND (state <> 'idle' OR query LIKE '%advisory%')`,
      );
      return rows.map(({ line }) => `session ${line}`);
    }),
    withTemporal(lane, (client) => executions(client, workflowId)),
    withTemporal(lane, pollers),
  ];
  const lines = await Promise.all(parts.map((part) => part.catch((error: unknown) => [String(error)])));
  return lines.flat();
}

/** A backfill and its children: what they wait for, and the last that happened to them. */
async function executions(client: Client, workflowId: string): Promise<string[]> {
  const lines: string[] = [];
  const ids = [workflowId];
  for (const id of ids) {
    const handle = client.workflow.getHandle(id);
    const { raw } = await handle.describe();
    for (const child of raw.pendingChildren ?? []) if (child.workflowId) ids.push(child.workflowId);
    const { pendingWorkflowTask, pendingActivities } = raw;
    lines.push(`execution ${id}: task ${JSON.stringify(pendingWorkflowTask)}`);
    for (const {
      activityType,
      state,
      attempt,
      lastFailure,
      lastWorkerIdentity,
      lastStartedTime,
    } of pendingActivities ?? []) {
      const what = { state, attempt, why: lastFailure?.message, lastWorkerIdentity, lastStartedTime };
      lines.push(`    activity ${activityType?.name} ${JSON.stringify(what)}`);
    }
    const { events } = await handle.fetchHistory();
    for (const { eventId, eventTime, eventType, workflowTaskFailedEventAttributes: why } of (events ?? []).slice(
      -EVENTS_SHOWN,
    ))
      lines.push(
        `    event ${String(eventId)} type ${eventType} at ${String(eventTime?.seconds)} ${why?.failure?.message ?? ''}`.trimEnd(),
      );
  }
  return lines;
}

/** Who asks for workflow tasks. */
async function pollers({ workflowService, options: { namespace } }: Client): Promise<string[]> {
  const taskQueue = { name: 'sluice' };
  // Of workflow tasks, where no type is named.
  const { pollers: found } = await workflowService.describeTaskQueue({ namespace, taskQueue });
  return found.map(({ identity, lastAccessTime }) => `poller ${identity} at ${String(lastAccessTime?.seconds)}`);
}

interface Thread {
  readonly name: string;
  /** R runs, S sleeps, T is stopped. */
  readonly state: string;
  /** Of processor time, in hundredths of a second. */
  readonly ticks: number;
}

/** Each worker's threads that had processor time since then. */
function workersSince(lane: Lane, before: ReadonlyMap<number, readonly Thread[]>): string[] {
  return [...threadsOf(lane)].map(([pid, threads]) => {
    const busy = threads.flatMap(({ name, state, ticks }, i) => {
      const spent = ticks - (before.get(pid)?.[i]?.ticks ?? ticks);
      return spent > 0 ? [`${name} ${state} ${spent}`] : [];
    });
    return `worker ${pid} ${threads[0]?.state ?? 'gone'}: ${busy.join(', ') || 'idle'}`;
  });
}

function threadsOf({ workers }: Lane): Map<number, Thread[]> {
  const live = [...workers].flatMap(({ pid, exitCode, signalCode }) =>
    pid !== undefined && exitCode === null && signalCode === null ? [pid] : [],
  );
  return new Map(live.map((pid) => [pid, threadsOfProcess(pid)]));
}

function threadsOfProcess(pid: number): Thread[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => {
      const text = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
      const end = text.lastIndexOf(')');
      const fields = text.slice(end + 2).split(' ');
      const ticks = Number(fields[11]) + Number(fields[12]);
      return { name: text.slice(text.indexOf('(') + 1, end), state: fields[0] ?? '', ticks };
    });
  } catch {
    // It ended while it was looked at, or there is no /proc here.
    return [];
  }
}
