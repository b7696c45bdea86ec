import { copyPipe } from './copyPipe.js';
import { backfill, peakMb } from './engine.js';
import { createEventsTarget, EVENTS_FROM, EVENTS_TO } from './events.js';
import { markdownTable, median } from './figures.js';
import type { Partition } from './loop.js';
import type { Stack } from '../../test/support/stack.js';

/** What is read, at the source. */
export const EVENTS_TABLE = 'public.events';
/** What the pipes write, at the target; made anew for each run (not timed). */
const PIPED = 'bench_copy.events';

/** `psql COPY | psql COPY` of the events, in pipes that share the partitions. */
export async function pipeEvents(
  sourceUrl: string,
  targetUrl: string,
  partitions: readonly Partition[],
  pipes: number,
): Promise<{ seconds: number; rows: number }> {
  await createEventsTarget(targetUrl, PIPED);
  return copyPipe({
    ...{ sourceUrl, targetUrl, source: EVENTS_TABLE, target: PIPED, time: 'happened_at' },
    ...{ partitions, pipes },
  });
}

export interface AgainstOnePipe {
  /** Folder of the project. */
  readonly project: string;
  /** After `sluice backfill`. */
  readonly words: readonly string[];
  readonly runs: number;
  /** SQL that makes the target as the backfill should find it. */
  readonly before: (run: number) => string;
  /** What the ratio is of one pipe's seconds and sluice's, and how it is called. */
  readonly ratio: readonly [name: string, of: (pipe: number, sluice: number) => number];
}

/** Prints what sluice takes for all events, run by run, against one pipe of all of them at once. */
export async function againstOnePipe(stack: Stack, bench: AgainstOnePipe): Promise<void> {
  const { project, words, runs, before } = bench;
  const [title, of] = bench.ratio;
  const [source, target] = [await stack.url('ops'), await stack.url('warehouse')];
  const worker = await stack.worker(project);
  const client = await stack.connect('warehouse');
  const measured: { pipe: number; sluice: number; ratio: number; peak: number }[] = [];
  for (let run = 1; run <= runs; run++) {
    const { seconds: pipe } = await pipeEvents(source, target, [{ start: EVENTS_FROM, end: EVENTS_TO }], 1);
    await client.query(before(run));
    const { seconds: sluice } = await backfill(stack, project, words);
    measured.push({ pipe, sluice, ratio: of(pipe, sluice), peak: peakMb(worker.pid ?? 0) });
  }
  console.log(
    markdownTable(
      ['run', 'one pipe, s', 'sluice, s', title, 'worker peak, MB'],
      measured.map(({ pipe, sluice, ratio, peak }, i) => [
        ...[String(i + 1), pipe.toFixed(1), sluice.toFixed(1), ratio.toFixed(2), peak.toFixed(0)],
      ]),
    ),
  );
  console.log(`median ${median(measured.map(({ ratio }) => ratio)).toFixed(2)}`);
}
