import type { Client } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';

/** What the histories of a backfill and its datasets weigh. */
export interface Weight {
  readonly workflows: number;
  /** Events of the backfill's own history. */
  readonly parentEvents: number;
  /** Most events of a dataset's history between two continue-as-news. */
  readonly datasetEvents: number;
  /** Bytes of the largest payload in any of them, and where it is: `<workflow type> <event type>`. */
  readonly payloadBytes: number;
  readonly payloadIn: string;
}

/** Reads the histories of every execution whose workflow id begins with a backfill's, continued ones too. */
export async function weigh(client: Client, workflowId: string): Promise<Weight> {
  let [workflows, parentEvents, datasetEvents, payloadBytes, payloadIn] = [0, 0, 0, 0, ''];
  const query = `WorkflowId = "${workflowId}" OR WorkflowId STARTS_WITH "${workflowId}/"`;
  for await (const { workflowId: id, runId, type } of client.workflow.list({ query })) {
    workflows++;
    const events = (await client.workflow.getHandle(id, runId).fetchHistory()).events ?? [];
    if (type === 'backfill') parentEvents = Math.max(parentEvents, events.length);
    else datasetEvents = Math.max(datasetEvents, events.length);
    for (const event of events) {
      const bytes = largestPayload(event);
      if (bytes <= payloadBytes) continue;
      payloadBytes = bytes;
      payloadIn = `${type} ${nameOf(event)}`;
    }
  }
  return { workflows, parentEvents, datasetEvents, payloadBytes, payloadIn };
}

/** The attributes that are set name the event: `activityTaskCompletedEventAttributes`. */
function nameOf(event: temporal.api.history.v1.IHistoryEvent): string {
  const set = Object.entries(event).find(([key, value]) => key.endsWith('EventAttributes') && value);
  return (set?.[0] ?? '?').replace('EventAttributes', '');
}

/** A payload is wherever there are bytes called `data`. */
function largestPayload(value: unknown): number {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return 0;
  let most = 0;
  for (const [key, inner] of Object.entries(value)) {
    most = Math.max(most, key === 'data' && inner instanceof Uint8Array ? inner.length : largestPayload(inner));
  }
  return most;
}
