/**
 * 20 M rows without an index on the time column, by day: sluice, which reads them once, against one `psql COPY | psql COPY` of the table into the same
 * indexes.
 *
 *     node --import tsx bench/scan.ts [ROWS] [RUNS] [CHUNK_ROWS]
 *
 * On servers of its own. `psql` must be on PATH. Rows lie in another order than time's, the worst case: no chunk knows its days.
 */
import { pathToFileURL } from 'node:url';
import { EVENTS_FROM, EVENTS_TO, generateEvents } from './lib/events.js';
import { onePipe } from './large.js';
import type { Stack } from '../test/support/stack.js';
import { backfill, peakMb, withStack } from './lib/engine.js';
import { markdownTable, median } from './lib/figures.js';

const PROJECT = {
  'sluice.yaml': `
project: scan
connections:
  ops: { type: postgres, url: "embedded:ops", budget: { slots: 2 } }
  warehouse: { type: postgres, url: "embedded:warehouse", budget: { slots: 2 } }
warehouse: warehouse
schema: analytics
defaults: { grain: day, start: ${EVENTS_FROM} }
`,
  'datasets/events.yaml': `extract: { from: ops, table: public.events, time: happened_at }\nkey: [id]\nscan: once\n`,
};

async function bench(stack: Stack, rows: number, runs: number, chunkRows: number): Promise<void> {
  const [source, target] = [await stack.url('ops'), await stack.url('warehouse')];
  await generateEvents({ url: source, table: 'public.sorted', rows });
  const ops = await stack.connect('ops');
  await ops.query('CREATE TABLE public.events AS SELECT * FROM public.sorted ORDER BY hashint8(id)');
  await ops.query('DROP TABLE public.sorted');
  await ops.query('VACUUM ANALYZE public.events');
  stack.env['SLUICE_CHUNK_ROWS'] = String(chunkRows);
  const project = stack.project('scan', PROJECT);
  const worker = await stack.worker(project);
  const client = await stack.connect('warehouse');
  const lines: string[][] = [];
  const ratios: number[] = [];
  for (let run = 1; run <= runs; run++) {
    const pipe = await onePipe(source, target);
    if (run > 1) await client.query('TRUNCATE analytics.events; DELETE FROM sluice.partitions');
    const { seconds } = await backfill(stack, project, ['--from', EVENTS_FROM, '--to', EVENTS_TO]);
    ratios.push(seconds / pipe);
    lines.push([
      String(run),
      pipe.toFixed(1),
      seconds.toFixed(1),
      (seconds / pipe).toFixed(2),
      peakMb(worker.pid ?? 0).toFixed(0),
    ]);
  }
  console.log(markdownTable(['run', 'one pipe, s', 'sluice, s', 'times as long', 'worker peak, MB'], lines));
  console.log(`median ${median(ratios).toFixed(2)}`);
}

async function main([rows = '20000000', runs = '3', chunkRows = '1000000']: readonly string[]): Promise<void> {
  await withStack((stack) => bench(stack, Number(rows), Number(runs), Number(chunkRows)));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
