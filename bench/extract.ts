/**
 * Extract of 5 M rows of 6 columns by day: sluice against `psql COPY | psql COPY` of the same days into the same indexes.
 *
 *     node --import tsx bench/extract.ts [ROWS] [RUNS]
 *
 * On servers of its own. `psql` must be on PATH.
 */
import { pathToFileURL } from 'node:url';
import { EVENTS_FROM, EVENTS_TO, generateEvents } from './lib/events.js';
import type { Stack } from '../test/support/stack.js';
import { backfill, peakMb, withStack } from './lib/engine.js';
import { markdownTable, median } from './lib/figures.js';
import { localDays } from './lib/flights.js';
import { EVENTS_TABLE, pipeEvents } from './lib/pipe.js';

export interface ExtractRun {
  /** Wall time. */
  readonly seconds: number;
  readonly rows: number;
}

/** The baseline's half of one run: the target made anew (not timed), then `pipes` pipes at once. */
export async function extractBaseline(sourceUrl: string, targetUrl: string, pipes: number): Promise<ExtractRun> {
  return pipeEvents(sourceUrl, targetUrl, await localDays(sourceUrl, EVENTS_FROM, EVENTS_TO, 'UTC'), pipes);
}

/** The best of these is what sluice is held against: which one that is depends on the machine. */
const PIPES = [1, 2, 4];

/** A slot a core, as docs/benchmarks.md says: with 4 on two cores both sluice and the pipes lose a sixth to contention in the target. */
const PROJECT = {
  'sluice.yaml': `
project: bench
connections:
  ops: { type: postgres, url: "embedded:ops", budget: { slots: 2 } }
  warehouse: { type: postgres, url: "embedded:warehouse", budget: { slots: 2 } }
warehouse: warehouse
schema: analytics
defaults: { grain: day, start: ${EVENTS_FROM} }
`,
  'datasets/events.yaml': `extract: { from: ops, table: ${EVENTS_TABLE}, time: happened_at }\nkey: [id]\n`,
};

async function bench(stack: Stack, rows: number, runs: number): Promise<void> {
  const [source, target] = [await stack.url('ops'), await stack.url('warehouse')];
  await generateEvents({ url: source, table: EVENTS_TABLE, rows });
  const project = stack.project('bench', PROJECT);
  const worker = await stack.worker(project);
  const client = await stack.connect('warehouse');
  const lines: string[][] = [];
  const ratios: number[] = [];
  for (let run = 1; run <= runs; run++) {
    const pipes: ExtractRun[] = [];
    for (const count of PIPES) {
      await client.query('CHECKPOINT');
      pipes.push(await extractBaseline(source, target, count));
    }
    const best = Math.max(...pipes.map((one) => one.rows / one.seconds));
    if (run > 1) await client.query('TRUNCATE analytics.events; DELETE FROM sluice.partitions');
    // Nobody pays for what the one before has left to be written.
    await client.query('CHECKPOINT');
    const { seconds, status } = await backfill(stack, project, ['--from', EVENTS_FROM, '--to', EVENTS_TO]);
    const rate = status.rows / seconds;
    ratios.push(rate / best);
    lines.push([
      String(run),
      ...[...pipes.map((one) => one.rows / one.seconds), rate].map((one) => (one / 1000).toFixed(0)),
      (rate / best).toFixed(2),
      peakMb(worker.pid ?? 0).toFixed(0),
    ]);
  }
  console.log(
    markdownTable(
      [
        'run',
        ...PIPES.map((count) => `${count} pipe(s), k rows/s`),
        'sluice, k rows/s',
        'ratio to the best',
        'worker peak, MB',
      ],
      lines,
    ),
  );
  console.log(`median ratio ${median(ratios).toFixed(2)}`);
}

async function main([rows = '5000000', runs = '5']: readonly string[]): Promise<void> {
  await withStack((stack) => bench(stack, Number(rows), Number(runs)));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
