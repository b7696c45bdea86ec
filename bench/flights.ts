/**
 * Five dependent datasets × 365 days of flights, partition by partition: sluice against a bare loop in psql.
 *
 *     node --import tsx bench/flights.ts WAREHOUSE_URL
 *
 * The warehouse must hold the extracts of examples/flights in `analytics` (`sluice backfill path:ops`), and `psql` must be
 * on PATH. The loop writes to a schema of its own, so that both sides can run in turn on the same upstream tables.
 */
import { pathToFileURL } from 'node:url';
import { markdownTable } from './lib/figures.js';
import { FIVE_DATASETS, FLIGHTS_SCHEMA, FLIGHTS_TIMEZONE, flightStatements, localDays } from './lib/flights.js';
import { createTargets, psqlLoop } from './lib/loop.js';

export interface FlightsRun {
  /** Wall time. */
  readonly seconds: number;
  readonly partitions: number;
}

/** The baseline's half of one run: targets made anew (not timed), then the loop on 4 connections. */
export async function flightsBaseline(warehouseUrl: string): Promise<FlightsRun> {
  const statements = flightStatements(FIVE_DATASETS);
  const partitions = await localDays(warehouseUrl, '2013-01-01', '2014-01-01');
  const where = { warehouseUrl, schema: 'bench_psql', upstreamSchema: FLIGHTS_SCHEMA, timezone: FLIGHTS_TIMEZONE };
  await createTargets({ ...where, statements });
  return psqlLoop({ ...where, statements, partitions, connections: 4 });
}

async function main(warehouseUrl: string | undefined): Promise<void> {
  if (warehouseUrl === undefined) throw new Error('usage: node --import tsx bench/flights.ts WAREHOUSE_URL');
  const { seconds, partitions } = await flightsBaseline(warehouseUrl);
  const row = ['psql loop', String(partitions), seconds.toFixed(2), (partitions / seconds).toFixed(0)];
  console.log(markdownTable(['what', 'partitions', 's', 'partitions/s'], [row]));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv[2]);
