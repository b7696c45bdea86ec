/**
 * One partition of 5 M rows (`grain: none`), read in chunks by two readers at once: sluice against one `psql COPY | psql COPY` into the same indexes.
 *
 *     node --import tsx bench/large.ts [ROWS] [RUNS] [CHUNK_ROWS]
 *
 * On servers of its own. `psql` must be on PATH.
 */
import { pathToFileURL } from 'node:url';
import { generateEvents } from './lib/events.js';
import { withStack } from './lib/engine.js';
import { againstOnePipe, EVENTS_TABLE } from './lib/pipe.js';
import type { Stack } from '../test/support/stack.js';

const PROJECT = {
  'sluice.yaml': `
project: large
connections:
  ops: { type: postgres, url: "embedded:ops", budget: { slots: 2 } }
  warehouse: { type: postgres, url: "embedded:warehouse", budget: { slots: 2 } }
warehouse: warehouse
schema: analytics
`,
  'datasets/events.yaml': `extract: { from: ops, table: ${EVENTS_TABLE} }\ngrain: none\nkey: [id]\n`,
};

async function bench(stack: Stack, rows: number, runs: number, chunkRows: number): Promise<void> {
  await generateEvents({ url: await stack.url('ops'), table: EVENTS_TABLE, rows });
  stack.env['SLUICE_CHUNK_ROWS'] = String(chunkRows);
  const again = 'DROP TABLE analytics.events; DELETE FROM sluice.partitions; DELETE FROM sluice.tables';
  await againstOnePipe(stack, {
    project: stack.project('large', PROJECT),
    words: ['--rebuild', 'all', '--overwrite'],
    runs,
    // With the index on time that the pipe's target has.
    before: (run) =>
      `${run > 1 ? again : 'CREATE SCHEMA analytics'}; CREATE TABLE analytics.events (LIKE bench_copy.events INCLUDING INDEXES)`,
    ratio: ['times as fast', (pipe, sluice) => pipe / sluice],
  });
}

async function main([rows = '5000000', runs = '5', chunkRows = '1000000']: readonly string[]): Promise<void> {
  await withStack((stack) => bench(stack, Number(rows), Number(runs), Number(chunkRows)));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
