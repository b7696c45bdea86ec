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
import { withStack } from './lib/engine.js';
import { againstOnePipe, EVENTS_TABLE } from './lib/pipe.js';
import type { Stack } from '../test/support/stack.js';

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
  'datasets/events.yaml': `extract: { from: ops, table: ${EVENTS_TABLE}, time: happened_at }\nkey: [id]\nscan: once\n`,
};

async function bench(stack: Stack, rows: number, runs: number, chunkRows: number): Promise<void> {
  await generateEvents({ url: await stack.url('ops'), table: 'public.sorted', rows });
  const ops = await stack.connect('ops');
  await ops.query(`CREATE TABLE ${EVENTS_TABLE} AS SELECT * FROM public.sorted ORDER BY hashint8(id)`);
  await ops.query('DROP TABLE public.sorted');
  await ops.query(`VACUUM ANALYZE ${EVENTS_TABLE}`);
  stack.env['SLUICE_CHUNK_ROWS'] = String(chunkRows);
  await againstOnePipe(stack, {
    project: stack.project('scan', PROJECT),
    words: ['--from', EVENTS_FROM, '--to', EVENTS_TO],
    runs,
    before: (run) => (run > 1 ? 'TRUNCATE analytics.events; DELETE FROM sluice.partitions' : ''),
    ratio: ['times as long', (pipe, sluice) => sluice / pipe],
  });
}

async function main([rows = '20000000', runs = '3', chunkRows = '1000000']: readonly string[]): Promise<void> {
  await withStack((stack) => bench(stack, Number(rows), Number(runs), Number(chunkRows)));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
