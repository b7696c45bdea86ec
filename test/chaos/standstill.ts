/** What is known of a run that comes no further, looked up while it stands: afterwards there is nothing left to see. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Lane } from './servers.js';
import { withTemporal } from './temporal.js';

/** Longer than any fault of FAULTS keeps a run from going on: a frozen worker's polls end after a minute. */
const STILL_MS = 90_000;
const LOOK_EVERY_MS = 3_000;
const EVENTS_SHOWN = 12;
/** Over which the processor time of the workers is measured. */
const CPU_MS = 1_000;

export interface Watched {
  readonly lane: Lane;
  readonly workflowId: string;
  readonly progress: () => Promise<number>;
  readonly isOver: () => boolean;
}

/** Says once what there is to see when nothing was published for a long time; ends when the run is over. */
export async function watchStandstill(watched: Watched, say: (text: string) => void): Promise<void> {
  let [last, since] = [-1, Date.now()];
  while (!watched.isOver()) {
    const now = await watched.progress();
    if (now !== last) [last, since] = [now, Date.now()];
    if (Date.now() - since > STILL_MS) {
      say(`STANDS STILL: ${watched.workflowId}, ${now} published\n${await lookedUp(watched)}`);
      return;
    }
    await wait(LOOK_EVERY_MS);
  }
}

async function lookedUp({ lane, workflowId }: Watched): Promise<string> {
  const parts = [
    workersOf(lane),
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
  return lines.flat().join('\n');
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
    for (const { eventId, eventTime, eventType } of (events ?? []).slice(-EVENTS_SHOWN))
      lines.push(`    event ${String(eventId)} type ${eventType} at ${String(eventTime?.seconds)}`);
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

/** Each worker's threads that work, or all that it has where none does: T is stopped, and ticks are hundredths of a second. */
async function workersOf({ workers }: Lane): Promise<string[]> {
  const pids = [...workers].flatMap(({ pid, exitCode, signalCode }) =>
    pid !== undefined && exitCode === null && signalCode === null ? [pid] : [],
  );
  const before = new Map(pids.map((pid) => [pid, threadsOf(pid)]));
  await wait(CPU_MS);
  return pids.map((pid) => {
    const busy = threadsOf(pid).flatMap(({ name, state, ticks }, i) => {
      const spent = ticks - (before.get(pid)?.[i]?.ticks ?? ticks);
      return spent > 0 ? [`${name} ${state} ${spent}`] : [];
    });
    return `worker ${pid} ${threadsOf(pid)[0]?.state ?? 'gone'}: ${busy.join(', ') || 'idle'}`;
  });
}

function threadsOf(pid: number): { readonly name: string; readonly state: string; readonly ticks: number }[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => {
      const text = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
      const end = text.lastIndexOf(')');
      const fields = text.slice(end + 2).split(' ');
      return {
        name: text.slice(text.indexOf('(') + 1, end),
        state: fields[0] ?? '',
        ticks: Number(fields[11]) + Number(fields[12]),
      };
    });
  } catch {
    return [];
  }
}
