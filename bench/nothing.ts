/**
 * The second run of the demo, with nothing to do: wall time of the whole `sluice backfill` command.
 *
 *     npm run demo -- --keep && node --import tsx bench/nothing.ts DATA_DIR [RUNS]
 */
import { execFile } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { SLUICE } from '../test/support/spawned.js';
import { markdownTable, median } from './lib/figures.js';

const WORDS = ['backfill', '-p', 'examples/flights', '--from', '2013-01-01', '--to', '2014-01-01', '--wait', '--json'];

async function main([dataDir, runs = '5']: readonly string[]): Promise<void> {
  if (dataDir === undefined) throw new Error('usage: node --import tsx bench/nothing.ts DATA_DIR [RUNS]');
  const seconds: number[] = [];
  for (let run = 1; run <= Number(runs); run++) {
    const began = performance.now();
    await promisify(execFile)(process.execPath, [SLUICE, ...WORDS, '--data-dir', dataDir]);
    seconds.push((performance.now() - began) / 1000);
  }
  console.log(
    markdownTable(
      ['run', 's'],
      seconds.map((one, i) => [String(i + 1), one.toFixed(2)]),
    ),
  );
  console.log(`median ${median(seconds).toFixed(2)} s`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
