import type { BackfillClient } from '../../src/client/index.js';
import type { Lane } from './servers.js';
import { withTemporal } from './temporal.js';

/** Rare states, by how often a run came to them. */
export type Sightings = Readonly<Record<string, number>>;

/** What a campaign must have come to, each at least once: a state that is never reached is a state that was never tested. */
export const WANTED = [
  'fenced',
  'taken over by a later attempt',
  'commit unknown, and found published',
  'bisected',
  'failed for a while, and tried again',
  'through the staging table',
  'read in chunks, resumed from cursor',
  'deadlock',
  'held, and tried again',
  'continued as new',
  'continued as new with messages pending',
] as const;

interface Of {
  readonly project: string;
  /** Of the backfill. */
  readonly id: string;
  readonly said: string;
  readonly holds: number;
}

/** Reads them from what the workers logged, the warehouse kept and the histories say. */
export async function sightings(
  lane: Lane,
  client: BackfillClient,
  { project, id, said, holds }: Of,
): Promise<Sightings> {
  const lines = (pattern: RegExp): number => said.split('\n').filter((line) => pattern.test(line)).length;
  const found = await lane.on('warehouse', async (warehouse) => {
    const { rows } = await warehouse.query<{ bisected: number; transient: number; deadlocks: number; resumed: number }>(
      `SELECT count(*) FILTER (WHERE ends_at - starts_at > interval '1 day' AND code = 'invalid_text_representation')::int AS bisected,
         count(*) FILTER (WHERE code <> 'invalid_text_representation')::int AS transient,
         count(*) FILTER (WHERE code = 'deadlock')::int AS deadlocks,
         (SELECT count(*)::int FROM (SELECT FROM audit.chunks WHERE project = $1 GROUP BY staging
            HAVING count(DISTINCT reader) > 1 AND count(*) < 2 * count(DISTINCT n)) x) AS resumed
       FROM sluice.failures WHERE project = $1 AND backfill_id = $2`,
      [project, id],
    );
    // The next run counts its own.
    await warehouse.query('DELETE FROM audit.chunks WHERE project = $1', [project]);
    return rows[0] ?? { bisected: 0, transient: 0, deadlocks: 0, resumed: 0 };
  });
  const continued = await continuedAsNew(lane, client.workflowId(id));
  const seen: Record<(typeof WANTED)[number], number> = {
    fenced: lines(/"msg":"fenced/),
    'taken over by a later attempt': lines(/"attempt":[2-9]/),
    'commit unknown, and found published': lines(/"msg":"published before/),
    bisected: found.bisected,
    'failed for a while, and tried again': found.transient,
    'through the staging table': lines(/"msg":"a key is taken/),
    'read in chunks, resumed from cursor': found.resumed,
    deadlock: found.deadlocks,
    'held, and tried again': holds,
    'continued as new': continued.all,
    'continued as new with messages pending': continued.pending,
  };
  return seen;
}

/** WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND: the workflow wanted to end, and was asked again, with a message that had come. */
const UNHANDLED_COMMAND = '1';

/** Histories of this backfill that another one follows; and of those, the ones that the server did not let end because a message had come. */
async function continuedAsNew(lane: Lane, workflowId: string): Promise<{ all: number; pending: number }> {
  return withTemporal(lane, async ({ workflow }) => {
    let [all, pending] = [0, 0];
    const query = `WorkflowId STARTS_WITH "${workflowId}/" AND ExecutionStatus = "ContinuedAsNew"`;
    for await (const { workflowId: id, runId } of workflow.list({ query })) {
      all++;
      const { events = [] } = await workflow.getHandle(id, runId).fetchHistory();
      if (events?.some(({ workflowTaskFailedEventAttributes: failed }) => String(failed?.cause) === UNHANDLED_COMMAND))
        pending++;
    }
    return { all, pending };
  });
}

export function add(total: Record<string, number>, seen: Sightings): void {
  for (const [name, count] of Object.entries(seen)) total[name] = (total[name] ?? 0) + count;
}
