import type { PartialCallYaml } from '../contracts/project.js';
import { durationMs, type Duration } from '../core/time/duration.js';
import { report } from './draft.js';
import type { Draft } from './draft.js';
import type { CallBody } from './project.js';

type At = Pick<Draft, 'file' | 'source' | 'problems'>;

/** Keys of a dataset that say something of its table, which a call does not have. Under `defaults` they are for the others. */
const OF_A_TABLE = [
  ...['table', 'time', 'key', 'columns', 'reads', 'allow', 'pool'],
  ...['publish', 'moves', 'storage', 'mask', 'on_schema_change', 'coalesce', 'scan'],
];

/** Checks what stands under `call:`; undefined where something that it cannot do without is wrong. */
export function readCall({ activity, taskQueue, timeout, heartbeat }: PartialCallYaml, at: At): CallBody | undefined {
  if (taskQueue !== undefined && /^sluice(?:\.|$)/.test(taskQueue))
    report(at, ['call', 'taskQueue'], {
      code: 'reserved_name',
      message: `call.taskQueue: ${taskQueue} is a queue of sluice's own workers`,
      remedy: 'name the queue that your own worker polls',
    });
  const timeoutMs = exactMs('timeout', timeout, at);
  const heartbeatMs = exactMs('heartbeat', heartbeat, at);
  if (timeoutMs !== undefined && heartbeatMs !== undefined && heartbeatMs >= timeoutMs)
    report(at, ['call', 'heartbeat'], {
      code: 'heartbeat_too_long',
      message: 'call.heartbeat is not shorter than call.timeout',
      remedy: 'leave it out, or write how long the activity may be silent, such as 10s',
    });
  if (activity === undefined || taskQueue === undefined || timeoutMs === undefined) return undefined;
  return { kind: 'call', activity, taskQueue, timeoutMs, ...(heartbeatMs === undefined ? {} : { heartbeatMs }) };
}

function exactMs(key: 'timeout' | 'heartbeat', length: Duration | undefined, at: At): number | undefined {
  if (length === undefined) return undefined;
  if (length.months === 0 && durationMs(length) >= 1_000) return durationMs(length);
  report(at, ['call', key], {
    code: 'invalid_duration',
    message: `call.${key} is ${length.months > 0 ? 'in months, which have no fixed length' : 'shorter than a second'}`,
    remedy: 'write 30s, 10m, 2h or 1d',
  });
  return undefined;
}

/** Refuses settings of a table on a call. */
export function checkCall(draft: Draft): void {
  for (const key of OF_A_TABLE) {
    if (!(key in draft.own)) continue;
    report(draft, [key], {
      code: 'not_for_calls',
      message: `${key} has no meaning with call: a call has no table`,
      remedy: `leave ${key} out`,
    });
  }
}
