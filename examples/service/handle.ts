import {
  BackfillCancelledError,
  BackfillFailedError,
  BackfillIdTakenError,
  RequestRefusedError,
  type BackfillClient,
  type BackfillStatus,
} from 'sluice/client';
import type { SourceCorrected } from './event.js';

type Say = (line: object) => void;

/** Rebuilds what a correction touches and all that reads it, and says how it ends. */
export async function handle(backfills: BackfillClient, correction: SourceCorrected, say: Say): Promise<void> {
  const { event, table, from, to } = correction;
  // The event's own id names the backfill: delivered twice, it is still one backfill.
  const id = `correction-${event}`;
  try {
    await backfills.start(
      {
        select: `${table}+`,
        from,
        to,
        rebuild: 'all',
        // Nobody sits at a terminal here: wait for what others rebuild, and end when something fails.
        onConflict: 'wait',
        onFailure: 'fail',
        priority: 2,
        reason: `${table} was corrected at the source`,
        ticket: event,
        requestedBy: 'corrections',
      },
      { id },
    );
    say({ event, outcome: 'started', backfill: id });
  } catch (error) {
    if (!(error instanceof BackfillIdTakenError)) throw error;
    say({ event, outcome: 'known already', backfill: id });
  }
  await follow(backfills, { event, id }, say);
}

async function follow(
  backfills: BackfillClient,
  { event, id }: { event: string; id: string },
  say: Say,
): Promise<void> {
  try {
    // `result` alone would do; `watch` is for whoever wants to show progress.
    for await (const { state, partitions } of backfills.watch(id, { everyMs: 1_000 })) {
      say({ event, outcome: state, done: partitions.done, total: partitions.total });
    }
    const { partitions, rows } = await backfills.result(id);
    say({ event, outcome: 'published', partitions: partitions.done, rows });
  } catch (error) {
    if (error instanceof RequestRefusedError)
      say({ event, outcome: 'refused', code: error.code, message: error.message, remedy: error.remedy });
    else if (error instanceof BackfillFailedError)
      say({ event, outcome: 'incomplete', failures: failuresOf(error.status) });
    else if (error instanceof BackfillCancelledError) say({ event, outcome: 'somebody cancelled it' });
    else throw error;
  }
}

function failuresOf(status: BackfillStatus): object[] {
  return status.datasets.flatMap(({ name, failures }) =>
    failures.map(({ start, end, code, message }) => ({ dataset: name, start, end, code, message })),
  );
}
