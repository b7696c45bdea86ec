/**
 * One partition of 5 M rows (`grain: none`), read in chunks by two readers at once: sluice against one `psql COPY | psql COPY` into the same indexes.
 *
 *     node --import tsx bench/large.ts [ROWS] [RUNS] [CHUNK_ROWS]
 *
 * On servers of its own. `psql` must be on PATH.
 */
import { pathToFileURL } from 'node:url';
import { copyPipe } from './lib/copyPipe.js';
import { createEventsTarget, EVENTS_FROM, EVENTS_TO, generateEvents } from './lib/events.js';
import type { Stack } from '../test/support/stack.js';
import { backfill, peakMb, withStack } from './lib/engine.js';
import { markdownTable, median } from './lib/figures.js';

const SOURCE = 'public.events';

const PROJECT = {
  'sluice.yaml': `
project: large
connections:
  ops: { type: postgres, url: "embedded:ops", budget: { slots: 2 } }
  warehouse: { type: postgres, url: "embedded:warehouse", budget: { slots: 2 } }
warehouse: warehouse
schema: analytics
`,
  'datasets/events.yaml': `extract: { from: ops, table: ${SOURCE} }\ngrain: none\nkey: [id]\n`,
};

/** One pipe for all of a table; the target is made anew (not timed). @returns seconds */
export async function onePipe(sourceUrl: string, targetUrl: string): Promise<number> {
  const target = 'bench_copy.events';
  await createEventsTarget(targetUrl, target);
  const partitions = [{ start: EVENTS_FROM, end: EVENTS_TO }];
  const { seconds } = await copyPipe({
    ...{ sourceUrl, targetUrl, source: SOURCE, target, time: 'happened_at', partitions },
    pipes: 1,
  });
  return seconds;
}

async function bench(stack: Stack, rows: number, runs: number, chunkRows: number): Promise<void> {
  const [source, target] = [await stack.url('ops'), await stack.url('warehouse')];
  await generateEvents({ url: source, table: SOURCE, rows });
  stack.env['SLUICE_CHUNK_ROWS'] = String(chunkRows);
  const project = stack.project('large', PROJECT);
  const worker = await stack.worker(project);
  const client = await stack.connect('warehouse');
  const lines: string[][] = [];
  const ratios: number[] = [];
  for (let run = 1; run <= runs; run++) {
    const pipe = await onePipe(source, target);
    if (run > 1)
      await client.query('DROP TABLE analytics.events; DELETE FROM sluice.partitions; DELETE FROM sluice.tables');
    else await client.query('CREATE SCHEMA analytics');
    // With the index on time that the pipe's target has.
    await client.query(`CREATE TABLE analytics.events (LIKE bench_copy.events INCLUDING INDEXES)`);
    const { seconds } = await backfill(stack, project, ['--rebuild', 'all', '--overwrite']);
    ratios.push(pipe / seconds);
    lines.push([
      String(run),
      pipe.toFixed(1),
      seconds.toFixed(1),
      (pipe / seconds).toFixed(2),
      peakMb(worker.pid ?? 0).toFixed(0),
    ]);
  }
  console.log(markdownTable(['run', 'one pipe, s', 'sluice, s', 'times as fast', 'worker peak, MB'], lines));
  console.log(`median ${median(ratios).toFixed(2)}`);
}

async function main([rows = '5000000', runs = '5', chunkRows = '1000000']: readonly string[]): Promise<void> {
  await withStack((stack) => bench(stack, Number(rows), Number(runs), Number(chunkRows)));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
