/**
 * Extract of 5 M rows of 6 columns by day: sluice against `psql COPY | psql COPY` of the same days into the same indexes.
 *
 *     node --import tsx bench/extract.ts SOURCE_URL TARGET_URL [ROWS]
 *
 * `psql` must be on PATH. Makes `public.events` in the source, and `bench_copy.events` in the target.
 */
import { pathToFileURL } from 'node:url';
import { copyPipe } from './lib/copyPipe.js';
import { createEventsTarget, EVENTS_FROM, EVENTS_TO, generateEvents } from './lib/events.js';
import { markdownTable } from './lib/figures.js';
import { localDays } from './lib/flights.js';

export const EVENTS_TABLE = 'public.events';

export interface ExtractRun {
  /** Wall time. */
  readonly seconds: number;
  readonly rows: number;
}

/** The baseline's half of one run: the target made anew (not timed), then `pipes` pipes at once. */
export async function extractBaseline(sourceUrl: string, targetUrl: string, pipes: number): Promise<ExtractRun> {
  const target = 'bench_copy.events';
  await createEventsTarget(targetUrl, target);
  const partitions = await localDays(sourceUrl, EVENTS_FROM, EVENTS_TO, 'UTC');
  return copyPipe({ sourceUrl, targetUrl, source: EVENTS_TABLE, target, time: 'happened_at', partitions, pipes });
}

async function main([sourceUrl, targetUrl, rows = '5000000']: readonly string[]): Promise<void> {
  if (sourceUrl === undefined || targetUrl === undefined) {
    throw new Error('usage: node --import tsx bench/extract.ts SOURCE_URL TARGET_URL [ROWS]');
  }
  await generateEvents({ url: sourceUrl, table: EVENTS_TABLE, rows: Number(rows) });
  const lines: string[][] = [];
  for (const pipes of [1, 4]) {
    const { seconds, rows: copied } = await extractBaseline(sourceUrl, targetUrl, pipes);
    const name = `psql COPY | psql COPY, pipes: ${pipes}`.replace('|', '\\|');
    lines.push([name, String(copied), seconds.toFixed(2), (copied / seconds).toFixed(0)]);
  }
  console.log(markdownTable(['what', 'rows', 's', 'rows/s'], lines));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
