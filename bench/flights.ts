/**
 * Five dependent datasets × 365 days of flights, partition by partition: sluice against a bare loop in psql.
 *
 *     npm run demo -- --keep && node --import tsx bench/flights.ts WAREHOUSE_URL DATA_DIR [RUNS] [--coalesce auto|never]
 *
 * `--coalesce never` builds every partition by a statement of its own, `auto` (as the engine does by itself) joins adjacent ones where
 * that is proven the same: the baseline stays a statement for each partition.
 *
 * The warehouse must hold the extracts of examples/flights in `analytics` (`sluice backfill path:ops`), and `psql` must be
 * on PATH. The loop writes to a schema of its own, so that both sides can run in turn on the same upstream tables.
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import pg from 'pg';
import { BackfillStatus } from '../src/contracts/status.js';
import { SLUICE } from '../test/support/spawned.js';
import { markdownTable, median } from './lib/figures.js';
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

/** The engine's half: the same five datasets from nothing, by the whole `sluice backfill` command as a person types it. */
export async function flightsEngine(
  warehouseUrl: string,
  dataDir: string,
  project = 'examples/flights',
): Promise<FlightsRun> {
  const client = new pg.Client({ connectionString: warehouseUrl });
  await client.connect();
  for (const name of [...FIVE_DATASETS].reverse()) {
    await client.query(`DROP TABLE IF EXISTS ${FLIGHTS_SCHEMA}.${name}`);
    await client.query('DELETE FROM sluice.tables WHERE dataset = $1', [name]);
    await client.query('DELETE FROM sluice.partitions WHERE dataset = $1', [name]);
  }
  await client.end();
  const words = [...FIVE_DATASETS, '--from', '2013-01-01', '--to', '2014-01-01', '--wait', '--json', '--local'];
  const began = performance.now();
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [SLUICE, 'backfill', ...words, '-p', project, '--data-dir', dataDir],
    { maxBuffer: 1 << 24 },
  );
  const seconds = (performance.now() - began) / 1000;
  const status = BackfillStatus.parse(JSON.parse(stdout));
  if (status.state !== 'completed') throw new Error(`the backfill is ${status.state}: ${status.reason}`);
  return { seconds, partitions: status.partitions.total };
}

const RUNS = 5;

/** The example as a project of its own, all of its datasets with that setting. */
function projectWith(coalesce: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  cpSync('examples/flights/datasets', join(folder, 'datasets'), { recursive: true });
  const text = readFileSync('examples/flights/sluice.yaml', 'utf8');
  const changed = text.replace(/^defaults: \{/m, `defaults: { coalesce: ${coalesce},`);
  if (changed === text) throw new Error('examples/flights/sluice.yaml has no `defaults: {` to add to');
  writeFileSync(join(folder, 'sluice.yaml'), changed);
  return folder;
}

async function main(args: readonly string[]): Promise<void> {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { coalesce: { type: 'string', default: 'auto' } },
  });
  const [warehouseUrl, dataDir, runs = String(RUNS)] = positionals;
  if (warehouseUrl === undefined || dataDir === undefined || !['auto', 'never'].includes(values.coalesce)) {
    throw new Error('usage: node --import tsx bench/flights.ts WAREHOUSE_URL DATA_DIR [RUNS] [--coalesce auto|never]');
  }
  const project = projectWith(values.coalesce);
  const rates: { loop: number; engine: number }[] = [];
  for (let run = 1; run <= Number(runs); run++) {
    const loop = await flightsBaseline(warehouseUrl);
    const engine = await flightsEngine(warehouseUrl, dataDir, project);
    rates.push({ loop: loop.partitions / loop.seconds, engine: engine.partitions / engine.seconds });
  }
  const rows = rates.map(({ loop, engine }, i) => [
    String(i + 1),
    loop.toFixed(0),
    engine.toFixed(0),
    (engine / loop).toFixed(2),
  ]);
  const ratio = median(rates.map(({ loop, engine }) => engine / loop));
  console.log(markdownTable(['run', 'psql loop, partitions/s', 'sluice, partitions/s', 'ratio'], rows));
  rmSync(project, { recursive: true });
  console.log(`coalesce: ${values.coalesce}; median ratio ${ratio.toFixed(2)}`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
